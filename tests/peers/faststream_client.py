"""An RPC client on FastStream's `broker.request`."""

import asyncio
import json
import logging

from faststream.rabbit import RabbitBroker

from common import (
    CALL_TIMEOUT,
    NUMBERS,
    TEXT,
    broker_url,
    check_sized_reply,
    client_arguments,
    show_json_reply,
    show_text_reply,
    sized_body,
)


async def main() -> None:
    arguments = client_arguments()
    async with RabbitBroker(broker_url(), logger=logging.getLogger("peer")) as broker:
        # FastStream sets the content type by the body's type: none for bytes,
        # text/plain for a str, application/json for anything else.
        for size in arguments.size:
            reply = await broker.request(
                sized_body(size), queue=arguments.queue, timeout=CALL_TIMEOUT
            )
            check_sized_reply(size, reply.body)

        if arguments.json:
            reply = await broker.request(NUMBERS, queue=arguments.queue, timeout=CALL_TIMEOUT)
            show_json_reply(json.loads(reply.body), reply.content_type)

        if arguments.text:
            reply = await broker.request(TEXT, queue=arguments.queue, timeout=CALL_TIMEOUT)
            show_text_reply(reply.body.decode(), reply.content_type)


asyncio.run(main())

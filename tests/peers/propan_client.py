"""An RPC client on Propan's `publish(callback=True)`, which hands back the decoded
body only: the reply's content type stays unknown to its caller."""

import asyncio
import contextlib
import logging
import sys

# Propan prints which other brokers' libraries it misses; standard output is for results.
with contextlib.redirect_stdout(sys.stderr):
    from propan import RabbitBroker

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

        async def call(message: object) -> object:
            return await broker.publish(
                message,
                queue=arguments.queue,
                callback=True,
                callback_timeout=CALL_TIMEOUT,
                raise_timeout=True,
            )

        for size in arguments.size:
            check_sized_reply(size, await call(sized_body(size)))

        if arguments.json:
            show_json_reply(await call(NUMBERS), None)

        if arguments.text:
            reply = await call(TEXT)
            # A reply without a content type, such as a bytes handler's, stays bytes.
            show_text_reply(reply.decode() if isinstance(reply, bytes) else reply, None)


asyncio.run(main())

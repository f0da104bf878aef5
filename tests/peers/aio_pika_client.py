"""An RPC client on bare aio-pika, one call at a time: subscribe to the pseudo-queue,
publish without a correlation-id, take the first reply, cancel."""

import asyncio
import json

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

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

REPLY_TO = "amq.rabbitmq.reply-to"


async def call(
    channel: AbstractChannel, queue: str, body: bytes, **properties: str
) -> AbstractIncomingMessage:
    replies: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue(maxsize=1)
    callback_queue = await channel.get_queue(REPLY_TO, ensure=False)
    consumer_tag = await callback_queue.consume(replies.put, no_ack=True)
    try:
        request = aio_pika.Message(body, reply_to=REPLY_TO, **properties)
        await channel.default_exchange.publish(request, routing_key=queue)
        return await asyncio.wait_for(replies.get(), CALL_TIMEOUT)
    finally:
        await callback_queue.cancel(consumer_tag)


async def main() -> None:
    arguments = client_arguments()
    async with await aio_pika.connect_robust(broker_url()) as connection:
        channel = await connection.channel()

        for size in arguments.size:
            reply = await call(channel, arguments.queue, sized_body(size))
            check_sized_reply(size, reply.body)

        if arguments.json:
            body = json.dumps(NUMBERS).encode()
            reply = await call(channel, arguments.queue, body, content_type="application/json")
            show_json_reply(json.loads(reply.body), reply.content_type)

        if arguments.text:
            reply = await call(
                channel,
                arguments.queue,
                TEXT.encode(),
                content_type="text/plain",
                content_encoding="utf-8",
            )
            show_text_reply(reply.body.decode(), reply.content_type)


asyncio.run(main())

"""An RPC server on bare aio-pika: an echo, or with --json a sum.

The reply goes to the default exchange under the request's reply-to. As in most
hand-written servers the correlation-id is forgotten, unless --correlate is given.
"""

import asyncio
import json

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

from common import add, broker_url, serve_until_stdin_ends, server_arguments


async def main() -> None:
    arguments = server_arguments("--correlate")
    async with await aio_pika.connect_robust(broker_url()) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(arguments.queue, durable=True)

        async def process(message: AbstractIncomingMessage) -> None:
            async with message.process():
                body, content_type = message.body, message.content_type
                if arguments.json:
                    body = json.dumps(add(json.loads(body))).encode()
                    content_type = "application/json"
                reply = aio_pika.Message(
                    body,
                    content_type=content_type,
                    correlation_id=message.correlation_id if arguments.correlate else None,
                )
                await channel.default_exchange.publish(reply, routing_key=message.reply_to)

        consumer_tag = await queue.consume(process)
        await serve_until_stdin_ends()
        await queue.cancel(consumer_tag)
        await queue.delete(if_unused=False, if_empty=False)


asyncio.run(main())

"""An RPC server on FastStream: an echo, with --json a typed handler, or with --values one that
gives back what it is asked for."""

import asyncio
import logging

from faststream.rabbit import RabbitBroker, RabbitQueue
from faststream.rabbit.annotations import RabbitMessage

from common import VALUES, add, broker_url, serve_until_stdin_ends, server_arguments


async def main() -> None:
    arguments = server_arguments("--values")
    # A logger without handlers: only warnings and errors reach stderr.
    broker = RabbitBroker(broker_url(), logger=logging.getLogger("peer"))
    queue = RabbitQueue(arguments.queue, durable=True)

    if arguments.json:

        @broker.subscriber(queue)
        async def sum_of(numbers: dict) -> dict:
            return add(numbers)

    elif arguments.values:

        @broker.subscriber(queue)
        async def value_of(name: str) -> object:
            return VALUES[name]

    else:
        # The message itself: a `body: bytes` argument would first be tried as JSON.
        @broker.subscriber(queue)
        async def echo(message: RabbitMessage) -> bytes:
            return message.body

    await broker.start()
    await serve_until_stdin_ends()
    for subscriber in broker.subscribers:
        await subscriber.stop()
    declared = await broker.declare_queue(queue)
    await declared.delete(if_unused=False, if_empty=False)
    await broker.stop()


asyncio.run(main())

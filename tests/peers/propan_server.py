"""An RPC server on Propan, FastStream's predecessor: an echo, with --json a typed handler, or with
--values one that gives back what it is asked for."""

import asyncio
import contextlib
import logging
import sys

import aio_pika

# Propan prints which other brokers' libraries it misses; standard output is for results.
with contextlib.redirect_stdout(sys.stderr):
    from propan import RabbitBroker
    from propan.brokers.rabbit import RabbitQueue

from common import VALUES, add, broker_url, serve_until_stdin_ends, server_arguments


async def main() -> None:
    arguments = server_arguments("--values")
    # A logger without handlers: only warnings and errors reach stderr.
    broker = RabbitBroker(broker_url(), logger=logging.getLogger("peer"))
    queue = RabbitQueue(arguments.queue, durable=True)

    if arguments.json:

        @broker.handle(queue)
        async def sum_of(numbers: dict) -> dict:
            return add(numbers)

    elif arguments.values:

        @broker.handle(queue)
        async def value_of(name: str):
            return VALUES[name]

    else:

        @broker.handle(queue)
        async def echo(body: bytes) -> bytes:
            return body

    await broker.start()
    await serve_until_stdin_ends()
    await broker.close()

    # Propan cannot cancel a consumer, so its queue goes once the connection has.
    async with await aio_pika.connect(broker_url()) as connection:
        channel = await connection.channel()
        await channel.queue_delete(arguments.queue)


asyncio.run(main())

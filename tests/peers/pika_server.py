"""An RPC server on pika's BlockingConnection: an echo, or with --json a sum."""

import json

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.spec import Basic

from common import add, broker_url, server_arguments, when_stdin_ends


def main() -> None:
    arguments = server_arguments()
    with pika.BlockingConnection(pika.URLParameters(broker_url())) as connection:
        channel = connection.channel()
        channel.queue_declare(arguments.queue, durable=True)

        def process(
            channel: BlockingChannel,
            method: Basic.Deliver,
            request: pika.BasicProperties,
            body: bytes,
        ) -> None:
            content_type = request.content_type
            if arguments.json:
                body = json.dumps(add(json.loads(body))).encode()
                content_type = "application/json"
            channel.basic_publish(
                exchange="",
                routing_key=request.reply_to,
                body=body,
                properties=pika.BasicProperties(
                    content_type=content_type, correlation_id=request.correlation_id
                ),
            )
            channel.basic_ack(method.delivery_tag)

        channel.basic_consume(arguments.queue, process)
        # Handlers run in this thread, so none is left halfway.
        when_stdin_ends(lambda: connection.add_callback_threadsafe(channel.stop_consuming))
        channel.start_consuming()
        channel.queue_delete(arguments.queue)


main()

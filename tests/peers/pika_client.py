"""An RPC client on pika's BlockingConnection: one consumer of the pseudo-queue for all calls,
one call at a time, told apart by correlation-id."""

import json
import sys
import time

import pika
from pika.adapters.blocking_connection import BlockingChannel

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


class Client:
    def __init__(self, connection: pika.BlockingConnection, queue: str) -> None:
        self.connection = connection
        self.channel = connection.channel()
        self.queue = queue
        self.calls = 0
        self.replies: list[tuple[pika.BasicProperties, bytes]] = []
        self.channel.basic_consume(REPLY_TO, self.take_reply, auto_ack=True)

    def take_reply(
        self,
        _channel: BlockingChannel,
        _method: object,
        properties: pika.BasicProperties,
        body: bytes,
    ) -> None:
        self.replies.append((properties, body))

    def call(self, body: bytes, **properties: str) -> tuple[pika.BasicProperties, bytes]:
        self.calls += 1
        correlation_id = f"call {self.calls}"
        self.channel.basic_publish(
            exchange="",
            routing_key=self.queue,
            body=body,
            properties=pika.BasicProperties(
                reply_to=REPLY_TO, correlation_id=correlation_id, **properties
            ),
        )
        deadline = time.monotonic() + CALL_TIMEOUT
        while not self.replies:
            if time.monotonic() > deadline:
                sys.exit(f"no reply to {correlation_id}")
            self.connection.process_data_events(time_limit=1)
        ((reply, body),) = self.replies
        self.replies.clear()
        if reply.correlation_id != correlation_id:
            sys.exit(f"the reply to {correlation_id} is to {reply.correlation_id}")
        return reply, body


def main() -> None:
    arguments = client_arguments()
    with pika.BlockingConnection(pika.URLParameters(broker_url())) as connection:
        client = Client(connection, arguments.queue)

        for size in arguments.size:
            _, body = client.call(sized_body(size))
            check_sized_reply(size, body)

        if arguments.json:
            body = json.dumps(NUMBERS).encode()
            reply, body = client.call(body, content_type="application/json")
            show_json_reply(json.loads(body), reply.content_type)

        if arguments.text:
            reply, body = client.call(TEXT.encode(), content_type="text/plain")
            show_text_reply(body.decode(), reply.content_type)


main()

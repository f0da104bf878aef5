"""A conversation to record: everything that request/reply needs, and what can go wrong with it,
between RabbitMQ and a client that is not Leveret. `cargo xtask capture VERSION` writes it down as
known answers for the codec.

Connection 1 is the requester, 2 the responder, and 3 asks for what RabbitMQ does not implement.
"""

import asyncio
import datetime
import decimal

import aiormq
from common import broker_url
from pamqp.commands import Basic

PROPS = Basic.Properties


async def main() -> None:
    url = broker_url() + "?heartbeat=60"
    requester = await aiormq.connect(url)
    responder = await aiormq.connect(url)

    s = await responder.channel(publisher_confirms=False)
    await s.queue_declare("capture", durable=True, arguments={
        "x-message-ttl": 60000, "x-expires": 300000, "x-max-length": 70000, "x-overflow": "reject-publish", "x-queue-mode": "default"})
    await s.queue_purge("capture")
    await s.basic_qos(prefetch_count=10)
    async def serve(message):
        h = message.header.properties
        if h.message_type == "refuse":
            await s.basic_nack(message.delivery.delivery_tag, requeue=False)
            return
        await s.basic_publish(message.body[::-1], routing_key=h.reply_to, properties=PROPS(
            correlation_id=h.correlation_id, content_type="text/plain", delivery_mode=1))
        await s.basic_ack(message.delivery.delivery_tag)
    consumed = await s.basic_consume("capture", serve, consumer_tag="responder")

    c = await requester.channel(publisher_confirms=True, on_return_raises=False)
    replies = asyncio.Queue()
    await c.basic_consume("amq.rabbitmq.reply-to", replies.put, no_ack=True, consumer_tag="requester")
    returned = asyncio.Queue()
    c.on_return_callbacks.add(lambda m: returned.put_nowait(m))
    headers = {
        "bool": True, "short": -2, "int": 70000, "long": 5_000_000_000, "negative": -70000,
        "double": 1.5, "decimal": decimal.Decimal("3.14"), "text": "h\u00e9llo", "octets": bytearray(b"\x00\xff"),
        "array": [1, "two", [3]], "table": {"inner": {"deep": True}}, "empty": {}, "nothing": None,
        "time": datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc),
    }
    everything = PROPS(
        content_type="text/plain", content_encoding="utf-8", headers=headers, delivery_mode=2, priority=4,
        correlation_id="call-1", reply_to="amq.rabbitmq.reply-to", expiration="30000", message_id="message-1",
        timestamp=datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc), message_type="request",
        user_id="guest", app_id="capture")
    await c.basic_publish(b"hello", routing_key="capture", properties=everything, mandatory=True)
    await replies.get()
    for body, cid in ((b"", "call-2"), (bytes(i % 251 for i in range(20000)), "call-3")):
        await c.basic_publish(body, routing_key="capture", properties=PROPS(correlation_id=cid, reply_to="amq.rabbitmq.reply-to"))
        await replies.get()
    await c.basic_publish(b"nobody home", routing_key="capture.missing", mandatory=True,
        properties=PROPS(correlation_id="call-4", reply_to="amq.rabbitmq.reply-to", delivery_mode=1))
    await returned.get()
    await c.basic_publish(b"refused", routing_key="capture", properties=PROPS(message_type="refuse"))
    await c.basic_cancel("requester")

    await s.basic_cancel("responder")
    await c.basic_publish(b"left over", routing_key="capture")
    g = await responder.channel(publisher_confirms=False)
    got = await g.basic_get("capture")
    await g.basic_reject(got.delivery.delivery_tag, requeue=True)
    got = await g.basic_get("capture")
    await g.basic_ack(got.delivery.delivery_tag)
    await g.basic_get("capture", no_ack=True)
    try:
        await g.queue_declare("capture.missing", passive=True)
    except aiormq.exceptions.ChannelNotFoundEntity:
        pass  # as asked for: a channel closed by the broker
    await s.queue_delete("capture")
    await c.close()
    await s.close()
    await requester.close()
    await responder.close()
    # What the broker says at the end is expected; asyncio need not report it as well.
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    doomed = await aiormq.connect(url)
    d = await doomed.channel(publisher_confirms=False)
    try:
        await d.basic_publish(b"", routing_key="capture", immediate=True)
        await d.basic_qos(prefetch_count=1)
    except (Exception, asyncio.CancelledError):
        pass  # as asked for: a connection closed by the broker
    # The broker closes this one; the answer is all that is left to say.
    await asyncio.gather(doomed.close(), return_exceptions=True)


asyncio.run(asyncio.wait_for(main(), 20))

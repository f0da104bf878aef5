//! Requests and replies as they are on the wire.

use bytes::BytesMut;
use leveret_codec::{BasicProperties, ContentHeader, Frame, ShortStr, basic, encode_body};

/// RabbitMQ's frame-max, less what is around a payload.
pub(crate) const MAX_PAYLOAD: u32 = 131_072 - 8;

pub(crate) const QUEUE: ShortStr = ShortStr::from_static("queue");

pub(crate) const BODY: [u8; 64] = [0x2a; 64];

/// As long as Leveret's.
pub(crate) const CORRELATION_ID: ShortStr =
    ShortStr::from_static("0123456789abcdef-0123456789abcdef");

/// As long as those that RabbitMQ chooses.
pub(crate) const CONSUMER_TAG: ShortStr = ShortStr::from_static("amq.ctag-0123456789abcdefghijkl");

/// What a client names as its reply address.
pub(crate) const REPLY_TO: ShortStr = ShortStr::from_static("amq.rabbitmq.reply-to");

/// What RabbitMQ makes of that, for a connection and a channel.
pub(crate) const REPLY_ADDRESS: ShortStr = ShortStr::from_static(
    "amq.rabbitmq.reply-to.g1h3AAtyZXBseUAxMjM0NQAADBkAAAAAZaK1vw==.ZGVhZGJlZWZkZWFkYmVlZg==",
);

/// What Leveret sends with a request.
pub(crate) fn request_properties(reply_to: ShortStr) -> BasicProperties {
    BasicProperties {
        correlation_id: Some(CORRELATION_ID),
        message_id: Some(CORRELATION_ID),
        reply_to: Some(reply_to),
        expiration: Some(ShortStr::from_static("30000")),
        delivery_mode: Some(1),
        ..BasicProperties::default()
    }
}

/// What servers send with a reply.
pub(crate) fn reply_properties(correlation_id: ShortStr) -> BasicProperties {
    BasicProperties { correlation_id: Some(correlation_id), ..BasicProperties::default() }
}

/// A message as the broker delivers it on channel 1.
pub(crate) fn delivery(out: &mut BytesMut, routing_key: ShortStr, properties: BasicProperties) {
    let deliver = basic::Deliver {
        consumer_tag: CONSUMER_TAG,
        delivery_tag: 1,
        redelivered: false,
        exchange: ShortStr::EMPTY,
        routing_key,
    };
    Frame::method(1, deliver).encode(out);
    let header = ContentHeader { body_size: BODY.len() as u64, properties };
    Frame::Header { channel: 1, header }.encode(out);
    encode_body(1, &BODY, MAX_PAYLOAD, out);
}

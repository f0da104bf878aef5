//! The codec alone: a reply taken apart, and a request put together.

use bytes::{Bytes, BytesMut};
use leveret_codec::{
    BasicProperties, DecodeError, DeliverRef, FrameRef, ShortStr, basic, encode_body,
    encode_header,
};

use crate::dialogue::{BODY, MAX_PAYLOAD, REPLY_ADDRESS, delivery, reply_properties};
use crate::{Meter, repeat};

const TIMES: usize = 1000;

type Reply<'a> = (DeliverRef<'a>, Box<BasicProperties>, u64, &'a [u8]);

/// `basic.deliver`, header and body, as the connection reads them out of its buffer.
pub(crate) fn decode_replies(meter: &mut impl Meter) -> usize {
    let mut input = BytesMut::new();
    let id = ShortStr::from_static("0123456789abcdef-0123456789abcdef");
    delivery(&mut input, REPLY_ADDRESS, reply_properties(id.clone()), &BODY);
    let read = |mut properties: Box<BasicProperties>| -> Result<_, DecodeError> {
        let deliver = frame(&input)?;
        let method = DeliverRef::decode(deliver.payload)?.expect("basic.deliver");
        let rest = &input[deliver.encoded_len()..];
        let header = frame(rest)?;
        let body = frame(&rest[header.encoded_len()..])?;
        let size = properties.fill_in(header.payload)?;
        Ok((method, properties, size, body.payload))
    };
    let check = |(method, properties, size, body): Reply<'_>| {
        assert_eq!(method.routing_key, REPLY_ADDRESS.as_bytes());
        assert_eq!((&properties.correlation_id, size, body), (&Some(id.clone()), 64, &BODY[..]));
    };
    repeat(meter, TIMES, Box::default, read, |read| check(read.expect("a reply")));
    TIMES
}

fn frame(octets: &[u8]) -> Result<FrameRef<'_>, DecodeError> {
    FrameRef::decode(octets, |_| MAX_PAYLOAD).map(|frame| frame.expect("a whole frame"))
}

/// `basic.publish`, header and body into a buffer that has room.
pub(crate) fn encode_requests(meter: &mut impl Meter) -> usize {
    let properties = BasicProperties {
        correlation_id: Some(ShortStr::from_static("0123456789abcdef-0123456789abcdef")),
        message_id: Some(ShortStr::from_static("0123456789abcdef-0123456789abcdef")),
        reply_to: Some(ShortStr::from_static("amq.rabbitmq.reply-to")),
        expiration: Some(ShortStr::from_static("30000")),
        delivery_mode: Some(1),
        ..BasicProperties::default()
    };
    let body = Bytes::from_static(&BODY);
    let mut out = BytesMut::with_capacity(1024);
    let write = |routing_key| {
        out.clear();
        let publish = basic::Publish { routing_key, mandatory: true, ..Default::default() };
        publish.encode_frame(1, &mut out);
        encode_header(1, body.len() as u64, &properties, &mut out);
        encode_body(1, &body, MAX_PAYLOAD, &mut out);
        out.len()
    };
    let check = |length| assert!(length > BODY.len(), "{length}");
    repeat(meter, TIMES, || ShortStr::from_static("queue"), write, check);
    TIMES
}

//! The codec alone: a reply taken apart, and a request put together.

use bytes::BytesMut;
use leveret_codec::{
    BasicProperties, DecodeError, DeliverRef, FrameRef, basic, encode_body, encode_header,
};

use crate::message::{
    BODY, CORRELATION_ID, MAX_PAYLOAD, QUEUE, REPLY_ADDRESS, REPLY_TO, delivery, reply_properties,
    request_properties,
};
use crate::meter::{Meter, repeat};

const TIMES: usize = 1000;

type Reply<'a> = (DeliverRef<'a>, Box<BasicProperties>, u64, &'a [u8]);

/// `basic.deliver`, header and body, as the connection reads them out of its buffer.
pub(crate) fn decode_replies(meter: &mut impl Meter) -> usize {
    let mut input = BytesMut::new();
    delivery(&mut input, REPLY_ADDRESS, reply_properties(CORRELATION_ID));
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
        assert_eq!(properties.correlation_id, Some(CORRELATION_ID));
        assert_eq!((size, body), (BODY.len() as u64, &BODY[..]));
    };
    repeat(meter, TIMES, Box::default, read, |read| check(read.expect("a reply")));
    TIMES
}

fn frame(octets: &[u8]) -> Result<FrameRef<'_>, DecodeError> {
    FrameRef::decode(octets, |_| MAX_PAYLOAD).map(|frame| frame.expect("a whole frame"))
}

/// `basic.publish`, header and body into a buffer that has room.
pub(crate) fn encode_requests(meter: &mut impl Meter) -> usize {
    let properties = request_properties(REPLY_TO);
    let mut out = BytesMut::with_capacity(1024);
    let write = |routing_key| {
        out.clear();
        let publish = basic::Publish { routing_key, mandatory: true, ..Default::default() };
        publish.encode_frame(1, &mut out);
        encode_header(1, BODY.len() as u64, &properties, &mut out);
        encode_body(1, &BODY, MAX_PAYLOAD, &mut out);
        out.len()
    };
    let check = |length| assert!(length > BODY.len(), "{length}");
    repeat(meter, TIMES, || QUEUE, write, check);
    TIMES
}

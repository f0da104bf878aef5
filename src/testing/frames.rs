//! Short names for what tests say often.

use alloc::vec::Vec;
use core::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use leveret_codec::{
    BasicProperties, ContentHeader, FieldTable, FieldValue, Frame, LongStr, Method, ReplyCode,
    ShortStr, channel, connection,
};

pub(crate) fn on(channel: u16, method: impl Into<Method>) -> Frame {
    Frame::method(channel, method)
}

pub(crate) fn short(text: impl Into<Vec<u8>>) -> ShortStr {
    ShortStr::new(text.into()).unwrap()
}

/// A header's value.
pub(crate) fn text(text: &'static str) -> FieldValue {
    FieldValue::LongStr(LongStr::from_static(text))
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn channel_close(code: ReplyCode, text: &str) -> channel::Close {
    channel::Close { reply_code: code, reply_text: short(text), ..channel::Close::default() }
}

pub(crate) fn connection_close(code: ReplyCode, text: &str) -> connection::Close {
    connection::Close { reply_code: code, reply_text: short(text), ..connection::Close::default() }
}

/// Properties that fill so many octets with a header, and a few more.
pub(crate) fn with_headers_of(octets: usize) -> BasicProperties {
    let mut headers = FieldTable::new();
    headers.insert("large", LongStr::new(alloc::vec![b'x'; octets]).unwrap()).unwrap();
    BasicProperties { headers: Some(headers), ..BasicProperties::default() }
}

/// The frame of a content header, as octets, with a table of headers that nobody can read in front
/// of the correlation-id.
pub(crate) fn unreadable_header(
    channel: u16,
    correlation_id: &ShortStr,
    body_size: u8,
) -> BytesMut {
    let flags: u16 = 0x2400;
    let mut payload = BytesMut::from(&b"\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00"[..]);
    payload.put_u8(body_size);
    payload.put_u16(flags);
    payload.put_slice(b"\x00\x00\x00\x03\x01az");
    payload.put_u8(correlation_id.len().try_into().unwrap());
    payload.put_slice(correlation_id.as_bytes());
    let mut octets = BytesMut::new();
    octets.put_u8(2);
    octets.put_u16(channel);
    octets.put_u32(payload.len().try_into().unwrap());
    octets.put_slice(&payload);
    octets.put_u8(0xce);
    octets
}

/// The frames of a message.
pub(crate) fn message(
    channel: u16,
    method: impl Into<Method>,
    properties: &BasicProperties,
    body: &[u8],
) -> Vec<Frame> {
    let header = ContentHeader { body_size: body.len() as u64, properties: properties.clone() };
    let mut frames = [on(channel, method), Frame::Header { channel, header }].to_vec();
    if !body.is_empty() {
        frames.push(Frame::Body { channel, payload: Bytes::copy_from_slice(body) });
    }
    frames
}

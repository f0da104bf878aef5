//! Frames as octets, whatever is in them.

use bytes::{BufMut, Bytes, BytesMut};
use leveret_codec::{BasicProperties, ContentHeader, Frame, Method, basic};

use crate::attacker::short;

pub(crate) const METHOD: u8 = 1;
pub(crate) const HEADER: u8 = 2;
pub(crate) const BODY: u8 = 3;

/// A frame of any kind with any payload.
pub(crate) fn raw(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let mut octets = announced(kind, channel, u32::try_from(payload.len()).unwrap());
    octets.extend_from_slice(payload);
    octets.push(0xce);
    octets
}

/// The beginning of a frame whose payload is said to be so large.
pub(crate) fn announced(kind: u8, channel: u16, size: u32) -> Vec<u8> {
    let mut octets = vec![kind];
    octets.put_u16(channel);
    octets.put_u32(size);
    octets
}

pub(crate) fn frames(frames: impl IntoIterator<Item = Frame>) -> Vec<u8> {
    let mut octets = BytesMut::new();
    frames.into_iter().for_each(|frame| frame.encode(&mut octets));
    octets.to_vec()
}

pub(crate) fn method(channel: u16, method: impl Into<Method>) -> Vec<u8> {
    frames([Frame::method(channel, method)])
}

/// A method's payload: ids and fields.
pub(crate) fn payload(method: &Method) -> Vec<u8> {
    let mut octets = BytesMut::new();
    method.encode(&mut octets);
    octets.to_vec()
}

pub(crate) fn header(channel: u16, body_size: u64) -> Frame {
    let header = ContentHeader { body_size, properties: BasicProperties::default() };
    Frame::Header { channel, header }
}

pub(crate) fn body(channel: u16, octets: &'static [u8]) -> Frame {
    Frame::Body { channel, payload: Bytes::from_static(octets) }
}

pub(crate) fn deliver(tag: &str) -> Frame {
    Frame::method(1, basic::Deliver { consumer_tag: short(tag), ..Default::default() })
}

/// The first octet of the flags of properties that are these two.
pub(crate) const HEADERS_AND_CORRELATION_ID: u8 = 0x24;

/// The payload of a content header whose only property is a table of headers, given without its
/// length.
pub(crate) fn header_with_fields(body_size: u64, length: usize, fields: &[u8]) -> Vec<u8> {
    let mut octets = vec![0, 60, 0, 0];
    octets.put_u64(body_size);
    octets.put_u16(0x2000);
    octets.put_u32(u32::try_from(length).unwrap());
    octets.extend_from_slice(fields);
    octets
}

/// Fields that hold tables in tables, or arrays in arrays. Each level is the tag with the length of
/// what is within.
pub(crate) fn nested(depth: usize, within: Nested) -> Vec<u8> {
    let (mut octets, tag): (Vec<u8>, &[u8]) = match within {
        Nested::Tables => (Vec::new(), b"\x01tF"),
        Nested::Arrays => (b"\x01a".to_vec(), b"A"),
    };
    let level = tag.len() + 4;
    for within in (0..depth).rev() {
        octets.extend_from_slice(tag);
        octets.put_u32(u32::try_from(within * level).unwrap());
    }
    octets
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Nested {
    Tables,
    Arrays,
}

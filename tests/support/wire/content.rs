//! Messages: methods with content, and the frames that the content is.

use bytes::{BufMut, Bytes, BytesMut};
use leveret_codec::{
    BasicProperties, ContentHeader, Frame, FrameKind, Method, ShortStr, basic, encode_body,
};

use super::{Expected, Wire};

/// What follows a method that carries content.
#[derive(Debug, PartialEq)]
pub(crate) struct Content {
    pub(crate) properties: BasicProperties,
    pub(crate) body: Vec<u8>,
    /// The sizes of the body frames.
    pub(crate) pieces: Vec<usize>,
}

impl Wire {
    /// Publishes to the default exchange, without `mandatory`.
    pub(crate) async fn publish(
        &mut self,
        channel: u16,
        routing_key: &ShortStr,
        properties: BasicProperties,
        body: &[u8],
    ) {
        let publish = basic::Publish { routing_key: routing_key.clone(), ..Default::default() };
        self.send_content(channel, publish, properties, body).await;
    }

    /// Sends a method, a header, and the body in frames as large as agreed, all in one write.
    pub(crate) async fn send_content(
        &mut self,
        channel: u16,
        method: impl Into<Method>,
        properties: BasicProperties,
        body: &[u8],
    ) {
        let frames = content_frames(channel, method, properties, body, self.payload_max);
        self.send_together(frames).await;
    }

    /// Publishes to the default exchange with headers that need not be any: their octets as they
    /// are, without the length in front. The properties have no content type, nor content encoding.
    pub(crate) async fn publish_with_headers(
        &mut self,
        channel: u16,
        routing_key: &ShortStr,
        properties: BasicProperties,
        headers: &[u8],
        body: &[u8],
    ) {
        let publish = basic::Publish { routing_key: routing_key.clone(), ..Default::default() };
        let mut payload = BytesMut::new();
        let body_size = u64::try_from(body.len()).unwrap();
        ContentHeader { body_size, properties }.encode(&mut payload);
        // Flags, of which 0x2000 is that of the headers, and their values, of which they come first.
        payload[12] |= 0x20;
        let behind = payload.split_off(14);
        payload.put_u32(u32::try_from(headers.len()).unwrap());
        payload.extend([headers, &behind].concat());

        let mut octets = BytesMut::new();
        Frame::method(channel, publish).encode(&mut octets);
        octets.put_u8(FrameKind::Header as u8);
        octets.put_u16(channel);
        octets.put_u32(u32::try_from(payload.len()).unwrap());
        octets.extend(payload);
        octets.put_u8(0xce);
        encode_body(channel, body, self.payload_max, &mut octets);
        self.send_octets(&octets).await;
    }

    /// The next frames on `channel` are method `M` and its content.
    pub(crate) async fn expect_content<M: Expected>(&mut self, channel: u16) -> (M, Content) {
        let method = self.expect(channel).await;
        (method, self.content(channel).await)
    }

    pub(crate) async fn expect_delivery(&mut self, channel: u16) -> (basic::Deliver, Content) {
        self.expect_content(channel).await
    }

    async fn content(&mut self, channel: u16) -> Content {
        let header = match self.frame().await {
            Frame::Header { channel: found, header } if found == channel => header,
            other => panic!("a content header on channel {channel} was expected: {other:?}"),
        };
        let (mut body, mut pieces) = (Vec::new(), Vec::new());
        while u64::try_from(body.len()).unwrap() < header.body_size {
            match self.frame().await {
                Frame::Body { channel: found, payload } if found == channel => {
                    pieces.push(payload.len());
                    body.extend(payload);
                }
                other => panic!("a body on channel {channel} was expected: {other:?}"),
            }
        }
        Content { properties: header.properties, body, pieces }
    }
}

/// The fields of a table in tables, so many in all.
pub(crate) fn nested(depth: usize) -> Vec<u8> {
    let inner = (1..depth).rev().map(|level| u32::try_from((level - 1) * 7).unwrap());
    inner.flat_map(|length| [&b"\x01aF"[..], &length.to_be_bytes()].concat()).collect()
}

/// A method, its header and its body as frames.
pub(crate) fn content_frames(
    channel: u16,
    method: impl Into<Method>,
    properties: BasicProperties,
    body: &[u8],
    payload_max: u32,
) -> Vec<Frame> {
    let body_size = u64::try_from(body.len()).unwrap();
    let mut frames = vec![
        Frame::method(channel, method),
        Frame::Header { channel, header: ContentHeader { body_size, properties } },
    ];
    let pieces = body.chunks(usize::try_from(payload_max).unwrap());
    frames.extend(
        pieces.map(|piece| Frame::Body { channel, payload: Bytes::copy_from_slice(piece) }),
    );
    frames
}

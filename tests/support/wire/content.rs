//! Messages: methods with content, and the frames that the content is.

use bytes::Bytes;
use leveret_codec::{BasicProperties, ContentHeader, Frame, Method, ShortStr, basic};

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

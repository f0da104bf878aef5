//! [`Emitted`]: what one end sends has to be valid, octet by octet.

use std::collections::BTreeMap;

use bytes::BytesMut;
use leveret_codec::{Frame, ProtocolHeader};

/// Follows what one end sends.
#[derive(Default)]
pub(crate) struct Emitted {
    /// The peer is a client, and has sent its protocol header.
    greeted: bool,
    /// Channels within content, with the octets of body that are missing; before the header, none.
    content: BTreeMap<u16, Option<u64>>,
}

impl Emitted {
    /// A client's, which begins with the protocol header.
    pub(crate) fn of_client() -> Self {
        Self::default()
    }

    /// A broker's. With the protocol header it refuses another.
    pub(crate) fn of_broker() -> Self {
        Self { greeted: true, ..Self::default() }
    }

    /// Reads whole frames of at most `frame_max` octets, each encoded as it should be, with content
    /// in its order and to its end.
    pub(crate) fn read(&mut self, mut octets: BytesMut, frame_max: usize) -> Vec<Frame> {
        if !self.greeted && !octets.is_empty() {
            let header = octets.split_to(8);
            assert_eq!(ProtocolHeader::decode(&header), Some(ProtocolHeader::AMQP_0_9_1));
            self.greeted = true;
        }
        let mut frames = Vec::new();
        while !octets.is_empty() {
            let whole = octets.clone();
            let frame = match Frame::decode(&mut octets, u32::MAX) {
                Ok(Some(frame)) => frame,
                Ok(None) => panic!("half a frame was sent: {}", whole.escape_ascii()),
                Err(error) => panic!("no frame was sent: {error}: {}", whole.escape_ascii()),
            };
            let sent = &whole[..whole.len() - octets.len()];
            assert!(sent.len() <= frame_max, "more than {frame_max} octets: {frame:?}");
            let mut encoded = BytesMut::new();
            frame.encode(&mut encoded);
            assert_eq!(encoded, sent);
            self.in_order(&frame);
            frames.push(frame);
        }
        assert!(self.content.is_empty(), "content without its end: {:?}", self.content);
        frames
    }

    /// On one channel, nothing comes between a method, its header and the whole of its body.
    fn in_order(&mut self, frame: &Frame) {
        match frame {
            Frame::Heartbeat => {}
            Frame::Method { channel, method } => {
                let before = self.content.remove(channel);
                assert_eq!(before, None, "{} within content", method.name());
                if method.carries_content() {
                    self.content.insert(*channel, None);
                }
            }
            Frame::Header { channel, header } => {
                let before = self.content.remove(channel);
                assert_eq!(before, Some(None), "a content header out of order");
                if header.body_size > 0 {
                    self.content.insert(*channel, Some(header.body_size));
                }
            }
            Frame::Body { channel, payload } => {
                let missing = self.content.remove(channel).flatten();
                let Some(missing) = missing else { panic!("a body out of order") };
                assert!(!payload.is_empty(), "a body frame without a body");
                let left = missing.checked_sub(payload.len() as u64);
                match left.expect("a body no longer than announced") {
                    0 => {}
                    left => _ = self.content.insert(*channel, Some(left)),
                }
            }
        }
    }
}

//! [`Emitted`]: what one end sends has to be valid, octet by octet.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use leveret_codec::{ContentHeader, Frame, FrameKind, Problem, ProtocolHeader, RawFrame};

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

    /// As [`read`](Self::read), of a broker: what its clients have published may be headers that nest
    /// deeper than the codec reads. They are left out.
    pub(crate) fn read_passed_on(&mut self, octets: BytesMut, frame_max: usize) -> Vec<Frame> {
        let mut readable = BytesMut::new();
        let mut rest = octets;
        while !rest.is_empty() {
            let whole = rest.clone();
            match RawFrame::decode(&mut rest, |_| u32::MAX) {
                Ok(Some(RawFrame { kind: FrameKind::Header, channel, payload }))
                    if is_too_deep(&payload) =>
                {
                    let (header, _) = ContentHeader::decode_without_headers(&payload)
                        .expect("nothing but its depth is wrong with it");
                    Frame::Header { channel, header }.encode(&mut readable);
                }
                Ok(Some(_)) => readable.extend_from_slice(&whole[..whole.len() - rest.len()]),
                other => panic!("no frame was sent: {other:?}: {}", whole.escape_ascii()),
            }
        }
        self.read(readable, frame_max)
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
            self.follow(&frame);
            frames.push(frame);
        }
        assert!(self.content.is_empty(), "content without its end: {:?}", self.content);
        frames
    }

    /// On one channel, nothing comes between a method, its header and the whole of its body.
    fn follow(&mut self, frame: &Frame) {
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

fn is_too_deep(payload: &Bytes) -> bool {
    ContentHeader::decode(payload)
        .is_err_and(|error| matches!(error.problem(), Problem::TooDeep { .. }))
}

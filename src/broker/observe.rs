//! [`ObservedFrame`]: what went over a connection, to be looked at afterwards.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use bytes::BytesMut;
use leveret_codec::{Frame, ProtocolHeader};

use super::describe::Described;
use super::unread::Unread;

/// Which way a frame went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The client sent it.
    FromClient,
    /// The client was sent it.
    ToClient,
}

/// A frame that went over a connection.
///
/// It shows as one line, without passwords and without the body's octets:
///
/// ```
/// use leveret::broker::{Direction, ObservedFrame};
/// use leveret_codec::{Frame, ShortStr, basic};
///
/// let publish = basic::Publish {
///     routing_key: ShortStr::from_static("ping"),
///     mandatory: true,
///     ..Default::default()
/// };
/// let frame = ObservedFrame {
///     direction: Direction::FromClient,
///     frame: Frame::method(1, publish),
/// };
/// assert_eq!(frame.to_string(), r#"client -> 1 basic.publish ""/"ping" mandatory"#);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ObservedFrame {
    /// Which way it went.
    pub direction: Direction,
    /// The frame.
    pub frame: Frame,
}

impl ObservedFrame {
    /// The name of the method that it is, such as "basic.publish", if it is one.
    pub fn method_name(&self) -> Option<&'static str> {
        match &self.frame {
            Frame::Method { method, .. } => Some(method.name()),
            _ => None,
        }
    }
}

impl fmt::Display for ObservedFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.direction, Described(&self.frame))
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FromClient => "client ->",
            Self::ToClient => "client <-",
        })
    }
}

/// The frames of a connection, oldest first. It shows as a line a frame.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Transcript {
    /// The frames that are kept.
    pub frames: Vec<ObservedFrame>,
    /// How many older ones are not kept any more.
    pub dropped: u64,
    /// Where frames ended and other octets began: what was wrong, and with which side's octets.
    pub undecodable: Vec<(Direction, String)>,
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.dropped > 0 {
            writeln!(f, "({} older frames are not kept)", self.dropped)?;
        }
        for frame in &self.frames {
            writeln!(f, "{frame}")?;
        }
        for (direction, problem) in &self.undecodable {
            writeln!(f, "{direction} octets that are no frames: {problem}")?;
        }
        Ok(())
    }
}

/// Who is told of all octets, as they pass: connection, direction, octets.
#[derive(Clone)]
pub(super) struct Observer(pub(super) Arc<See>);

type See = dyn Fn(u64, Direction, &[u8]) + Send + Sync;

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}

/// The most frames kept of a connection.
const MAX_FRAMES: usize = 10_000;

/// The most octets kept of a connection, in frames or waiting to be one.
const MAX_OCTETS: usize = 16 << 20;

/// Decodes and keeps what passes over one connection.
#[derive(Debug, Default)]
pub(super) struct FrameLog {
    /// Each with its size.
    frames: VecDeque<(usize, ObservedFrame)>,
    octets: usize,
    dropped: u64,
    from_client: Pending,
    to_client: Pending,
}

/// One direction's octets that are no whole frame yet.
#[derive(Debug, Default)]
struct Pending {
    octets: Unread,
    begun: bool,
    problem: Option<String>,
}

impl FrameLog {
    pub(super) fn pass(&mut self, direction: Direction, octets: &[u8]) {
        let pending = match direction {
            Direction::FromClient => &mut self.from_client,
            Direction::ToClient => &mut self.to_client,
        };
        if pending.problem.is_none() {
            pending.octets.0.extend_from_slice(octets);
        }
        while let Some((size, frame)) = pending.next() {
            self.octets = self.octets.saturating_add(size);
            self.frames.push_back((size, ObservedFrame { direction, frame }));
        }
        while self.frames.len() > MAX_FRAMES || self.octets > MAX_OCTETS {
            let Some((size, _)) = self.frames.pop_front() else { return };
            self.octets = self.octets.saturating_sub(size);
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    pub(super) fn transcript(&self) -> Transcript {
        let sides =
            [(Direction::FromClient, &self.from_client), (Direction::ToClient, &self.to_client)];
        let undecodable = sides
            .into_iter()
            .filter_map(|(direction, pending)| Some((direction, pending.problem.clone()?)));
        Transcript {
            frames: self.frames.iter().map(|(_, frame)| frame.clone()).collect(),
            dropped: self.dropped,
            undecodable: undecodable.collect(),
        }
    }
}

impl Pending {
    /// The next frame and its size on the wire.
    fn next(&mut self) -> Option<(usize, Frame)> {
        let Unread(octets) = &mut self.octets;
        if !self.begun && ProtocolHeader::could_begin(octets) {
            ProtocolHeader::decode(octets)?;
            let _ = octets.split_to(8);
        }
        self.begun |= !octets.is_empty();
        let before = octets.len();
        match Frame::decode(octets, u32::try_from(MAX_OCTETS).unwrap_or(u32::MAX)) {
            Ok(frame) => Some((before.saturating_sub(octets.len()), frame?)),
            Err(error) => {
                self.problem = Some(error.to_string());
                *octets = BytesMut::new();
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use leveret_codec::basic;

    use super::*;
    use crate::testing::on;

    fn encoded(frame: &Frame) -> BytesMut {
        let mut octets = BytesMut::new();
        frame.encode(&mut octets);
        octets
    }

    #[test]
    fn the_oldest_frames_go_first() {
        let mut log = FrameLog::default();
        for delivery_tag in 0..10_002 {
            let ack = basic::Ack { delivery_tag, multiple: false };
            log.pass(Direction::FromClient, &encoded(&on(1, ack)));
        }
        let transcript = log.transcript();
        assert_eq!((transcript.frames.len(), transcript.dropped), (10_000, 2));
        assert!(transcript.to_string().starts_with(
            "(2 older frames are not kept)\nclient -> 1 basic.ack #2\nclient -> 1 basic.ack #3\n"
        ));
    }

    #[test]
    fn large_bodies_are_not_kept_without_end() {
        let mut log = FrameLog::default();
        let body = encoded(&Frame::Body { channel: 1, payload: vec![0; 1 << 20].into() });
        (0..20).for_each(|_| log.pass(Direction::ToClient, &body));
        assert_eq!((log.transcript().frames.len(), log.transcript().dropped), (15, 5));
    }

    #[test]
    fn octets_that_are_no_frames_are_told_and_the_other_side_goes_on() {
        let mut log = FrameLog::default();
        log.pass(Direction::ToClient, b"HTTP/1.1 400 Bad Request\r\n");
        log.pass(Direction::ToClient, &encoded(&Frame::Heartbeat));
        log.pass(Direction::FromClient, b"AMQP\0\0");
        log.pass(Direction::FromClient, b"\x09\x01");
        log.pass(Direction::FromClient, &encoded(&Frame::Heartbeat));
        let transcript = log.transcript();
        assert_eq!(transcript.frames.len(), 1);
        let text = transcript.to_string();
        assert!(text.starts_with("client -> 0 heartbeat\nclient <- octets that are no"), "{text}");
    }
}

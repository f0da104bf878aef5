//! [`Unreadable`]: messages that are read past instead of taken.

use alloc::string::ToString;

use bytes::{Buf, BytesMut};
use leveret_codec::{
    ContentHeader, DecodeError, FRAME_END, FRAME_HEADER_SIZE, FrameKind, Problem, RawFrame,
    ReplyCode,
};

use super::{Connection, State, Violation};

/// Why a message that arrived was not taken. Whoever published it is to blame, not the broker: the
/// connection goes on behind it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// Its headers are no table, or one that nests deeper than
    /// [`FieldTable::MAX_DEPTH`](leveret_codec::FieldTable::MAX_DEPTH). RabbitMQ passes on tables of
    /// any depth.
    #[error("its headers cannot be read: {0}")]
    Headers(DecodeError),
    /// Its properties, headers included, are larger than
    /// [`max_received_frame`](super::Config::max_received_frame). Nothing of them is known.
    #[error("its properties have {size} octets, the limit is {limit}")]
    PropertiesTooLarge {
        /// Octets of the content header.
        size: u32,
        /// The limit in octets.
        limit: u32,
    },
    /// Its body is larger than [`max_body_size`](super::Config::max_body_size).
    #[error("its body has {size} octets, the limit is {limit}")]
    BodyTooLarge {
        /// Octets of the body.
        size: u64,
        /// The limit in octets.
        limit: u64,
    },
}

/// A content header that is larger than we take, of which the beginning has been read.
#[derive(Debug)]
pub(super) struct Oversized {
    /// Octets of payload to come.
    missing: usize,
}

impl Oversized {
    /// Reads past what has come. Whether that was all of it.
    fn read_past(&mut self, input: &mut BytesMut) -> Result<bool, Violation> {
        let here = self.missing.min(input.len());
        input.advance(here);
        self.missing = self.missing.saturating_sub(here);
        let Some(&end) = input.first() else { return Ok(false) };
        if end != FRAME_END {
            let text = Problem::BadFrameEnd { octet: end }.to_string();
            return Err(Violation::new(ReplyCode::FRAME_ERROR, text));
        }
        input.advance(1);
        Ok(true)
    }
}

/// The largest body that RabbitMQ can be configured to take, in octets: 512 MiB. Whoever announces
/// more, be it in a body or in a content header, is not passing on what somebody has published.
const CEILING: u64 = 512 << 20;

/// Octets of a content header up to its body size, which is what matters here.
const BEGINNING: usize = 12;

impl Connection {
    /// The next frame that is small enough to be looked at.
    pub(super) fn next_frame(
        &mut self,
        input: &mut BytesMut,
    ) -> Result<Option<RawFrame>, Violation> {
        loop {
            if let Some(mut oversized) = self.oversized.take()
                && !oversized.read_past(input)?
            {
                self.oversized = Some(oversized);
                return Ok(None);
            }
            match RawFrame::decode(input, |kind| self.max_payload(kind)) {
                Err(error) if self.is_due(input, &error) => {
                    if input.len() < FRAME_HEADER_SIZE.saturating_add(BEGINNING) {
                        return Ok(None);
                    }
                    self.begin_oversized(input, &error)?;
                }
                frame => return Ok(frame?),
            }
        }
    }

    /// The largest body that an honest broker may announce.
    pub(super) fn body_ceiling(&self) -> u64 {
        CEILING.max(self.config.max_body_size)
    }

    /// Whether what is too large is a content header where one is due, and one that could be honest.
    fn is_due(&mut self, input: &BytesMut, error: &DecodeError) -> bool {
        let &[kind, high, low, ..] = &**input else { return false };
        let channel = self.channels.get_mut(u16::from_be_bytes([high, low]));
        let size = match error.problem() {
            Problem::FrameTooLarge { size, .. } => u64::from(*size),
            _ => return false,
        };
        self.state == State::Open
            && kind == FrameKind::Header as u8
            && size <= CEILING
            && channel.is_some_and(|channel| channel.lets_header_come())
    }

    /// Takes the beginning of a content header that is too large: how much body will follow.
    fn begin_oversized(
        &mut self,
        input: &mut BytesMut,
        error: &DecodeError,
    ) -> Result<(), Violation> {
        let &Problem::FrameTooLarge { size, limit } = error.problem() else { return Ok(()) };
        let frame_header = input.split_to(FRAME_HEADER_SIZE);
        let mut beginning = input.split_to(BEGINNING);
        // With flags that say that nothing follows, it is a header of its own.
        beginning.extend_from_slice(&[0, 0]);
        let announced = usize::try_from(size).unwrap_or(usize::MAX);
        self.oversized = Some(Oversized { missing: announced.saturating_sub(BEGINNING) });
        let ContentHeader { body_size, .. } = ContentHeader::decode(&beginning.freeze())?;
        let channel = frame_header.get(1..).and_then(|octets| octets.first_chunk());
        let channel = u16::from_be_bytes(*channel.unwrap_or(&[0, 0]));
        let unreadable = Unreadable::PropertiesTooLarge { size, limit };
        let ceiling = self.body_ceiling();
        let read = |_: &mut _| Ok::<_, Violation>((body_size, Some(unreadable)));
        self.handle_content(channel, |channel| channel.header(read, ceiling))
    }
}

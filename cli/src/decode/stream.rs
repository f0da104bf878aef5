//! [`Stream`]: one direction of a connection, cut into frames as its octets come.

use std::fmt;

use bytes::{Buf, BytesMut};
use leveret_codec::{FRAME_HEADER_SIZE, Frame, ProtocolHeader, RawFrame};

/// What a direction consists of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Unit {
    ProtocolHeader(ProtocolHeader),
    Frame(Frame),
}

/// Octets that are no frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Garbage {
    /// Of the octet at fault, counted from the beginning of the direction.
    pub(crate) offset: u64,
    /// What is wrong with it, without showing any of the octets around it: they may be a password.
    pub(crate) reason: String,
}

#[derive(Debug, Default)]
pub(crate) struct Stream {
    rest: BytesMut,
    /// Of the first octet of `rest`.
    offset: u64,
}

impl Stream {
    pub(crate) fn push(&mut self, octets: &[u8]) {
        self.rest.extend_from_slice(octets);
    }

    /// The next unit that is there as a whole, and where it begins.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, Unit)>, Garbage> {
        let (start, length) = (self.offset, self.rest.len());
        let unit = self.take().map_err(|error| {
            let payload = if error.subject() == "frame" { 0 } else { FRAME_HEADER_SIZE };
            let at = count(payload.saturating_add(error.offset()));
            Garbage { offset: start.saturating_add(at), reason: error.to_string() }
        })?;
        self.offset = start.saturating_add(count(length.saturating_sub(self.rest.len())));
        Ok(unit.map(|unit| (start, unit)))
    }

    fn take(&mut self) -> Result<Option<Unit>, leveret_codec::DecodeError> {
        // No frame begins like it, so it is told from one wherever it is.
        if ProtocolHeader::could_begin(&self.rest) {
            let Some(header) = ProtocolHeader::decode(&self.rest) else { return Ok(None) };
            self.rest.advance(8);
            return Ok(Some(Unit::ProtocolHeader(header)));
        }
        // What the peers have agreed on is not known here.
        let raw = RawFrame::decode(&mut self.rest, |_| u32::MAX)?;
        raw.map(|raw| Frame::try_from(raw).map(Unit::Frame)).transpose()
    }

    /// Nothing more comes: there may be no half of anything.
    pub(crate) fn finish(&self) -> Result<(), Garbage> {
        let there = self.rest.len();
        if there == 0 {
            return Ok(());
        }
        let reason = match self.rest.get(3..FRAME_HEADER_SIZE).map(<[u8; 4]>::try_from) {
            _ if ProtocolHeader::could_begin(&self.rest) => {
                format!("the protocol header is cut off: {there} octets of 8 are there")
            }
            Some(Ok(size)) => {
                let whole = u64::from(u32::from_be_bytes(size)).saturating_add(8);
                format!("the frame is cut off: {there} octets of {whole} are there")
            }
            _ => format!("the frame is cut off: {there} octets of its first seven are there"),
        };
        Err(Garbage { offset: self.offset, reason })
    }
}

impl fmt::Display for Garbage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "offset {} (0x{:x}): {}", self.offset, self.offset, self.reason)
    }
}

fn count(octets: usize) -> u64 {
    u64::try_from(octets).unwrap_or(u64::MAX)
}

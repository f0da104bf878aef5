//! [`Whole`]: a delivery that lies in the read buffer from its first octet to its last.
//!
//! Most deliveries do: three small frames, one behind the other. Whoever takes one from where it lies
//! needs none of the states in which a channel waits for the rest of a message. What is in any way out
//! of the ordinary is nobody's business here, and left to the [frames](super::frames).

use leveret_codec::{ContentHeaderRef, DeliverRef, FrameKind, FrameRef};

use super::frames::SMALL;
use super::{Connection, State};

/// A delivery on a channel where it has a place, of a size that is within all limits. Its properties
/// have not been looked at.
#[derive(Debug, Clone, Copy)]
pub struct Whole<'a> {
    pub(crate) channel: u16,
    pub(crate) deliver: DeliverRef<'a>,
    /// Flags and values.
    pub(crate) properties: &'a [u8],
    pub(crate) body: &'a [u8],
    /// Octets of its frames.
    pub(crate) encoded_len: usize,
}

impl Connection {
    /// The delivery at the front of `input`, if it is there as a whole, and nothing that was read
    /// before is still to be told.
    #[inline]
    pub(crate) fn whole_delivery<'a>(&self, input: &'a [u8]) -> Option<Whole<'a>> {
        if self.state != State::Open || self.oversized.is_some() || !self.events.is_empty() {
            return None;
        }
        let (method, rest) = small_frame(input)?;
        let channel = method.channel;
        if method.kind != FrameKind::Method || !self.channels.takes_method(channel) {
            return None;
        }
        let deliver = DeliverRef::decode(method.payload).ok()??;
        let (header, mut rest) = small_frame(rest)?;
        if (header.kind, header.channel) != (FrameKind::Header, channel) {
            return None;
        }
        let ContentHeaderRef { body_size, properties } =
            ContentHeaderRef::decode(header.payload).ok()?;
        let mut body: &[u8] = &[];
        if body_size > 0 {
            let (frame, behind) = small_frame(rest)?;
            if (frame.kind, frame.channel) != (FrameKind::Body, channel) {
                return None;
            }
            (body, rest) = (frame.payload, behind);
        }
        let size = u64::try_from(body.len()).unwrap_or(u64::MAX);
        if size != body_size || size > self.config.max_body_size {
            return None;
        }
        let encoded_len = input.len().saturating_sub(rest.len());
        Some(Whole { channel, deliver, properties, body, encoded_len })
    }
}

/// A frame that is there as a whole, and what is behind it.
#[inline]
fn small_frame(input: &[u8]) -> Option<(FrameRef<'_>, &[u8])> {
    let frame = FrameRef::decode(input, |_| SMALL).ok()??;
    Some((frame, input.get(frame.encoded_len()..)?))
}

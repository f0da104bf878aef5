//! [`Templates`]: what all requests to a queue have in common, written once.
//!
//! Requests to a queue that are given no properties differ in their body, ids and time alone:
//!
//! ```text
//!  basic.publish   content header
//! ┌─────────────┬────────────────────────────────────────────────────────────────────────────────┐
//! │ queue, bits │ body size, flags, mode, correlation-id, reply-to, expiration, message-id        │
//! └─────────────┴───── ▲ ──────────────────────── ▲ ────────────────── ▲ ────────── ▲ ────────────┘
//!                      └── put in place ──────────┘          if it is another       └── put in place
//! ```
//!
//! Then all of it is copied.

use alloc::vec::Vec;

use bytes::{BufMut, BytesMut};
use leveret_codec::{BasicProperties, FRAME_END, FRAME_HEADER_SIZE, ShortStr, encode_header};

use super::calls::Outgoing;
use super::correlation::{self, CorrelationId};
use super::sending::{Decimal, dress, to};

/// By queue, for one channel.
#[derive(Debug, Default)]
pub(super) struct Templates {
    channel: u16,
    by_queue: Vec<(ShortStr, Template)>,
    /// Where the last one stands. The next request is most often to the same queue.
    last: usize,
}

/// Requests to further queues are written in full.
const MAX_TEMPLATES: usize = 64;

impl Templates {
    /// What is common to requests like this on the channel. `None`: it is to be written in full.
    #[inline]
    pub(super) fn get(&mut self, channel: u16, outgoing: &Outgoing) -> Option<&mut Template> {
        let Outgoing { exchange, routing_key, properties, .. } = outgoing;
        if !exchange.is_empty() || !properties.is_unset() {
            return None;
        }
        let is_for_queue = |(queue, _): &(ShortStr, Template)| queue == routing_key;
        if channel != self.channel || !self.by_queue.get(self.last).is_some_and(is_for_queue) {
            self.last = self.place_of(channel, routing_key)?;
        }
        self.by_queue.get_mut(self.last).map(|(_, template)| template)
    }

    fn place_of(&mut self, channel: u16, queue: &ShortStr) -> Option<usize> {
        if channel != self.channel {
            *self = Self { channel, ..Self::default() };
        }
        let found = self.by_queue.iter().position(|(known, _)| known == queue);
        if found.is_none() && self.by_queue.len() < MAX_TEMPLATES {
            self.by_queue.push((queue.clone(), Template::new(self.channel, queue)));
            return self.by_queue.len().checked_sub(1);
        }
        found
    }
}

/// Method and header of a request, as the last one had them.
#[derive(Debug)]
pub(super) struct Template {
    octets: BytesMut,
    /// Where its content header begins.
    header_at: usize,
    /// Where its expiration begins: the octet that counts its digits.
    expiration_at: usize,
    /// In milliseconds.
    expiration: u64,
}

/// Where the size of the body is in the content header's frame: behind class and weight.
const BODY_SIZE: usize = FRAME_HEADER_SIZE + 4;

/// Where the correlation-id is there: behind flags, mode and its own length.
const CORRELATION_ID: usize = BODY_SIZE + 8 + 4;

/// The end of the correlation-id there.
const CORRELATION_ID_END: usize = CORRELATION_ID + correlation::LENGTH;

/// Octets of the message-id and the end of the frame.
const MESSAGE_ID_AND_END: usize = correlation::LENGTH + 1;

impl Template {
    fn new(channel: u16, queue: &ShortStr) -> Self {
        let mut properties = BasicProperties::EMPTY;
        dress(&mut properties, &[b'0'; correlation::LENGTH], 0);
        let mut octets = BytesMut::new();
        to(ShortStr::EMPTY, queue.clone()).encode_frame(channel, &mut octets);
        let header_at = octets.len();
        encode_header(channel, 0, &properties, &mut octets);
        // One digit, and the octets that count it and the message-id.
        let expiration_at = octets.len().saturating_sub(MESSAGE_ID_AND_END).saturating_sub(3);
        Self { octets, header_at, expiration_at, expiration: 0 }
    }

    /// Appends method and header of a request.
    #[inline]
    pub(super) fn write(
        &mut self,
        correlation_id: &CorrelationId,
        expiration: u64,
        body_size: u64,
        out: &mut BytesMut,
    ) {
        // Most requests are sent at once, and have their whole timeout.
        if expiration != self.expiration {
            self.expire_after(expiration);
        }
        let header = self.octets.get_mut(self.header_at..).unwrap_or_default();
        if let Some(header) = header.first_chunk_mut::<CORRELATION_ID_END>() {
            put(header, BODY_SIZE, &body_size.to_be_bytes());
            put(header, CORRELATION_ID, correlation_id);
        }
        if let Some(message_id) = header.last_chunk_mut::<MESSAGE_ID_AND_END>() {
            put(message_id, 0, correlation_id);
        }
        out.put_slice(&self.octets);
    }

    #[cold]
    fn expire_after(&mut self, milliseconds: u64) {
        let expiration = Decimal::new(milliseconds);
        let digits = expiration.as_bytes();
        self.octets.truncate(self.expiration_at);
        // At most 20.
        self.octets.put_u8(u8::try_from(digits.len()).unwrap_or(u8::MAX));
        self.octets.put_slice(digits);
        self.octets.put_u8(correlation::LENGTH as u8);
        self.octets.put_bytes(b'0', correlation::LENGTH);
        self.octets.put_u8(FRAME_END);
        self.expiration = milliseconds;

        let header = self.octets.get_mut(self.header_at..).unwrap_or_default();
        let size = header.len().saturating_sub(FRAME_HEADER_SIZE).saturating_sub(1);
        put(header, 3, &u32::try_from(size).unwrap_or(u32::MAX).to_be_bytes());
    }
}

#[inline(always)]
fn put(octets: &mut [u8], at: usize, what: &[u8]) {
    if let Some(place) = octets.get_mut(at..at.saturating_add(what.len())) {
        place.copy_from_slice(what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Properties;
    use alloc::vec;

    fn outgoing(queue: &[u8]) -> Outgoing {
        Outgoing { routing_key: ShortStr::copied(queue).unwrap(), ..Outgoing::default() }
    }

    #[test]
    fn a_request_is_written_as_it_is_in_full() {
        let mut templates = Templates::default();
        let id = *b"0123456789abcdef-fedcba9876543210";
        for (queue, time) in (0..=255).zip([1, 9, 10, 30_000, u64::MAX].into_iter().cycle()) {
            let (channel, body_size) = (queue / 10 + 1, u64::from(queue) << 33 | 5);
            let outgoing = outgoing(&vec![b'q'; queue.into()]);
            let mut written = BytesMut::from(&b"before"[..]);
            let template = templates.get(channel, &outgoing).unwrap();
            template.write(&id, time, body_size, &mut written);

            let mut in_full = BytesMut::from(&b"before"[..]);
            let mut properties = BasicProperties::EMPTY;
            dress(&mut properties, &id, time);
            to(ShortStr::EMPTY, outgoing.routing_key).encode_frame(channel, &mut in_full);
            encode_header(channel, body_size, &properties, &mut in_full);
            assert_eq!(written, in_full, "{queue} octets");
            assert!(written.len() < 4096, "all of it is within any frame-max");
        }
    }

    #[test]
    fn what_its_user_has_set_is_written_in_full() {
        let mut templates = Templates::default();
        let mut properties = Properties::new();
        properties.priority = Some(1);
        let with_properties = Outgoing { properties, ..outgoing(b"queue") };
        assert!(templates.get(1, &with_properties).is_none());
        let exchange = ShortStr::from_static("exchange");
        assert!(templates.get(1, &Outgoing { exchange, ..outgoing(b"queue") }).is_none());
        assert!(templates.get(1, &outgoing(b"queue")).is_some());
    }

    #[test]
    fn there_is_an_end_to_them_and_a_new_beginning_with_a_channel() {
        let mut templates = Templates::default();
        for queue in 0..=255_u8 {
            let is_one_of_the_first = usize::from(queue) < MAX_TEMPLATES;
            assert_eq!(templates.get(1, &outgoing(&[queue])).is_some(), is_one_of_the_first);
        }
        assert!(templates.get(2, &outgoing(&[255])).is_some());
        assert!(templates.get(2, &outgoing(&[0])).is_some());
    }
}

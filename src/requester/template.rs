//! [`Templates`]: what all requests to a queue have in common, written once.
//!
//! Requests to a queue that are given no properties differ in their body, ids and time alone:
//!
//! ```text
//!  basic.publish   content header                                                             body
//! ┌─────────────┬─────────────────────────────────────────────────┬─────────────────────────┬──────┐
//! │ queue, bits │ sizes, flags, mode, correlation-id, reply-to    │ expiration, message-id  │      │
//! └─────────────┴─────────────────────────────────────────────────┴─────────────────────────┴──────┘
//!  └── copied, then sizes and correlation-id are put in place ───┘ └── written ─────────────────────┘
//! ```

use alloc::vec::Vec;

use bytes::{BufMut, BytesMut};
use leveret_codec::{BasicProperties, FRAME_END, FRAME_HEADER_SIZE, ShortStr, encode_header};

use super::calls::Outgoing;
use super::correlation::{self, CorrelationId};
use super::sending::{Decimal, dress, to};
use crate::message::REPLY_TO_NAME;

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
    pub(super) fn get(&mut self, channel: u16, outgoing: &Outgoing) -> Option<&Template> {
        let Outgoing { exchange, routing_key, properties, .. } = outgoing;
        if !exchange.is_empty() || !properties.is_unset() {
            return None;
        }
        if channel != self.channel {
            *self = Self { channel, ..Self::default() };
        }
        if self.by_queue.get(self.last).is_none_or(|(queue, _)| queue != routing_key) {
            self.last = self.place_of(routing_key)?;
        }
        self.by_queue.get(self.last).map(|(_, template)| template)
    }

    fn place_of(&mut self, queue: &ShortStr) -> Option<usize> {
        let found = self.by_queue.iter().position(|(known, _)| known == queue);
        if found.is_none() && self.by_queue.len() < MAX_TEMPLATES {
            self.by_queue.push((queue.clone(), Template::new(self.channel, queue)));
            return self.by_queue.len().checked_sub(1);
        }
        found
    }
}

/// The beginning of a request, up to its reply-to.
#[derive(Debug)]
pub(super) struct Template {
    octets: BytesMut,
    /// Where its content header begins.
    header_at: usize,
}

/// Octets of the message-id and the end of the frame.
const AFTER_EXPIRATION: usize = 1 + correlation::LENGTH + 1;

/// Octets of the reply-to.
const AFTER_CORRELATION_ID: usize = 1 + REPLY_TO_NAME.len();

impl Template {
    fn new(channel: u16, queue: &ShortStr) -> Self {
        let mut properties = BasicProperties::EMPTY;
        dress(&mut properties, &[b'0'; correlation::LENGTH], Decimal::new(0));
        let mut octets = BytesMut::new();
        to(ShortStr::EMPTY, queue.clone()).encode_frame(channel, &mut octets);
        let header_at = octets.len();
        encode_header(channel, 0, &properties, &mut octets);
        // An expiration of one digit, and what follows, is left to each request.
        octets.truncate(octets.len().saturating_sub(AFTER_EXPIRATION).saturating_sub(2));
        Self { octets, header_at }
    }

    /// Appends method and header of a request.
    pub(super) fn write(
        &self,
        correlation_id: &CorrelationId,
        expiration: Decimal,
        body_size: u64,
        out: &mut BytesMut,
    ) {
        let expiration = expiration.as_bytes();
        let start = out.len();
        out.put_slice(&self.octets);
        // At most 20 digits.
        out.put_u8(u8::try_from(expiration.len()).unwrap_or(u8::MAX));
        out.put_slice(expiration);
        out.put_u8(u8::try_from(correlation_id.len()).unwrap_or(u8::MAX));
        out.put_slice(correlation_id);
        out.put_u8(FRAME_END);

        let size =
            self.octets.len().saturating_sub(self.header_at).saturating_sub(FRAME_HEADER_SIZE);
        let size = size.saturating_add(expiration.len()).saturating_add(AFTER_EXPIRATION);
        let header = start.saturating_add(self.header_at);
        put(out, header.saturating_add(3), &u32::try_from(size).unwrap_or(u32::MAX).to_be_bytes());
        // Behind class and weight.
        let body_size_at = header.saturating_add(FRAME_HEADER_SIZE).saturating_add(4);
        put(out, body_size_at, &body_size.to_be_bytes());
        let id_end = start.saturating_add(self.octets.len()).saturating_sub(AFTER_CORRELATION_ID);
        put(out, id_end.saturating_sub(correlation::LENGTH), correlation_id);
    }
}

#[inline]
fn put(out: &mut BytesMut, at: usize, octets: &[u8]) {
    if let Some(place) = out.get_mut(at..at.saturating_add(octets.len())) {
        place.copy_from_slice(octets);
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
            template.write(&id, Decimal::new(time), body_size, &mut written);

            let mut in_full = BytesMut::from(&b"before"[..]);
            let mut properties = BasicProperties::EMPTY;
            dress(&mut properties, &id, Decimal::new(time));
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

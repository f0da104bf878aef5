//! [`Channel`]: what the broker keeps of a channel.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use bytes::Bytes;
use leveret_codec::{BasicProperties, FieldTable, ShortStr};

use super::assembly::Assembly;
use crate::Instant;

/// What a publisher sends.
#[derive(Debug, Clone, Default)]
pub(super) struct Content {
    pub(super) properties: BasicProperties,
    /// The headers, where they are too deep to be among the properties.
    pub(super) deep_headers: Option<Bytes>,
    pub(super) body: Bytes,
    /// The size that was announced: one that is too large is not kept.
    pub(super) body_size: u64,
}

/// A message in a queue, or on its way.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) exchange: ShortStr,
    pub(super) routing_key: ShortStr,
    pub(super) content: Content,
    pub(super) redelivered: bool,
    /// When it is not to be delivered any more.
    pub(super) expires: Option<Instant>,
    /// The queues in which it has expired, since it was last rejected.
    pub(super) died_in: Vec<ShortStr>,
    /// Its place in the queue's order, which it keeps when it comes back.
    pub(super) position: u64,
}

impl Message {
    /// What it takes to keep, roughly.
    pub(super) fn octets(&self) -> usize {
        const EACH: usize = 512;
        let Content { properties, deep_headers, body, .. } = &self.content;
        let headers = properties.headers.as_ref().map_or(0, FieldTable::encoded_len);
        let deep = deep_headers.as_ref().map_or(0, Bytes::len);
        [headers, deep, EACH].into_iter().fold(body.len(), usize::saturating_add)
    }
}

/// A delivery that awaits its acknowledgement.
#[derive(Debug)]
pub(super) struct Unacknowledged {
    pub(super) queue: ShortStr,
    /// Which of the queues that have had this name.
    pub(super) incarnation: u64,
    /// Empty for one that was got.
    pub(super) consumer_tag: ShortStr,
    pub(super) message: Message,
}

#[derive(Debug, Default)]
pub(super) struct Channel {
    pub(super) assembly: Assembly,
    /// We have sent `channel.close`, and drop everything but the answer.
    pub(super) closing: bool,
    /// Consumers by tag, each with its queue.
    pub(super) consumers: BTreeMap<ShortStr, ShortStr>,
    pub(super) reply_consumer: Option<ReplyConsumer>,
    pub(super) unacknowledged: BTreeMap<u64, Unacknowledged>,
    /// The delivery tag used last.
    pub(super) delivery_tag: u64,
    /// For consumers to come.
    pub(super) prefetch: u16,
    /// For the channel as a whole; 0 is no limit.
    pub(super) shared_prefetch: u16,
    /// Publishes since `confirm.select`.
    pub(super) confirms: Option<u64>,
    /// The queue declared last, which an empty name means.
    pub(super) last_queue: ShortStr,
    /// The number that its addresses have in common.
    pub(super) serial: u32,
}

/// Who gets the replies of this channel's requests.
#[derive(Debug, Clone)]
pub(super) struct ReplyConsumer {
    pub(super) tag: ShortStr,
    pub(super) address: ShortStr,
}

impl Channel {
    pub(super) fn new(serial: u32) -> Self {
        Self { serial, ..Self::default() }
    }

    /// Whether the channel as a whole may have one more delivery to acknowledge.
    pub(super) fn has_room(&self) -> bool {
        let limit = usize::from(self.shared_prefetch);
        limit == 0 || self.unacknowledged.len() < limit
    }

    pub(super) fn next_delivery_tag(&mut self) -> u64 {
        self.delivery_tag = self.delivery_tag.saturating_add(1);
        self.delivery_tag
    }
}

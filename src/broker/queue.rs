//! [`Queue`]: messages that wait, and consumers that wait for them.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use leveret_codec::{FieldTable, FieldValue, ShortStr};

use super::channel::Message;
use super::node::SessionId;
use crate::Instant;

#[derive(Debug)]
pub(super) struct Queue {
    /// Which of the queues of the broker, the same name or not.
    pub(super) incarnation: u64,
    pub(super) durable: bool,
    /// The connection that it belongs to.
    pub(super) exclusive: Option<SessionId>,
    pub(super) auto_delete: bool,
    pub(super) arguments: FieldTable,
    ready: VecDeque<Message>,
    /// What the ready messages take, roughly.
    octets: usize,
    /// The one to be served next comes first.
    pub(super) consumers: VecDeque<Consumer>,
    positions: u64,
    /// When it was last declared, got from or consumed from.
    last_used: Instant,
}

#[derive(Debug)]
pub(super) struct Consumer {
    pub(super) session: SessionId,
    pub(super) channel: u16,
    pub(super) tag: ShortStr,
    pub(super) no_ack: bool,
    pub(super) exclusive: bool,
    /// 0 is no limit.
    pub(super) prefetch: u16,
    pub(super) unacknowledged: u16,
    /// `x-priority`: higher ones are served first.
    pub(super) priority: i64,
}

impl Consumer {
    pub(super) fn is(&self, session: SessionId, channel: u16, tag: &ShortStr) -> bool {
        (self.session, self.channel, &self.tag) == (session, channel, tag)
    }

    fn has_room(&self) -> bool {
        self.no_ack || self.prefetch == 0 || self.unacknowledged < self.prefetch
    }
}

impl Queue {
    pub(super) fn new(
        durable: bool,
        exclusive: Option<SessionId>,
        auto_delete: bool,
        arguments: FieldTable,
        now: Instant,
    ) -> Self {
        Self {
            incarnation: 0,
            durable,
            exclusive,
            auto_delete,
            arguments,
            ready: VecDeque::new(),
            octets: 0,
            consumers: VecDeque::new(),
            positions: 0,
            last_used: now,
        }
    }

    /// An argument that is a whole number, such as `x-message-ttl`.
    pub(super) fn number(&self, argument: &str) -> Option<u64> {
        self.arguments.get(argument)?.as_i64()?.try_into().ok()
    }

    /// Where messages go that expire or are refused, if anywhere: exchange and routing key.
    pub(super) fn dead_letters(&self) -> Option<(ShortStr, Option<ShortStr>)> {
        let name = |argument| match self.arguments.get(argument) {
            Some(FieldValue::LongStr(name)) => ShortStr::new(name.into_bytes()).ok(),
            _ => None,
        };
        Some((name("x-dead-letter-exchange")?, name("x-dead-letter-routing-key")))
    }

    /// Begins the time anew after which an unused queue goes.
    pub(super) fn use_now(&mut self, now: Instant) {
        self.last_used = now;
    }

    /// When the queue goes because nobody uses it (`x-expires`).
    pub(super) fn unused_until(&self) -> Option<Instant> {
        let time = Duration::from_millis(self.number("x-expires")?);
        self.consumers.is_empty().then(|| self.last_used.after(time))
    }

    /// Puts a new message at the end.
    pub(super) fn push(&mut self, mut message: Message) {
        self.positions = self.positions.saturating_add(1);
        message.position = self.positions;
        self.octets = self.octets.saturating_add(message.octets());
        self.ready.push_back(message);
    }

    /// Takes the message in front.
    pub(super) fn pop(&mut self) -> Option<Message> {
        let message = self.ready.pop_front()?;
        self.octets = self.octets.saturating_sub(message.octets());
        Some(message)
    }

    /// Drops every ready message; how many there were.
    pub(super) fn purge(&mut self) -> usize {
        let count = self.ready.len();
        self.ready.clear();
        self.octets = 0;
        count
    }

    /// How many messages are ready.
    pub(super) fn len(&self) -> usize {
        self.ready.len()
    }

    /// What the ready messages take, roughly.
    pub(super) fn octets(&self) -> usize {
        self.octets
    }

    /// When the message in front is not to be delivered any more.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.ready.front()?.expires
    }

    /// Puts a message back where it was. Of many the last in the row comes first: each then finds its
    /// place in front.
    pub(super) fn put_back(&mut self, mut message: Message) {
        message.redelivered = true;
        let place = self.ready.partition_point(|other| other.position < message.position);
        self.octets = self.octets.saturating_add(message.octets());
        self.ready.insert(place, message);
    }

    /// Takes out what is not to be delivered any more, as far as it is in front.
    pub(super) fn take_expired(&mut self, now: Instant) -> Vec<Message> {
        let mut expired = Vec::new();
        while self.next_expiry().is_some_and(|at| at <= now) {
            expired.extend(self.pop());
        }
        expired
    }

    /// The consumer whose turn it is, if a message is there for it. It goes to the end of the row.
    /// Those that `takes` denies get nothing.
    pub(super) fn next_delivery(
        &mut self,
        takes: impl Fn(&Consumer) -> bool,
    ) -> Option<(&mut Consumer, Message)> {
        if self.ready.is_empty() {
            return None;
        }
        let may = |consumer: &Consumer| consumer.has_room() && takes(consumer);
        let free = self.consumers.iter().filter(|consumer| may(consumer));
        let highest = free.map(|consumer| consumer.priority).max()?;
        let turn = self
            .consumers
            .iter()
            .position(|consumer| may(consumer) && consumer.priority == highest)?;
        let message = self.pop()?;
        let consumer = self.consumers.remove(turn)?;
        self.consumers.push_back(consumer);
        Some((self.consumers.back_mut()?, message))
    }
}

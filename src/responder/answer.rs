//! From an answer to the reply on the wire and the end of the request.

use alloc::format;
use alloc::string::String;

use leveret_codec::basic;

use super::Responder;
use super::destination::Destination;
use super::letter::{Letter, Sent};
use super::queue::{Queue, State};
use crate::engine::Engine;
use crate::{Fault, Instant, Reply};

/// A request that has been handed out: where its reply goes, and what is to be acknowledged.
///
/// One that is dropped instead of answered stays unacknowledged: the broker delivers it again when
/// the connection ends.
#[derive(Debug)]
#[must_use = "a request is acknowledged by its answer"]
pub struct Pending {
    pub(super) queue: usize,
    pub(super) generation: u32,
    pub(super) consumer: u32,
    pub(super) delivery_tag: u64,
    pub(super) redelivered: bool,
    /// Where the reply goes, if anybody waits for one.
    pub(super) destination: Option<Destination>,
}

impl Pending {
    #[cfg(feature = "tracing")]
    pub(crate) fn delivery_tag(&self) -> u64 {
        self.delivery_tag
    }
}

/// What a handler came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// A reply. The request is acknowledged.
    Reply(Reply),
    /// A fault. The request is acknowledged: it was run.
    Fault(Fault),
    /// It panicked, with this message. The caller gets a fault, and the request is rejected
    /// without requeue, which lets a dead-letter exchange keep it.
    Panic(String),
}

/// What is left to do for a request when its reply is written.
#[derive(Debug)]
#[must_use = "a request is acknowledged by being settled"]
pub struct Settlement {
    queue: usize,
    generation: u32,
    consumer: u32,
    delivery_tag: u64,
    has_panicked: bool,
    is_settled: bool,
}

impl Responder {
    /// Answers a request: writes the reply, if anybody waits for one, and then acknowledges.
    ///
    /// One exception: a request that was delivered before is acknowledged first. Up to RabbitMQ
    /// 4.0 a forged reply address ends the connection of whoever replies to it, before the broker
    /// comes to the acknowledgement behind it, and the request would go on to do so to every other
    /// server. This way it goes no further than to the second.
    ///
    /// A request whose channel has gone in the meantime is replied to on the next one, and not
    /// acknowledged: the broker has taken it back.
    pub fn answer(&mut self, now: Instant, pending: Pending, answer: Answer) {
        let (letter, settlement) = self.write(pending, answer);
        let sent = match letter {
            Some(letter) => self.send(settlement.queue, letter),
            None => Sent::Nothing,
        };
        self.settle(now, settlement, sent);
    }

    /// The first half of [`answer`](Self::answer), where replies go on another connection: the reply
    /// to be sent there, if anybody waits for one, and what is to be [settled](Self::settle) then.
    pub fn write(&mut self, pending: Pending, answer: Answer) -> (Option<Letter>, Settlement) {
        let Pending { queue, generation, consumer, delivery_tag, redelivered, destination } =
            pending;
        let has_panicked = matches!(answer, Answer::Panic(_));
        let mut settlement = Settlement {
            queue,
            generation,
            consumer,
            delivery_tag,
            has_panicked,
            is_settled: false,
        };
        if redelivered {
            self.acknowledge(&mut settlement);
            self.send_acknowledgements();
        }
        let (reply, is_fault) = match answer {
            Answer::Reply(reply) => (reply, false),
            Answer::Fault(fault) => (fault.into_reply(), true),
            Answer::Panic(message) => (Fault::new(Fault::PANIC, message).into_reply(), true),
        };
        let (reply, is_fault) = self.within_limits(reply, is_fault);
        let letter = destination.map(|destination| Letter { destination, reply, is_fault });
        (letter, settlement)
    }

    /// The second half: the reply is on its way, so the request has ended. One whose reply could not
    /// be sent goes back to its queue.
    pub fn settle(&mut self, now: Instant, mut settlement: Settlement, sent: Sent) {
        if sent == Sent::Failed {
            self.give_back(&settlement);
        } else {
            self.acknowledge(&mut settlement);
        }
        if let Some(queue) = self.queues.get_mut(settlement.queue) {
            queue.answer(settlement.consumer);
        }
        self.count(sent);
        self.stats.panics = self.stats.panics.saturating_add(settlement.has_panicked.into());
        self.close_when_drained(now);
        self.process(now);
    }

    /// Acknowledges a request, or rejects it if its handler has panicked, unless the broker has taken
    /// it back.
    fn acknowledge(&mut self, settlement: &mut Settlement) {
        let Settlement { queue, generation, delivery_tag, has_panicked, .. } = *settlement;
        let Some(queue) = self.queues.get_mut(queue) else { return };
        if queue.generation != generation || core::mem::replace(&mut settlement.is_settled, true) {
            return;
        }
        if has_panicked {
            queue.acknowledgements.end(delivery_tag);
            // After the end of the connection there is nothing to reject.
            let reject = basic::Reject { delivery_tag, requeue: false };
            let _ = self.connection.send(queue.channel, reject);
        } else {
            queue.acknowledgements.settle(delivery_tag);
        }
    }

    fn give_back(&mut self, settlement: &Settlement) {
        let Settlement { queue, generation, delivery_tag, is_settled, .. } = *settlement;
        let Some(queue) = self.queues.get_mut(queue) else { return };
        if queue.generation == generation && !is_settled {
            queue.acknowledgements.end(delivery_tag);
            // After the end of the connection it has gone back by itself.
            let reject = basic::Reject { delivery_tag, requeue: true };
            let _ = self.connection.send(queue.channel, reject);
        }
    }

    /// Sends a reply on its queue's channel, or on that of another queue, or keeps it for the next
    /// channel that is opened.
    fn send(&mut self, index: usize, letter: Letter) -> Sent {
        let own = self.queues.get(index).into_iter();
        // Behind a declaration that the broker refuses, it would not be read.
        let settled = own.chain(&self.queues).filter(|queue| queue.is_settled());
        let mut channels = settled.map(|queue| queue.channel);
        match channels.find(|channel| self.connection.is_channel_open(*channel)) {
            Some(channel) => letter.publish(&mut self.connection, channel),
            None if self.expects_channel() && self.held.push(letter) => Sent::Held,
            None => Sent::Failed,
        }
    }

    /// Whether there will be a channel again.
    fn expects_channel(&self) -> bool {
        let is_under_way = |queue: &Queue| match queue.state {
            State::Resting { .. } => !self.draining,
            _ => !queue.is_settled(),
        };
        self.ended.is_none() && (!self.link.is_ready() || self.queues.iter().any(is_under_way))
    }

    /// A channel has been opened: what was held goes first.
    pub(super) fn send_held(&mut self, channel: u16) {
        while self.connection.is_channel_open(channel)
            && let Some(letter) = self.held.pop()
        {
            let sent = letter.publish(&mut self.connection, channel);
            self.count(sent);
        }
    }

    /// What was held will never be sent.
    pub(super) fn drop_held(&mut self) {
        while self.held.pop().is_some() {
            self.count(Sent::Failed);
        }
    }

    fn count(&mut self, sent: Sent) {
        let counter = match sent {
            Sent::Reply => &mut self.stats.replies,
            Sent::Fault => &mut self.stats.faults,
            Sent::Nothing => &mut self.stats.without_reply_to,
            Sent::Failed => &mut self.stats.unsent,
            Sent::Expired => &mut self.stats.unsent,
            // Counted when it is sent.
            Sent::Held => return,
        };
        *counter = counter.saturating_add(1);
    }

    fn within_limits(&self, reply: Reply, is_fault: bool) -> (Reply, bool) {
        let (size, limit) = (reply.body.len(), self.max_reply_size);
        if size > limit {
            let message = format!("the reply has {size} octets, the server's limit is {limit}");
            return (Fault::new(Fault::REPLY_TOO_LARGE, message).into_reply(), true);
        }
        (reply, is_fault)
    }
}

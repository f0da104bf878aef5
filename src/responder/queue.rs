//! One queue of a server: how it is declared, how far it is, and its requests.

use alloc::string::{String, ToString};
use core::time::Duration;

use leveret_codec::{FieldTable, ReplyCode, ShortStr, basic, queue as method};

use super::Pending;
use super::acknowledgements::Acknowledgements;
use crate::connection::{Connection, Misuse, Violation};
use crate::{Instant, SessionError};

/// A queue to serve.
#[derive(Debug, Clone)]
pub struct QueueOptions {
    /// Its name.
    pub name: ShortStr,
    /// Whether it is only checked, and must exist already. The rest is then ignored.
    pub passive: bool,
    /// Whether it survives a restart of the broker.
    pub durable: bool,
    /// Whether it belongs to this connection and ends with it.
    pub exclusive: bool,
    /// Whether it is deleted when its last consumer has gone.
    pub auto_delete: bool,
    /// x-queue-type, x-message-ttl, x-dead-letter-exchange and the like.
    pub arguments: FieldTable,
    /// The most requests at a time, and so the most handlers that run at a time. 0 is no limit.
    pub prefetch: u16,
}

impl QueueOptions {
    /// A durable queue, with a prefetch of 128.
    pub fn new(name: ShortStr) -> Self {
        Self {
            name,
            passive: false,
            durable: true,
            exclusive: false,
            auto_delete: false,
            arguments: FieldTable::EMPTY,
            prefetch: 128,
        }
    }

    pub(super) fn declare(&self) -> method::Declare {
        method::Declare {
            queue: self.name.clone(),
            passive: self.passive,
            durable: self.durable,
            exclusive: self.exclusive,
            auto_delete: self.auto_delete,
            nowait: false,
            arguments: self.arguments.clone(),
        }
    }

    pub(super) fn qos(&self) -> basic::Qos {
        basic::Qos { prefetch_size: 0, prefetch_count: self.prefetch, global: false }
    }

    pub(super) fn consume(&self) -> basic::Consume {
        basic::Consume { queue: self.name.clone(), ..basic::Consume::default() }
    }
}

#[derive(Debug)]
pub(super) struct Queue {
    options: QueueOptions,
    pub(super) state: State,
    pub(super) channel: u16,
    /// Which of the channels that the queue has had: delivery tags of an earlier one mean nothing.
    pub(super) generation: u32,
    /// Of the deliveries on its channel.
    pub(super) acknowledgements: Acknowledgements,
    pub(super) consumer_tag: ShortStr,
    /// Which of the consumers that the queue has had: the prefetch is each one's own.
    pub(super) consumer: u32,
    /// Deliveries to this consumer that are not acknowledged.
    unacknowledged: usize,
    /// Deliveries to this consumer that were rejected, which the broker has not been sent yet.
    rejected: usize,
    /// How many requests nobody has taken yet.
    pub(super) arrived: usize,
    /// Requests that were handed out and not answered.
    pub(super) running: usize,
    serving_since: Option<Instant>,
    /// When it last began to open its channel.
    began: Instant,
    /// Why it is not served, if it was before.
    pub(super) cause: Option<SessionError>,
    /// Times in a row that it did not serve for long.
    failures: u8,
}

/// Named by what is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Opening,
    Declaring,
    Limiting,
    Consuming,
    Serving,
    /// Until then it is left alone: a quorum queue that is declared while it is being deleted
    /// makes the broker close the connection.
    Resting {
        until: Instant,
    },
    Cancelling,
    Cancelled,
}

/// How long a queue rests the first time; each further time in a row, twice as long.
const REST: Duration = Duration::from_millis(250);

/// A queue that has served for so long has not failed in a row.
const GOOD_LONG_TIME: Duration = Duration::from_secs(10);

/// The longest rest, when the queue is gone or its node is: it may be back at any moment.
const MAX_REST: Duration = Duration::from_secs(1);

/// The longest rest, when the broker refuses the queue.
const MAX_REST_WHEN_REFUSED: Duration = Duration::from_secs(30);

/// Failures in a row after which it is given up, with the whole server, unless the server is to
/// [reconnect](crate::Reconnect) when it is refused.
const MAX_FAILURES: u8 = 5;

impl Queue {
    pub(super) fn new(options: QueueOptions) -> Self {
        Self {
            options,
            state: State::Opening,
            channel: 0,
            generation: 0,
            acknowledgements: Acknowledgements::default(),
            consumer_tag: ShortStr::EMPTY,
            consumer: 0,
            unacknowledged: 0,
            rejected: 0,
            arrived: 0,
            running: 0,
            serving_since: None,
            began: Instant::default(),
            cause: None,
            failures: 0,
        }
    }

    pub(super) fn name(&self) -> String {
        self.options.name.to_string()
    }

    fn prefetch(&self) -> usize {
        self.options.prefetch.into()
    }

    pub(super) fn open(&mut self, now: Instant, connection: &mut Connection) -> Result<(), Misuse> {
        self.channel = connection.open_channel()?;
        self.state = State::Opening;
        self.began = now;
        Ok(())
    }

    /// Declares the queue and consumes from it, without waiting in between: the channel does one
    /// after the other, and closes over the first that fails.
    pub(super) fn begin(&mut self, connection: &mut Connection) -> Result<(), Misuse> {
        self.state = State::Declaring;
        connection.send(self.channel, self.options.declare())?;
        connection.send(self.channel, self.options.qos())?;
        connection.send(self.channel, self.options.consume())
    }

    pub(super) fn serve(&mut self, now: Instant, consumer_tag: ShortStr) {
        self.state = State::Serving;
        self.serving_since = Some(now);
        self.cause = None;
        self.consumer_tag = consumer_tag;
        self.consumer = self.consumer.wrapping_add(1);
        self.unacknowledged = 0;
        self.rejected = 0;
    }

    /// Takes no more requests, now or as soon as it can say so.
    pub(super) fn finish(&mut self, connection: &mut Connection) {
        // Where the connection has ended, that is told by itself.
        match self.state {
            State::Serving => {
                let consumer_tag = self.consumer_tag.clone();
                let _ =
                    connection.send(self.channel, basic::Cancel { consumer_tag, nowait: false });
                self.state = State::Cancelling;
            }
            State::Resting { .. } => self.state = State::Cancelled,
            _ => {}
        }
    }

    /// Whether there are requests to be answered.
    pub(super) fn owes_replies(&self) -> bool {
        self.running > 0 || self.arrived > 0
    }

    /// Whether the broker has closed channel after channel.
    pub(super) fn is_hopeless(&self) -> bool {
        self.failures > MAX_FAILURES
    }

    /// The connection has gone, and everything with it.
    pub(super) fn disconnect(&mut self) {
        self.state = State::Opening;
        self.lose_channel();
    }

    fn lose_channel(&mut self) {
        // The broker gives these to others, or to us again.
        self.arrived = 0;
        self.channel = 0;
        self.lose_deliveries();
    }

    /// Delivery tags of before mean nothing any more.
    fn lose_deliveries(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        self.acknowledgements.forget();
    }

    /// The broker has ended the consumer, because the queue is gone or because it has waited for too
    /// long for an acknowledgement. What it has delivered is then void: to acknowledge it could cost the
    /// connection, and not to could cost the channel later. So the channel is given up with it. What
    /// has arrived is served all the same: with the queue gone, it comes from nowhere else.
    pub(super) fn rest(&mut self, now: Instant, connection: &mut Connection, cause: SessionError) {
        self.cause = Some(cause);
        self.rest_for(now, MAX_REST);
        // Where the connection has ended, that is told by itself.
        let _ = connection.close_channel(self.channel);
        self.channel = 0;
        self.lose_deliveries();
    }

    /// The broker has ended the consumer, and that was wanted. The channel is there for replies.
    pub(super) fn cancelled(&mut self, by_broker: bool) {
        self.state = State::Cancelled;
        if by_broker {
            self.lose_deliveries();
        }
    }

    /// The broker has closed the channel. Whether it is worth trying again: a queue that never served
    /// is not, and after some failures it is `in_doubt`.
    pub(super) fn rest_without_channel(
        &mut self,
        now: Instant,
        code: ReplyCode,
        in_doubt: bool,
        cause: SessionError,
    ) -> bool {
        self.cause = Some(cause);
        let is_gone = code == ReplyCode::NOT_FOUND;
        self.rest_for(now, if is_gone { MAX_REST } else { MAX_REST_WHEN_REFUSED });
        self.lose_channel();
        self.serving_since.is_some() && (self.failures <= MAX_FAILURES || in_doubt)
    }

    fn rest_for(&mut self, now: Instant, max: Duration) {
        let since = self.serving_since.unwrap_or(now);
        let served_well = self.state == State::Serving && now.since(since) >= GOOD_LONG_TIME;
        self.failures = if served_well { 1 } else { self.failures.saturating_add(1) };
        let doublings = self.failures.saturating_sub(1).min(10);
        let rest = REST.saturating_mul(1u32.wrapping_shl(doublings.into())).min(max);
        self.state = State::Resting { until: now.after(rest) };
    }

    /// When the broker has been silent about it for too long. Before it was served for the first time,
    /// who waits for that sets the limit.
    pub(super) fn silent_at(&self, limit: Duration) -> Option<Instant> {
        let is_awaited = !self.is_settled() && self.channel != 0 && self.has_served();
        (is_awaited && limit < Duration::MAX).then(|| self.began.after(limit))
    }

    /// Whether the broker has answered, one way or the other.
    pub(super) fn is_settled(&self) -> bool {
        use State::{Consuming, Declaring, Limiting, Opening};
        !matches!(self.state, Opening | Declaring | Limiting | Consuming)
    }

    pub(super) fn rested_at(&self) -> Option<Instant> {
        match self.state {
            State::Resting { until } => Some(until),
            _ => None,
        }
    }

    /// Counts a delivery.
    pub(super) fn deliver(&mut self, delivery_tag: u64) {
        self.acknowledgements.open(delivery_tag);
        self.unacknowledged = self.unacknowledged.saturating_add(1);
        self.arrived = self.arrived.saturating_add(1);
    }

    /// Rejects a delivery, which goes to nobody then, and counts it until the broker is told.
    pub(super) fn reject(&mut self, delivery_tag: u64, connection: &mut Connection) {
        self.rejected = self.rejected.saturating_add(1);
        // Where the connection has ended, that is told by itself.
        let _ = connection.send(self.channel, basic::Reject { delivery_tag, requeue: false });
    }

    /// The broker is being told of what was rejected.
    pub(super) fn transmitted(&mut self) {
        self.rejected = 0;
    }

    /// Whether one more delivery may come. What is beyond the prefetch waits here, and a broker that
    /// goes on to twice the prefetch does not know what it agreed to.
    pub(super) fn within_prefetch(&self) -> Result<(), Violation> {
        let (prefetch, held) = (self.prefetch(), self.unacknowledged.saturating_add(self.rejected));
        // Those of consumers before this one wait, too.
        let held = held.max(self.arrived);
        if prefetch != 0 && held >= prefetch.saturating_mul(2) {
            let text = alloc::format!("twice as many deliveries as the prefetch of {prefetch}");
            return Err(Violation::new(ReplyCode::COMMAND_INVALID, text));
        }
        Ok(())
    }

    /// Counts an answer to a delivery of this consumer or an earlier one.
    pub(super) fn answer(&mut self, consumer: u32) {
        self.running = self.running.saturating_sub(1);
        if consumer == self.consumer {
            self.unacknowledged = self.unacknowledged.saturating_sub(1);
        }
    }

    /// Nobody waits for the answer to a delivery any more: it goes to nobody, as if it had expired in
    /// the queue.
    pub(super) fn skip(&mut self, pending: &Pending, connection: &mut Connection) {
        let Pending { delivery_tag, generation, consumer, .. } = *pending;
        if consumer == self.consumer {
            self.unacknowledged = self.unacknowledged.saturating_sub(1);
        }
        if generation == self.generation {
            self.acknowledgements.end(delivery_tag);
            // Where the connection has ended, that is told by itself.
            let _ = connection.send(self.channel, basic::Reject { delivery_tag, requeue: false });
        }
    }

    /// Whether it has been consumed from, at some time.
    pub(super) fn has_served(&self) -> bool {
        self.serving_since.is_some()
    }

    /// Whether one more handler may run.
    pub(super) fn has_room(&self) -> bool {
        self.prefetch() == 0 || self.running < self.prefetch()
    }

    pub(super) fn is_drained(&self) -> bool {
        self.state == State::Cancelled && self.running == 0 && self.arrived == 0
    }
}

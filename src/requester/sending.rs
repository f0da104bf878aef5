//! From a call that waits to a request on the wire.

use alloc::boxed::Box;
use core::time::Duration;

use leveret_codec::{BasicProperties, ShortStr, basic};

use super::calls::{Call, CallId, Outgoing, Phase};
use super::correlation::CorrelationId;
use super::{Requester, Subscription};
use crate::Instant;
use crate::connection::{Connection, Misuse};
use crate::message::REPLY_TO;

impl Requester {
    /// The channel that calls share, once its consumer is there.
    fn shared_channel(&self) -> Option<u16> {
        match self.subscription {
            Subscription::Ready { channel, .. } => Some(channel),
            _ => None,
        }
    }

    /// Whether a call may go on its way.
    pub(super) fn may_start(&self) -> bool {
        let has_room = self.in_flight < self.max_in_flight;
        has_room && self.shared_channel().is_some_and(|channel| self.may_publish(channel))
    }

    /// Whether the broker takes content on the channel, and the socket what was sent before.
    fn may_publish(&self, channel: u16) -> bool {
        self.blocked.is_none()
            && self.connection.may_publish(channel)
            && self.connection.transmit_len() < MAX_UNSENT
    }

    /// The channel for a new call's request, if nothing is in its way: neither its turn nor a channel of
    /// its own is to be waited for. This is how most calls go.
    pub(super) fn channel_at_once(&self, outgoing: &Outgoing) -> Option<u16> {
        let channel = self.shared_channel()?;
        let others_wait = !self.waiting.is_empty() || !self.without_channel.is_empty();
        (!others_wait && self.may_start() && !self.goes_beside(outgoing)).then_some(channel)
    }

    /// Sends a new call's request on this channel.
    #[inline]
    pub(super) fn send_at_once(
        &mut self,
        now: Instant,
        channel: u16,
        outgoing: &mut Outgoing,
        timeout: Duration,
    ) -> CallId {
        let id = self.register(now, Phase::BEGUN, outgoing.retry, timeout);
        self.in_flight = self.in_flight.saturating_add(1);
        self.publish(now, id, channel, outgoing);
        id
    }

    /// Sends the call's request, or first finds a channel for it.
    pub(super) fn start(&mut self, now: Instant, id: CallId) {
        let Some(shared) = self.shared_channel() else { return };
        let Some(call) = self.calls.get_mut(id) else { return };
        if !matches!(call.phase, Phase::Waiting(_)) {
            return;
        }
        let phase = core::mem::replace(&mut call.phase, Phase::BEGUN);
        let Some(mut outgoing) = phase.into_unsent() else { return };
        self.in_flight = self.in_flight.saturating_add(1);
        if self.goes_beside(&outgoing) {
            self.start_on_another(now, id, outgoing);
        } else {
            self.publish(now, id, shared, &mut outgoing);
        }
    }

    /// Finds a channel beside the shared one.
    fn start_on_another(&mut self, now: Instant, id: CallId, outgoing: Box<Outgoing>) {
        let is_own = outgoing.own_channel;
        let lent = if is_own { None } else { self.side_channels.lend(id) };
        let opened = lent.map_or_else(|| self.connection.open_channel(), Ok);
        let Some(call) = self.calls.get_mut(id) else { return };
        // With a single channel, there is none beside it that could become free.
        if matches!(opened, Err(Misuse::NoFreeChannel(max)) if max != 1) {
            call.phase = Phase::Waiting(outgoing);
            self.in_flight = self.in_flight.saturating_sub(1);
            // One that is kept for others makes room for it.
            if let Some(idle) = self.side_channels.take_idle() {
                self.abandon_channel(idle);
            }
            return self.without_channel.push_back(id);
        }
        call.phase = Phase::Opening(outgoing);
        match opened {
            Ok(channel) if lent.is_some() => self.start_beside(now, id, channel),
            Ok(channel) => self.side_channels.add(channel, id, is_own),
            // The event that says why follows, and puts it back among those that wait.
            Err(Misuse::NotOpen) => {}
            Err(misuse) => self.resolve(id, Err(misuse.into())),
        }
    }

    /// Whether the request needs a channel beside the shared one.
    fn goes_beside(&self, outgoing: &Outgoing) -> bool {
        // With a single channel, there is none beside it.
        let is_only = self.connection.channel_max() == 1;
        outgoing.own_channel || (is_risky(outgoing, self.proven_size) && !is_only)
    }

    /// The call's consumer is there, on the channel that it is lent: the request may go, or else is
    /// held back.
    pub(super) fn start_beside(&mut self, now: Instant, id: CallId, channel: u16) {
        let may_publish = self.may_publish(channel);
        self.side_channels.hold_back(channel, !may_publish);
        if !may_publish {
            return;
        }
        let Some(Call { phase, .. }) = self.calls.get_mut(id) else { return };
        if let Phase::Opening(_) = phase
            && let Some(mut outgoing) = core::mem::replace(phase, Phase::BEGUN).into_unsent()
        {
            self.publish(now, id, channel, &mut outgoing);
        }
    }

    /// Publishes the request of a call that has just begun.
    #[inline(always)]
    fn publish(&mut self, now: Instant, id: CallId, channel: u16, outgoing: &mut Outgoing) {
        let is_shared = self.shared_channel() == Some(channel);
        let Some((call, correlation_id)) = self.calls.with_correlation_id(id) else { return };
        call.retries.keep(outgoing);
        let expiration = expiration(call.deadline.since(now));
        let body_size = u64::try_from(outgoing.body.len()).unwrap_or(u64::MAX);
        // Channels beside the shared one come and go.
        let template = if is_shared { self.templates.get(channel, outgoing) } else { None };
        let published = match template {
            Some(template) => self.connection.publish_with(channel, &outgoing.body, |out| {
                template.write(correlation_id, expiration, body_size, out);
            }),
            None => {
                publish_in_full(&mut self.connection, channel, outgoing, correlation_id, expiration)
            }
        };
        match published {
            Ok(()) => {
                let length = u64::try_from(self.connection.transmit_len()).unwrap_or(u64::MAX);
                let end = self.connection.transmitted().saturating_add(length);
                call.phase.sent(channel, body_size, end);
            }
            Err(misuse) => self.resolve(id, Err(misuse.into())),
        }
    }

    pub(super) fn start_waiting(&mut self, now: Instant) {
        if self.waiting.is_empty()
            && self.without_channel.is_empty()
            && !self.side_channels.holds_back()
        {
            return;
        }
        // A channel may have become free.
        for _ in 0..self.without_channel.len() {
            if self.may_start()
                && (self.side_channels.has_idle() || self.connection.has_free_channel())
                && let Some(id) = self.without_channel.pop_front()
            {
                self.start(now, id);
            }
        }
        while self.may_start()
            && let Some(id) = self.waiting.pop_front()
        {
            self.start(now, id);
        }
        for (channel, call) in self.side_channels.held_back() {
            self.start_beside(now, call, channel);
        }
    }

    /// Keeps the queue no longer than twice what really waits.
    pub(super) fn forget_ended_waiting(&mut self) {
        let calls = &mut self.calls;
        for waiting in [&mut self.waiting, &mut self.without_channel] {
            if waiting.len() > calls.len().saturating_mul(2) {
                waiting.retain(|id| calls.get_mut(*id).is_some());
            }
        }
    }
}

/// Publishes a request for which there is no template.
fn publish_in_full(
    connection: &mut Connection,
    channel: u16,
    outgoing: &mut Outgoing,
    correlation_id: &CorrelationId,
    expiration: u64,
) -> Result<(), Misuse> {
    let Outgoing { exchange, routing_key, properties, body, .. } = outgoing;
    dress(properties, correlation_id, expiration);
    let publish = to(core::mem::take(exchange), core::mem::take(routing_key));
    connection.publish(channel, &publish, properties, body)
}

/// Whether the broker may close the channel over this request: if there is no such exchange or no
/// permission for it, if the user is another, or if the body is larger than it takes.
fn is_risky(outgoing: &Outgoing, proven_size: u64) -> bool {
    let size = u64::try_from(outgoing.body.len()).unwrap_or(u64::MAX);
    !outgoing.exchange.is_empty() || outgoing.properties.user_id.is_some() || size > proven_size
}

/// No administrator sets the largest message below this, the frame-max of RabbitMQ.
pub(super) const SMALL_BODY: u64 = 0x2_0000;

/// Octets that may wait for the socket when one more request is written. Calls beyond it wait, so
/// that one that gives up meanwhile was never sent.
const MAX_UNSENT: usize = 1 << 20;

/// `delivery-mode` of a message that a queue need not write to disk.
const TRANSIENT: u8 = 1;

/// What publishes a request.
pub(super) fn to(exchange: ShortStr, routing_key: ShortStr) -> basic::Publish {
    basic::Publish { exchange, routing_key, mandatory: true, immediate: false }
}

/// Adds to what the user has set what makes it a request.
pub(super) fn dress(
    properties: &mut BasicProperties,
    correlation_id: &CorrelationId,
    expiration: u64,
) {
    // 33 octets of 255.
    let correlation_id = ShortStr::copied(correlation_id).unwrap_or_default();
    properties.reply_to = Some(REPLY_TO);
    properties.message_id.get_or_insert_with(|| correlation_id.clone());
    properties.correlation_id = Some(correlation_id);
    properties.delivery_mode.get_or_insert(TRANSIENT);
    properties.expiration.get_or_insert_with(|| {
        ShortStr::copied(Decimal::new(expiration).as_bytes()).unwrap_or_default()
    });
}

/// The time a request may wait in a queue, in milliseconds: as long as its caller waits. It is at
/// least 1, since 0 would mean "only if a consumer is idle this moment".
fn expiration(remaining: Duration) -> u64 {
    let milliseconds = u64::try_from(remaining.as_millis()).unwrap_or(u64::MAX);
    milliseconds.clamp(1, MAX_EXPIRATION)
}

/// A number in decimal, without memory of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decimal {
    /// As many as the largest number has.
    digits: [u8; 20],
    start: usize,
}

impl Decimal {
    pub(super) fn new(mut number: u64) -> Self {
        let mut decimal = Self { digits: [b'0'; 20], start: 20 };
        for digit in decimal.digits.iter_mut().rev() {
            // One digit.
            *digit = (number % 10) as u8 | b'0';
            number /= 10;
            decimal.start = decimal.start.saturating_sub(1);
            if number == 0 {
                break;
            }
        }
        decimal
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.digits.get(self.start..).unwrap_or_default()
    }
}

/// RabbitMQ refuses more than ten years.
const MAX_EXPIRATION: u64 = 10 * 365 * 24 * 60 * 60 * 1000;

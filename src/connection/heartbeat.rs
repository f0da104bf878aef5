//! Signs of life, both ways (AMQP 0-9-1, 4.2.7).
//!
//! We send something at least every half interval, and take the peer for dead after two intervals
//! without a single octet. RabbitMQ does the same with us.

use core::time::Duration;

use crate::Instant;

#[derive(Debug, Clone, Copy)]
pub(super) struct Heartbeat {
    /// Zero: no heartbeats.
    interval: Duration,
    last_sent: Instant,
    last_received: Instant,
}

impl Heartbeat {
    pub(super) fn new(seconds: u16, now: Instant) -> Self {
        let interval = Duration::from_secs(seconds.into());
        Self { interval, last_sent: now, last_received: now }
    }

    /// If either side wants none, the other's wish holds; otherwise the shorter.
    pub(super) fn negotiate(ours: u16, theirs: u16) -> u16 {
        if ours == 0 || theirs == 0 { ours.max(theirs) } else { ours.min(theirs) }
    }

    pub(super) fn sent(&mut self, now: Instant) {
        self.last_sent = now;
    }

    pub(super) fn received(&mut self, now: Instant) {
        self.last_received = now;
    }

    /// When to look at [`is_due`](Self::is_due) and [`silence`](Self::silence) again.
    pub(super) fn timeout(&self) -> Option<Instant> {
        (!self.interval.is_zero()).then(|| self.next_send().min(self.peer_deadline()))
    }

    /// Whether it is time for a sign of life.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        !self.interval.is_zero() && self.next_send() <= now
    }

    /// How long the peer has been silent, if that is too long.
    pub(super) fn silence(&self, now: Instant) -> Option<Duration> {
        (!self.interval.is_zero() && self.peer_deadline() <= now)
            .then(|| now.since(self.last_received))
    }

    fn next_send(&self) -> Instant {
        self.last_sent.after(self.interval.checked_div(2).unwrap_or_default())
    }

    fn peer_deadline(&self) -> Instant {
        self.last_received.after(self.interval.saturating_mul(2))
    }
}

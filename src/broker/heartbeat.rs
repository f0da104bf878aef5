//! Signs of life, as RabbitMQ gives and expects them.
//!
//! It beats each half interval in which it has sent nothing, and looks at what has come each
//! interval: two looks without a new octet end the connection, 2 to 3 intervals after the last.

use core::time::Duration;

use crate::Instant;

#[derive(Debug, Clone, Copy)]
pub(super) struct Heartbeat {
    /// Zero: none.
    interval: Duration,
    next_beat: Instant,
    next_look: Instant,
    /// Something was sent since the last beat was due; `None` before the first, which always goes.
    sent: Option<bool>,
    received: bool,
    /// Looks in a row that found nothing new.
    in_vain: u8,
}

impl Heartbeat {
    pub(super) fn new(seconds: u16, now: Instant) -> Self {
        let interval = Duration::from_secs(seconds.into());
        Self {
            interval,
            next_beat: now.after(half(interval)),
            next_look: now.after(interval),
            sent: None,
            received: true,
            in_vain: 0,
        }
    }

    pub(super) fn sent(&mut self) {
        self.sent = self.sent.map(|_| true);
    }

    pub(super) fn received(&mut self) {
        self.received = true;
    }

    pub(super) fn timeout(&self) -> Option<Instant> {
        (!self.interval.is_zero()).then(|| self.next_beat.min(self.next_look))
    }

    /// Whether to send a sign of life now.
    pub(super) fn beat(&mut self, now: Instant) -> bool {
        if self.interval.is_zero() || now < self.next_beat {
            return false;
        }
        self.next_beat = now.after(half(self.interval));
        !self.sent.replace(false).unwrap_or_default()
    }

    /// Whether the peer is to be given up.
    pub(super) fn look(&mut self, now: Instant) -> bool {
        if self.interval.is_zero() || now < self.next_look {
            return false;
        }
        self.next_look = now.after(self.interval);
        let heard = core::mem::replace(&mut self.received, false);
        self.in_vain = if heard { 0 } else { self.in_vain.saturating_add(1) };
        self.in_vain >= 2
    }
}

fn half(interval: Duration) -> Duration {
    interval.checked_div(2).unwrap_or_default()
}

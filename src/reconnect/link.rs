//! [`Link`]: which connection to the broker, after which pause.
//!
//! ```text
//!            a transport is up           subscribed, or serving
//!   Reaching ────────────────▶ Handshaking ─────────────────▶ Ready
//!    ▲    │ there is none           │ refused, too slow, lost   │ lost
//!    │    └────────▶ Resting ◀──────┴───────────────────────────┘
//!    │                 │   └─────────────▶ Over: its user has closed it, or the policy says so
//!    └─────────────────┘
//!      its time has come: the next address
//! ```

use alloc::borrow::ToOwned;
use core::time::Duration;

use super::{ConnectionState, Reconnect, Reconnecting};
use crate::{Instant, SessionError};

/// The link to the broker: which connection after which pause.
#[derive(Debug)]
pub struct Link {
    settings: Reconnecting,
    state: State,
    /// Which of the addresses is the present one, or the next.
    address: usize,
    /// Attempts in a row that have failed.
    failures: u32,
    /// Those of them that the broker has refused.
    refusals: u32,
    /// Connections that were ready, and lost.
    losses: u64,
    /// Why it is not ready, once it has been.
    cause: Option<SessionError>,
    has_been_ready: bool,
    random: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Somebody is making a transport.
    Reaching {
        began: Instant,
    },
    /// There is one. The first time, whoever waits for that sets the limit.
    Handshaking {
        deadline: Option<Instant>,
    },
    Ready {
        since: Instant,
    },
    Resting {
        until: Instant,
    },
    Over,
}

/// A connection that was ready for so long is no failed attempt when it is lost.
const GOOD_LONG_TIME: Duration = Duration::from_secs(5);

impl Default for Link {
    /// Of one connection, whose transport is up.
    fn default() -> Self {
        Self::new(
            Reconnecting {
                policy: Reconnect::never(),
                addresses: 1,
                connect_timeout: Duration::MAX,
                seed: 0,
            },
            0,
        )
    }
}

impl Link {
    /// A transport to that address is up.
    pub(crate) fn new(settings: Reconnecting, address: usize) -> Self {
        Self {
            state: State::Handshaking { deadline: None },
            address,
            failures: 0,
            refusals: 0,
            losses: 0,
            cause: None,
            has_been_ready: false,
            random: settings.seed,
            settings,
        }
    }

    pub(crate) fn policy(&self) -> &Reconnect {
        &self.settings.policy
    }

    /// Which of the addresses is the present one, or the next.
    #[cfg(feature = "tracing")]
    pub(crate) fn address(&self) -> usize {
        self.address
    }

    /// Whether calls can be made, or requests come.
    pub(crate) fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready { .. })
    }

    /// Whether there is a connection, or one that begins.
    pub(crate) fn is_connected(&self) -> bool {
        matches!(self.state, State::Handshaking { .. } | State::Ready { .. })
    }

    /// Connections that were ready, and lost.
    pub(crate) fn losses(&self) -> u64 {
        self.losses
    }

    /// How long anything may take that makes a connection ready.
    pub(crate) fn connect_timeout(&self) -> Duration {
        self.settings.connect_timeout
    }

    /// Why it is not ready, once it has been.
    pub(crate) fn cause(&self) -> Option<&SessionError> {
        self.cause.as_ref()
    }

    pub(crate) fn connection_state(
        &self,
        ended: Option<&Result<(), SessionError>>,
        blocked: Option<&str>,
    ) -> ConnectionState {
        match (ended, blocked, &self.cause) {
            (Some(ended), _, _) => ConnectionState::Closed { cause: ended.clone().err() },
            (None, Some(reason), _) => ConnectionState::Blocked { reason: reason.to_owned() },
            (None, None, Some(cause)) => {
                let (cause, failures) = (cause.clone(), self.failures);
                ConnectionState::Reconnecting { cause, failures }
            }
            (None, None, None) if self.has_been_ready => ConnectionState::Connected,
            (None, None, None) => ConnectionState::Connecting,
        }
    }

    /// What was subscribed to is, or what is served.
    pub(crate) fn ready(&mut self, now: Instant) {
        if matches!(self.state, State::Handshaking { .. }) {
            self.state = State::Ready { since: now };
            self.has_been_ready = true;
            self.cause = None;
        }
    }

    /// Nothing more is to come.
    pub(crate) fn end(&mut self) {
        self.state = State::Over;
    }

    /// The connection is lost, or there is none to be had. Whether another will be made.
    pub(crate) fn lost(&mut self, now: Instant, cause: &SessionError) -> bool {
        if matches!(self.state, State::Over | State::Resting { .. }) {
            return self.state != State::Over;
        }
        self.losses = self.losses.saturating_add(self.is_ready().into());
        if !self.has_been_ready || !self.settings.policy.goes_on_after(cause) {
            self.state = State::Over;
            return false;
        }
        let addresses = u32::try_from(self.settings.addresses).unwrap_or(u32::MAX).max(1);
        let pause = match self.state {
            State::Ready { since } if now.since(since) >= GOOD_LONG_TIME => {
                self.failures = 0;
                self.refusals = 0;
                self.settings.policy.pause(1, false)
            }
            _ => {
                self.failures = self.failures.saturating_add(1);
                let is_refusal = cause.is_refusal();
                self.refusals = self.refusals.saturating_add(is_refusal.into());
                // A broker that refuses for a moment, when it has just come back, is not to be waited
                // for as long as it was away.
                let alike = if is_refusal { self.refusals } else { self.failures };
                let rounds = alike.div_ceil(addresses);
                let is_end_of_round = self.failures.rem_euclid(addresses) == 0;
                let pause = self.settings.policy.pause(rounds, is_refusal);
                if is_end_of_round { pause } else { Duration::ZERO }
            }
        };
        let next = self.address.saturating_add(1);
        self.address = if next < self.settings.addresses { next } else { 0 };
        self.cause = Some(cause.clone());
        self.state = State::Resting { until: now.after(self.shortened(pause)) };
        true
    }

    /// Which address to connect to, if it is time to.
    pub(crate) fn poll_connect(&mut self, now: Instant) -> Option<usize> {
        match self.state {
            State::Resting { until } if until <= now => {
                self.state = State::Reaching { began: now };
                Some(self.address)
            }
            _ => None,
        }
    }

    /// A transport is up. How much time is left to be ready on it, if a connection is to begin.
    pub(crate) fn connected(&mut self, now: Instant) -> Option<Duration> {
        let State::Reaching { began } = self.state else { return None };
        let deadline = began.after(self.settings.connect_timeout);
        self.state = State::Handshaking { deadline: Some(deadline) };
        Some(deadline.since(now))
    }

    /// When something is due: the end of an attempt or, if the old transport is done with, a new one.
    pub(crate) fn poll_timeout(&self, is_disconnected: bool) -> Option<Instant> {
        match self.state {
            State::Resting { until } => is_disconnected.then_some(until),
            State::Handshaking { deadline } => deadline,
            State::Reaching { .. } | State::Ready { .. } | State::Over => None,
        }
    }

    /// Whether the attempt has taken too long.
    pub(crate) fn is_too_slow(&self, now: Instant) -> bool {
        matches!(self.state, State::Handshaking { deadline: Some(deadline) } if deadline <= now)
    }

    /// The pause less a random part of up to one half.
    fn shortened(&mut self, pause: Duration) -> Duration {
        // SplitMix64.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let part = u128::from((mixed ^ (mixed >> 31)) >> 32);
        let most = u64::try_from(pause.as_nanos() >> 1).unwrap_or(u64::MAX);
        let shorter_by = u64::try_from((u128::from(most).wrapping_mul(part)) >> 32);
        pause.saturating_sub(Duration::from_nanos(shorter_by.unwrap_or(most)))
    }
}

#[cfg(test)]
mod tests;

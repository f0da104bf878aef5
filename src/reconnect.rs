//! [`Reconnect`]: whether and when to connect anew, and how far that is.

mod link;

use alloc::string::String;
use core::time::Duration;

use crate::SessionError;

pub(crate) use self::link::Link;

/// Whether a client or a server connects anew when its connection is lost, and after what pauses.
///
/// ```
/// use leveret::Reconnect;
/// use std::time::Duration;
///
/// let patient = Reconnect::default().max_pause(Duration::from_secs(10));
/// let strict = Reconnect::default().give_up_when_refused();
/// let one_connection = Reconnect::never();
/// ```
///
/// The first attempt follows the loss within [`first_pause`](Self::first_pause). Each round through
/// all addresses that fails doubles the pause before the next, up to [`max_pause`](Self::max_pause).
/// A pause is shortened by a random part of up to one half, so that many clients do not come back at
/// the same moment.
///
/// A broker that answers and says no (403 for the login, 530 for the virtual host, no Direct
/// Reply-to) is likely to go on saying so. It is asked again, because permissions are mended while
/// programs run, but after pauses that grow to
/// [`max_pause_when_refused`](Self::max_pause_when_refused).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reconnect {
    never: bool,
    first_pause: Duration,
    max_pause: Duration,
    max_pause_when_refused: Duration,
    gives_up_when_refused: bool,
}

/// What is no pause at all would be a busy loop.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);

impl Default for Reconnect {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Reconnect {
    /// For ever.
    pub const DEFAULT: Self = Self {
        never: false,
        first_pause: Duration::from_millis(50),
        max_pause: Duration::from_secs(1),
        max_pause_when_refused: Duration::from_secs(30),
        gives_up_when_refused: false,
    };

    /// Not at all: with its connection, the client or server has ended.
    pub const fn never() -> Self {
        Self { never: true, ..Self::DEFAULT }
    }

    /// The longest pause after a first failure: 50 ms unless set.
    #[must_use]
    pub fn first_pause(mut self, pause: Duration) -> Self {
        self.first_pause = pause;
        self
    }

    /// The longest pause while the broker cannot be reached: 1 s unless set.
    #[must_use]
    pub fn max_pause(mut self, pause: Duration) -> Self {
        self.max_pause = pause;
        self
    }

    /// The longest pause while the broker refuses the login, the virtual host or a queue: 30 s
    /// unless set.
    #[must_use]
    pub fn max_pause_when_refused(mut self, pause: Duration) -> Self {
        self.max_pause_when_refused = pause;
        self
    }

    /// Ends the client or server when the broker refuses the login, the virtual host or a queue,
    /// instead of asking again.
    #[must_use]
    pub fn give_up_when_refused(mut self) -> Self {
        self.gives_up_when_refused = true;
        self
    }

    /// Whether to try again after this failure.
    pub(crate) fn goes_on_after(&self, cause: &SessionError) -> bool {
        let is_final = self.gives_up_when_refused && cause.is_refusal();
        !(self.never || is_final)
    }

    /// The longest pause after so many failures in a row.
    pub(crate) fn pause(&self, failures: u32, refused: bool) -> Duration {
        let max = if refused { self.max_pause_when_refused } else { self.max_pause };
        let doublings = failures.saturating_sub(1).min(31);
        let first = self.first_pause.max(SHORTEST_PAUSE);
        first.saturating_mul(1u32.wrapping_shl(doublings)).min(max.max(SHORTEST_PAUSE))
    }
}

/// What an engine has to know to connect anew.
#[derive(Debug, Clone, Copy)]
pub struct Reconnecting {
    /// Whether, and after what pauses.
    pub policy: Reconnect,
    /// How many addresses there are to try in turn.
    pub addresses: usize,
    /// How long an attempt at one of them may take, until calls can be made or requests come.
    pub connect_timeout: Duration,
    /// What the pauses are made from, besides the policy. It should be random.
    pub seed: u64,
}

/// How far a client or server is with its connection.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ConnectionState {
    /// It has not been ready yet.
    Connecting,
    /// It can make calls, or gets requests.
    Connected,
    /// It is connected, and the broker has an alarm on: it reads nothing that is published.
    Blocked {
        /// Such as "low on memory".
        reason: String,
    },
    /// It is connected, and one of a server's queues is not served: it was deleted, or the broker
    /// refuses it. It is asked for again and again; the others are served.
    Unserved {
        /// Which queue, and why.
        cause: SessionError,
    },
    /// The connection was lost, and a new one is being made.
    Reconnecting {
        /// What the last attempt failed of, or why the connection was lost.
        cause: SessionError,
        /// Attempts in a row that have failed.
        failures: u32,
    },
    /// It has ended, and will not come back.
    Closed {
        /// Why, if not at its user's wish.
        cause: Option<SessionError>,
    },
}

//! [`Instant`]: time as an argument.

use core::time::Duration;

/// A moment on the clock of whoever drives the engines: the time since that clock began.
///
/// The engines never ask what time it is. They are told, so a test can run hours in a moment and
/// a simulation can run them twice alike.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(Duration);

impl Instant {
    /// The moment `elapsed` after the clock began.
    pub const fn from_start(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// The time since the clock began.
    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// The moment `duration` later, or the last one there is.
    #[must_use]
    pub const fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }

    /// How long from `earlier` until now; zero if it is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// The earlier of two, of which there may be one or none.
pub(crate) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

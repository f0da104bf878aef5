//! [`Instant`]: time as an argument.

use core::time::Duration;

/// A moment on the clock of whoever drives the engines: the time since that clock began.
///
/// The engines never ask what time it is. They are told, so a test can run hours in a moment and
/// a simulation can run them twice alike.
///
/// It is kept in nanoseconds. The last moment there is comes after 584 years.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The moment `elapsed` after the clock began.
    #[inline]
    pub const fn from_start(elapsed: Duration) -> Self {
        Self(nanoseconds(elapsed))
    }

    /// The time since the clock began.
    #[inline]
    pub const fn since_start(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// The moment `duration` later, or the last one there is.
    #[must_use]
    #[inline]
    pub const fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanoseconds(duration)))
    }

    /// How long from `earlier` until now; zero if it is not earlier.
    #[must_use]
    #[inline]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// As many as there can be, if there are more.
const fn nanoseconds(duration: Duration) -> u64 {
    let nanoseconds = duration.as_nanos();
    if nanoseconds > u64::MAX as u128 { u64::MAX } else { nanoseconds as u64 }
}

/// The earlier of two, of which there may be one or none.
pub(crate) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_last_moment() {
        let last = Instant::from_start(Duration::MAX);
        assert_eq!(Instant::default().after(Duration::MAX), last);
        assert_eq!(last.after(Duration::from_nanos(1)), last);
        assert_eq!(last.since_start().as_secs() / (365 * 24 * 60 * 60), 584);
    }

    #[test]
    fn no_time_has_passed_since_what_is_to_come() {
        let (one, two) = (Duration::from_nanos(1), Duration::from_nanos(2));
        let [earlier, later] = [one, two].map(Instant::from_start);
        assert_eq!(later.since(earlier), one);
        assert_eq!(earlier.since(later), Duration::ZERO);
        assert_eq!(earlier.after(one), later);
    }
}

//! [`Clock`] and [`Timer`]: what time it is, and when something is due.

use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use tokio::time::{Sleep, sleep_until};

use crate::Instant;

/// The clock that the engines are told. It begins when the connection does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(tokio::time::Instant);

impl Clock {
    #[allow(clippy::disallowed_methods, reason = "the driver is where the clock is read")]
    pub(crate) fn start() -> Self {
        Self(tokio::time::Instant::now())
    }

    pub(crate) fn now(self) -> Instant {
        Instant::from_start(self.0.elapsed())
    }

    fn at(self, instant: Instant) -> tokio::time::Instant {
        // What lies beyond the range of the system's clock is far enough at a year from now.
        let year = Duration::from_secs(365 * 24 * 60 * 60);
        let far = || self.0.checked_add(self.0.elapsed().saturating_add(year));
        self.0.checked_add(instant.since_start()).or_else(far).unwrap_or(self.0)
    }
}

/// One sleep, set to whatever is due next, or to something earlier: what is due is put off with every
/// octet that is sent, and to set a sleep anew costs more than to wake once in vain.
#[derive(Debug, Default)]
pub(crate) struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Sleeps until the deadline. Whether it has come.
    pub(crate) fn poll(
        &mut self,
        context: &mut Context<'_>,
        clock: Clock,
        deadline: Option<Instant>,
    ) -> bool {
        let Some(deadline) = deadline else { return false };
        let deadline = clock.at(deadline);
        let timer = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        while timer.as_mut().poll(context).is_ready() {
            if timer.deadline() == deadline {
                return true;
            }
            timer.as_mut().reset(deadline);
        }
        false
    }
}

//! [`Sleeper`]: a task that waits.

use alloc::sync::Arc;
use alloc::task::Wake;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Waker};

use crate::engine::Engine;
use crate::observers::Place;

/// A task that sleeps, and counts how often it is woken.
pub(crate) struct Sleeper {
    alarm: Arc<Alarm>,
    waker: Waker,
    place: Place,
}

#[derive(Default)]
struct Alarm(AtomicUsize);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Sleeper {
    pub(crate) fn new() -> Self {
        let alarm = Arc::new(Alarm::default());
        Self { waker: Waker::from(Arc::clone(&alarm)), alarm, place: Place::default() }
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context::from_waker(&self.waker)
    }

    /// Waits for a change of the engine's state.
    pub(crate) fn observe(&mut self, engine: &mut impl Engine) {
        drop(engine.observers().observe(&mut self.place, &self.waker));
    }

    /// Waits no longer.
    pub(crate) fn release(&mut self, engine: &mut impl Engine) {
        drop(engine.observers().release(&self.place));
    }

    /// How often it was woken since the last time it was asked.
    pub(crate) fn woken(&self) -> usize {
        self.alarm.0.swap(0, Ordering::Relaxed)
    }
}

//! [`Shared`]: an engine between its users and its driver.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Poll, Waker};

use tokio::sync::watch;

use super::Clock;
use crate::engine::Engine;
use crate::observers::Place;
use crate::pool::{CommonState, rank};
use crate::trace::state_changed;
use crate::{ConnectionState, Instant};

/// An engine between its users and its driver.
#[derive(Debug)]
pub(crate) struct Shared<E> {
    guarded: Mutex<Guarded<E>>,
    clock: Clock,
    state: watch::Sender<ConnectionState>,
    /// That of the state, for whoever has to choose between several connections.
    rank: AtomicU8,
    /// What this one's state is a part of, if it has others beside it.
    common_state: OnceLock<Arc<CommonState>>,
}

#[derive(Debug)]
pub(super) struct Guarded<E> {
    pub(super) engine: E,
    /// The driver's task, while it sleeps.
    pub(super) driver: Option<Waker>,
}

impl<E: Engine> Shared<E> {
    pub(crate) fn new(engine: E, clock: Clock) -> Arc<Self> {
        let state = engine.connection_state();
        Arc::new(Self {
            guarded: Mutex::new(Guarded { engine, driver: None }),
            clock,
            rank: AtomicU8::new(rank(&state)),
            state: watch::Sender::new(state),
            common_state: OnceLock::new(),
        })
    }

    /// How far the engine is with its connection, now and later.
    pub(crate) fn connection_state(&self) -> watch::Receiver<ConnectionState> {
        self.state.subscribe()
    }

    /// How good the state is: 0 is the best.
    pub(crate) fn rank(&self) -> u8 {
        self.rank.load(Ordering::Relaxed)
    }

    /// This state is a part of another from now on.
    pub(crate) fn share_state(&self, common_state: Arc<CommonState>) {
        // Nobody shares it twice.
        let _ = self.common_state.set(common_state);
    }

    /// Tells whoever watches. Only the driver does so, outside of all locks.
    pub(super) fn tell(&self, state: ConnectionState) {
        let is_news = *self.state.borrow() != state;
        if is_news {
            self.rank.store(rank(&state), Ordering::Relaxed);
            let told = self.state.send_replace(state.clone());
            state_changed(&told, &state);
            if let Some(common_state) = self.common_state.get() {
                common_state.update();
            }
        }
    }

    pub(super) fn clock(&self) -> Clock {
        self.clock
    }

    /// Commands the engine, and wakes the driver to carry out what follows.
    pub(crate) fn command<T>(&self, act: impl FnOnce(&mut E, Instant) -> T) -> T {
        let mut guarded = self.lock();
        let result = act(&mut guarded.engine, self.clock.now());
        let mut wake = Vec::new();
        guarded.engine.take_wakers(&mut wake);
        let driver = guarded.driver.take();
        drop(guarded);
        wake_all(driver.into_iter().chain(wake));
        result
    }

    /// Waits until the engine's state answers.
    pub(crate) async fn wait<T>(&self, mut ask: impl FnMut(&mut E) -> Poll<T>) -> T {
        let mut wait = Wait { shared: self, place: Place::default() };
        poll_fn(|context| {
            let (answer, replaced) = wait.shared.query(|engine| match ask(engine) {
                Poll::Ready(answer) => (Poll::Ready(answer), None),
                Poll::Pending => {
                    let waker = context.waker();
                    (Poll::Pending, engine.observers().observe(&mut wait.place, waker))
                }
            });
            drop(replaced);
            answer
        })
        .await
    }

    /// Asks the engine something that makes it neither send nor wait for anything new.
    pub(crate) fn query<T>(&self, ask: impl FnOnce(&mut E) -> T) -> T {
        ask(&mut self.lock().engine)
    }

    /// No code of a user's runs under this lock: it might want the lock itself.
    pub(super) fn lock(&self) -> MutexGuard<'_, Guarded<E>> {
        self.guarded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A future that waits, whose waker goes with it.
struct Wait<'a, E: Engine> {
    shared: &'a Shared<E>,
    place: Place,
}

impl<E: Engine> Drop for Wait<'_, E> {
    fn drop(&mut self) {
        drop(self.shared.query(|engine| engine.observers().release(&self.place)));
    }
}

/// Wakes all of them, whatever one of them may do: each belongs to somebody else.
pub(crate) fn wake_all(wakers: impl Iterator<Item = Waker>) {
    for waker in wakers {
        // The panic of a waker has been reported by its hook; the others still have to be woken.
        let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
    }
}

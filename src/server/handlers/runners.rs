//! [`Running`]: who runs the handlers, and can be stopped.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::{JoinSet, yield_now};

use super::{Begun, Handler, begin, finish};
use crate::driver::Shared;
use crate::responder::{Answer, Arrived, Pending, Responder};

/// The handlers at work.
#[derive(Debug, Clone)]
pub(in crate::server) struct Running(Arc<Handlers>);

#[derive(Debug)]
struct Handlers {
    guarded: Mutex<Guarded>,
    /// How many threads the runtime has for them.
    threads: usize,
    /// Whether one that blocks its thread leaves others to the rest.
    is_parallel: bool,
}

#[derive(Debug)]
struct Guarded {
    tasks: JoinSet<()>,
    /// Requests whose handlers have not begun.
    waiting: VecDeque<Arrived>,
    /// Runners that have not begun.
    fresh: usize,
    /// No handler begins any more.
    is_over: bool,
}

/// Handlers that are begun in a row, before other tasks have their turn.
const IN_A_ROW: usize = 64;

impl Running {
    /// In the present runtime.
    pub(in crate::server) fn new() -> Self {
        let runtime = Handle::current();
        let guarded =
            Guarded { tasks: JoinSet::new(), waiting: VecDeque::new(), fresh: 0, is_over: false };
        Self(Arc::new(Handlers {
            guarded: Mutex::new(guarded),
            threads: runtime.metrics().num_workers(),
            is_parallel: runtime.runtime_flavor() != RuntimeFlavor::CurrentThread,
        }))
    }

    /// In a task of its own.
    pub(super) fn spawn(&self, handler: impl Future<Output = ()> + Send + 'static) {
        self.0.lock().spawn(handler);
    }

    /// Runs the handler of a request when a runner comes to it.
    pub(super) fn run(
        &self,
        handlers: &Arc<[Handler]>,
        shared: &Arc<Shared<Responder>>,
        arrived: Arrived,
    ) {
        let mut guarded = self.0.lock();
        if guarded.is_over {
            return;
        }
        guarded.waiting.push_back(arrived);
        if guarded.fresh < self.0.threads {
            guarded.fresh = guarded.fresh.saturating_add(1);
            guarded.spawn(self.clone().runner(Arc::clone(handlers), Arc::clone(shared)));
        }
    }

    /// Ends them all, as soon as they wait for something; none begins after that.
    pub(in crate::server) fn abort_all(&self) {
        let mut guarded = self.0.lock();
        guarded.is_over = true;
        guarded.tasks.abort_all();
        let waiting = core::mem::take(&mut guarded.waiting);
        drop(guarded);
        drop(waiting);
    }

    /// Begins with what waits until there is no more.
    async fn runner(self, handlers: Arc<[Handler]>, shared: Arc<Shared<Responder>>) {
        {
            let mut guarded = self.0.lock();
            guarded.fresh = guarded.fresh.saturating_sub(1);
        }
        while self.run_some(&handlers, &shared) {
            yield_now().await;
        }
    }

    /// Whether there may be more.
    fn run_some(&self, handlers: &Arc<[Handler]>, shared: &Arc<Shared<Responder>>) -> bool {
        let mut answers = Vec::new();
        for _ in 0..IN_A_ROW {
            let Some(Arrived { queue, request, pending, .. }) = self.next(handlers, shared) else {
                give(&mut answers, shared);
                return false;
            };
            let Some(handler) = handlers.get(queue) else { continue };
            match begin(handler, request, pending) {
                Begun::Ended(pending, answer) => answers.push((pending, answer)),
                Begun::Waits(at_work) => self.spawn(finish(at_work, Arc::clone(shared))),
            }
            // The next may block this thread, and another drives the connection meanwhile.
            if self.0.is_parallel {
                give(&mut answers, shared);
            }
        }
        give(&mut answers, shared);
        true
    }

    /// The next request. Where that leaves others, somebody is there for them.
    fn next(&self, handlers: &Arc<[Handler]>, shared: &Arc<Shared<Responder>>) -> Option<Arrived> {
        let mut guarded = self.0.lock();
        let next = guarded.waiting.pop_front();
        if self.0.is_parallel && guarded.fresh == 0 && !guarded.waiting.is_empty() {
            guarded.fresh = 1;
            guarded.spawn(self.clone().runner(Arc::clone(handlers), Arc::clone(shared)));
        }
        next
    }
}

/// Hands answers to the engine.
fn give(answers: &mut Vec<(Pending, Answer)>, shared: &Arc<Shared<Responder>>) {
    if !answers.is_empty() {
        shared.command(|responder, now| {
            for (pending, answer) in answers.drain(..) {
                responder.answer(now, pending, answer);
            }
        });
    }
}

impl Handlers {
    fn lock(&self) -> MutexGuard<'_, Guarded> {
        self.guarded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guarded {
    fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        while self.tasks.try_join_next().is_some() {}
        if !self.is_over {
            self.tasks.spawn(task);
        }
    }
}

/// A handler that nobody waits for runs on to its end: it has begun to change the world.
impl Drop for Handlers {
    fn drop(&mut self) {
        self.lock().tasks.detach_all();
    }
}

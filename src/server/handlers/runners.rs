//! [`Running`]: who runs the handlers, and can be stopped.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::{JoinSet, yield_now};

use super::{Begun, Served, begin, finish};
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
    /// Answers that have not been handed over. A few at a time cost the connection less than each by
    /// itself.
    answers: Vec<Answered>,
    /// Runners that have not begun.
    fresh: usize,
    /// No handler begins any more.
    is_over: bool,
}

/// What a handler has come to, and for which request.
type Answered = (Pending, Answer);

/// Handlers that are begun in a row, before other tasks have their turn.
const IN_A_ROW: usize = 64;

impl Running {
    /// In the present runtime.
    pub(in crate::server) fn new() -> Self {
        let runtime = Handle::current();
        let guarded = Guarded {
            tasks: JoinSet::new(),
            waiting: VecDeque::new(),
            answers: Vec::new(),
            fresh: 0,
            is_over: false,
        };
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
        queues: &Arc<[Served]>,
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
            guarded.spawn(self.clone().runner(Arc::clone(queues), Arc::clone(shared)));
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
    async fn runner(self, queues: Arc<[Served]>, shared: Arc<Shared<Responder>>) {
        {
            let mut guarded = self.0.lock();
            guarded.fresh = guarded.fresh.saturating_sub(1);
        }
        let mut ended = None;
        for number in 1_usize.. {
            match self.next(&queues, &shared, ended.take()) {
                Next::Run(Arrived { queue, request, pending, .. }) => {
                    let Some(served) = queues.get(queue) else { continue };
                    match begin(served, request, pending, &shared) {
                        Begun::Ended(pending, answer) => ended = Some((pending, answer)),
                        Begun::Waits(at_work) => self.spawn(finish(at_work, Arc::clone(&shared))),
                    }
                }
                Next::Give(answers) => {
                    give(answers, &shared);
                    // The driver goes first: where the next handler blocks this thread, it would be stuck.
                    if self.0.is_parallel {
                        yield_now().await;
                    }
                }
                Next::Nothing => return,
            }
            if number.is_multiple_of(IN_A_ROW) {
                // Nothing is held on to meanwhile that others could do.
                give(self.answers(ended.take()), &shared);
                yield_now().await;
            }
        }
    }

    /// What a runner is to do that has `ended` with a request.
    fn next(
        &self,
        queues: &Arc<[Served]>,
        shared: &Arc<Shared<Responder>>,
        ended: Option<Answered>,
    ) -> Next {
        let is_parallel = self.0.is_parallel;
        let mut guarded = self.0.lock();
        guarded.answers.extend(ended);
        // The next handler may block this thread. On several threads there is somebody for those that wait
        // behind it, who in the end hands over what has been answered.
        let is_last = match guarded.waiting.len() {
            0 => true,
            1 => is_parallel && guarded.fresh == 0,
            _ => false,
        };
        if is_last && !guarded.answers.is_empty() {
            return Next::Give(core::mem::take(&mut guarded.answers));
        }
        let Some(next) = guarded.waiting.pop_front() else { return Next::Nothing };
        if is_parallel && guarded.fresh == 0 && !guarded.waiting.is_empty() {
            guarded.fresh = 1;
            guarded.spawn(self.clone().runner(Arc::clone(queues), Arc::clone(shared)));
        }
        Next::Run(next)
    }

    /// All that have not been handed over.
    fn answers(&self, ended: Option<Answered>) -> Vec<Answered> {
        let mut guarded = self.0.lock();
        guarded.answers.extend(ended);
        core::mem::take(&mut guarded.answers)
    }
}

/// What a runner is to do next.
enum Next {
    Run(Arrived),
    Give(Vec<Answered>),
    Nothing,
}

/// Hands answers to the engine.
fn give(answers: Vec<Answered>, shared: &Arc<Shared<Responder>>) {
    if !answers.is_empty() {
        shared.command(|responder, now| {
            for (pending, answer) in answers {
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

//! The handlers at work.
//!
//! ```text
//!            requests of a turn               at its end at once
//!   driver ──────────────────────▶ runner ──────────────────────────▶ engine
//!                                    │ waits for something                ▲
//!                                    └──────────▶ task of its own ────────┘
//! ```
//!
//! Most handlers end without having waited for anything, and a task for each would cost more than they
//! do. So one task, a runner, begins the requests of a turn, one after the other, and what does not end
//! at once goes on in a task of its own. Where a runtime has several threads there are as many runners,
//! which take from the same queue: a handler that blocks its thread keeps no other request waiting that
//! a task of its own would not have.

mod runners;

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::driver::Shared;
use crate::replies::Replies;
use crate::responder::{Answer, Arrived, Pending, Responder, Sent};
use crate::trace::{Instrumentation, Operation};
use crate::{Fault, Reply, Request};

pub(super) use self::runners::Running;

pub(super) type Handler = Arc<dyn Fn(Request) -> HandlerFuture + Send + Sync>;
pub(super) type HandlerFuture = Pin<Box<dyn Future<Output = Outcome> + Send>>;

type Outcome = Result<Reply, Fault>;

/// The handler of a queue, and what is told of it.
#[derive(Clone)]
pub(super) struct Served {
    pub(super) handler: Handler,
    pub(super) instrumentation: Instrumentation,
}

/// Runs the handler of each request.
pub(super) fn work(
    queues: Vec<Served>,
    replies: Option<Replies>,
    running: Running,
) -> impl FnMut(&Arc<Shared<Responder>>, Arrived) + Clone {
    let queues: Arc<[Served]> = queues.into();
    move |shared, arrived| match &replies {
        None => running.run(&queues, shared, arrived),
        Some(replies) => {
            if let Some(served) = queues.get(arrived.queue) {
                let (served, shared) = (served.clone(), Arc::clone(shared));
                running.spawn(serve(served, shared, replies.clone(), arrived));
            }
        }
    }
}

/// What has come of the beginning of a handler.
enum Begun<F> {
    Ended(Pending, Answer),
    Waits(AtWork<F>),
}

/// A handler that waits for something.
struct AtWork<F> {
    operation: Operation,
    future: F,
    pending: Pending,
}

/// Runs the handler as far as it goes at once.
fn begin(
    Served { handler, instrumentation }: &Served,
    request: Request,
    pending: Pending,
    shared: &Shared<Responder>,
) -> Begun<impl Future<Output = Outcome> + Send + Unpin + use<>> {
    let operation = instrumentation.handler(&request, &pending, shared);
    let begun = catching(|| {
        let mut future = operation.run(operation.enter(|| handler(request)));
        // If it waits, it is polled again at once, by the task that it is woken with.
        match Pin::new(&mut future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => Ok(outcome),
            Poll::Pending => Err(future),
        }
    });
    match begun {
        Ok(Err(future)) => Begun::Waits(AtWork { operation, future, pending }),
        Ok(Ok(outcome)) => Begun::Ended(pending, answer(&operation, Ok(outcome))),
        Err(message) => Begun::Ended(pending, answer(&operation, Err(message))),
    }
}

/// Runs the handler to its end, and hands its answer to the engine.
async fn finish(at_work: AtWork<impl Future<Output = Outcome>>, shared: Arc<Shared<Responder>>) {
    let AtWork { operation, future, pending } = at_work;
    let answer = answer(&operation, unwinding(future).await);
    shared.command(|responder, now| responder.answer(now, pending, answer));
}

/// Runs the handler for one request, and sends its reply where it goes on another connection.
async fn serve(
    Served { handler, instrumentation }: Served,
    shared: Arc<Shared<Responder>>,
    replies: Replies,
    arrived: Arrived,
) {
    let Arrived { request, pending, deadline, .. } = arrived;
    let operation = instrumentation.handler(&request, &pending, &shared);
    let handler = operation.run(async move { handler(request).await });
    let answer = answer(&operation, unwinding(handler).await);
    let (letter, settlement, left) = shared.command(|responder, now| {
        let (letter, settlement) = responder.write(pending, answer);
        (letter, settlement, deadline.map(|deadline| deadline.since(now)))
    });
    let sent = match letter {
        Some(letter) => replies.send(letter, left).await,
        None => Sent::Nothing,
    };
    shared.command(|responder, now| responder.settle(now, settlement, sent));
}

/// What the handler came to, or the message of its panic.
fn answer(operation: &Operation, outcome: Result<Outcome, String>) -> Answer {
    let answer = match outcome {
        Ok(Ok(reply)) => Answer::Reply(reply),
        Ok(Err(fault)) => Answer::Fault(fault),
        Err(message) => Answer::Panic(message),
    };
    operation.answered(&answer);
    answer
}

/// The future's output, or the message of its panic.
async fn unwinding<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let mut future = pin!(future);
    // The future is not polled again after a panic, so nobody sees it in a broken state.
    poll_fn(|context| match catching(|| future.as_mut().poll(context)) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Err(message) => Poll::Ready(Err(message)),
    })
    .await
}

/// What it gives, or the message of its panic.
fn catching<T>(act: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(act)).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        text.unwrap_or("the handler panicked").to_owned()
    })
}

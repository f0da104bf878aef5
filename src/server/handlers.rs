//! The handlers at work: each request's, in a task of its own.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use tokio::task::JoinSet;

use crate::driver::Shared;
use crate::replies::Replies;
use crate::responder::{Answer, Arrived, Responder, Sent};
use crate::trace::Operation;
use crate::{Fault, Reply, Request};

pub(super) type Handler = Arc<dyn Fn(Request) -> HandlerFuture + Send + Sync>;
pub(super) type HandlerFuture = Pin<Box<dyn Future<Output = Result<Reply, Fault>> + Send>>;

/// The handlers at work.
#[derive(Debug, Clone, Default)]
pub(super) struct Running(Arc<Handlers>);

#[derive(Debug, Default)]
struct Handlers(Mutex<JoinSet<()>>);

impl Running {
    fn spawn(&self, handler: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.0.tasks();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(handler);
    }

    pub(super) fn abort_all(&self) {
        self.0.tasks().abort_all();
    }
}

impl Handlers {
    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A handler that nobody waits for runs on to its end: it has begun to change the world.
impl Drop for Handlers {
    fn drop(&mut self) {
        self.tasks().detach_all();
    }
}

/// Runs the handler of each request.
pub(super) fn work(
    handlers: Vec<Handler>,
    replies: Option<Replies>,
    running: Running,
) -> impl FnMut(&Arc<Shared<Responder>>, Arrived) + Clone {
    move |shared, arrived| {
        if let Some(handler) = handlers.get(arrived.queue) {
            let (handler, shared) = (Arc::clone(handler), Arc::clone(shared));
            running.spawn(serve(handler, shared, replies.clone(), arrived));
        }
    }
}

/// Runs the handler for one request and hands its answer to the engine.
async fn serve(
    handler: Handler,
    shared: Arc<Shared<Responder>>,
    replies: Option<Replies>,
    arrived: Arrived,
) {
    let Arrived { request, pending, deadline, .. } = arrived;
    let operation = Operation::handler(&request);
    let handler = operation.run(async move { handler(request).await });
    let answer = match unwinding(handler).await {
        Ok(Ok(reply)) => Answer::Reply(reply),
        Ok(Err(fault)) => Answer::Fault(fault),
        Err(message) => Answer::Panic(message),
    };
    operation.answered(&answer);
    let Some(replies) = replies else {
        return shared.command(|responder, now| responder.answer(now, pending, answer));
    };
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

/// The future's output, or the message of its panic.
async fn unwinding<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let mut future = pin!(future);
    let caught = poll_fn(|context| {
        // The future is not polled again after a panic, so nobody sees it in a broken state.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    });
    caught.await.map_err(|panic| {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        text.unwrap_or("the handler panicked").to_owned()
    })
}

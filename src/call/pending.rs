//! [`PendingCall`]: the future of a call.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::RequestBuilder;
use crate::pool::Chosen;
use crate::requester::{CallId, Requester};
use crate::trace::Operation;
use crate::{CallError, Reply};

/// A call under way. It is in the requester's table before its first octet is sent, and out of it
/// when this is dropped.
///
/// A future by hand and not of an `async` block: those have a place of its own for whatever they
/// await, and move the request from one to the next.
pub(super) struct PendingCall<'a>(Stage<'a>);

enum Stage<'a> {
    New(RequestBuilder<'a>),
    Made(Made<'a>),
    Over,
}

struct Made<'a> {
    id: CallId,
    /// To the end of the call, it is one more on its connection.
    chosen: Chosen<'a, Requester>,
    operation: Operation,
}

impl<'a> PendingCall<'a> {
    pub(super) fn new(request: RequestBuilder<'a>) -> Self {
        Self(Stage::New(request))
    }
}

impl Future for PendingCall<'_> {
    type Output = Result<Reply, CallError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let result = match &mut self.0 {
            Stage::New(request) => {
                let (made, result) = make(request, context);
                self.0 = made.map_or(Stage::Over, Stage::Made);
                result
            }
            Stage::Made(made) => made.poll(context),
            Stage::Over => Poll::Pending,
        };
        if result.is_ready() {
            self.0 = Stage::Over;
        }
        result
    }
}

/// Makes the call, and asks for its result for the first time, under one lock.
fn make<'a>(
    request: &mut RequestBuilder<'a>,
    context: &mut Context<'_>,
) -> (Option<Made<'a>>, Poll<Result<Reply, CallError>>) {
    if let Some(invalid) = request.invalid.take() {
        return (None, Poll::Ready(Err(CallError::InvalidRequest(invalid))));
    }
    let chosen = request.pool.least_loaded();
    let operation = request.instrumentation.call(&mut request.outgoing, chosen.shared);
    let RequestBuilder { outgoing, timeout, .. } = request;
    let (id, result, replaced) = operation.enter(|| {
        chosen.shared.command(|requester, now| {
            match requester.request_from(now, outgoing, *timeout) {
                Ok(id) => (Some(id), requester.poll_call(id, context), requester.take_discarded()),
                Err(error) => (None, Poll::Ready(Err(error)), None),
            }
        })
    });
    drop(replaced);
    if let Some(id) = id {
        operation.made(|| chosen.shared.query(|requester| requester.correlation_id(id)));
    }
    if let Poll::Ready(result) = &result {
        operation.called(result);
    }
    (id.map(|id| Made { id, chosen, operation }), result)
}

impl Made<'_> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Reply, CallError>> {
        let (result, replaced) = self.operation.enter(|| {
            self.chosen.shared.query(|requester| {
                (requester.poll_call(self.id, context), requester.take_discarded())
            })
        });
        drop(replaced);
        if let Poll::Ready(result) = &result {
            self.operation.called(result);
        }
        result
    }
}

impl Drop for PendingCall<'_> {
    fn drop(&mut self) {
        if let Stage::Made(made) = &self.0 {
            drop(made.chosen.shared.command(|requester, _| {
                requester.cancel(made.id);
                requester.take_discarded()
            }));
        }
    }
}

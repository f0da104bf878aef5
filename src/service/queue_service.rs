//! [`QueueService`]: the client as a service.

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::OwnedSemaphorePermit;
use tower_service::Service;

use super::OutgoingRequest;
use crate::{CallError, Client, Reply};

/// A queue as a service: it is called with a request, and answers with the reply.
///
/// # When it is ready
/// As many calls as the client's [`max_in_flight`](crate::ClientBuilder::max_in_flight) says, on each of
/// its connections, may be under way in all of its services together; `poll_ready` waits until there is
/// room for one more, and keeps it until the call has ended or the service is dropped. It waits no longer
/// than the timeouts of those that are under way. Calls that are made without a service are not
/// counted; together with them it may come to a call that waits for its turn, inside its own timeout.
///
/// While the client is not connected, or its broker has an alarm on, the service is ready as long as
/// there is room: the call then waits, inside its own timeout. So no time is spent without a limit, and
/// what waits is bounded. Who would rather not wait asks [`Client::connection_state`].
///
/// `poll_ready` fails when the client is of no more use: it was closed, is to close, or has lost its
/// connection for good. A service that is called without being ready makes its call all the same.
///
/// # Errors
/// [`CallError`], as for [`Client::call`].
#[derive(Debug)]
pub struct QueueService {
    client: Client,
    queue: Arc<str>,
    own_channel: bool,
    room: Room,
}

/// Whether one more call may be made.
enum Room {
    Unknown,
    /// `None`: the client has closed.
    Waiting(Pin<Box<dyn Future<Output = Option<OwnedSemaphorePermit>> + Send + Sync>>),
    Kept(#[expect(dead_code, reason = "held")] OwnedSemaphorePermit),
}

impl Client {
    /// The queue as a [`Service`](tower_service::Service).
    pub fn service(&self, queue: impl Into<Arc<str>>) -> QueueService {
        let client = self.clone();
        QueueService { client, queue: queue.into(), own_channel: false, room: Room::Unknown }
    }
}

impl QueueService {
    /// Makes each call on a channel of its own, as
    /// [`RequestBuilder::own_channel`](crate::RequestBuilder::own_channel) does.
    #[must_use]
    pub fn own_channel(mut self) -> Self {
        self.own_channel = true;
        self
    }
}

/// The room that is kept for a call stays with the one that it is kept for.
impl Clone for QueueService {
    fn clone(&self) -> Self {
        let (client, queue) = (self.client.clone(), Arc::clone(&self.queue));
        Self { client, queue, own_channel: self.own_channel, room: Room::Unknown }
    }
}

impl Service<OutgoingRequest> for QueueService {
    type Response = Reply;
    type Error = CallError;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        loop {
            if let Some(refusal) = self.client.refusal() {
                self.room = Room::Unknown;
                return Poll::Ready(Err(refusal));
            }
            self.room = match &mut self.room {
                Room::Kept(_) => return Poll::Ready(Ok(())),
                Room::Unknown => match Arc::clone(self.client.room()).try_acquire_owned() {
                    Ok(permit) => Room::Kept(permit),
                    Err(_) => Room::Waiting(Box::pin(room(self.client.clone()))),
                },
                Room::Waiting(room) => match room.as_mut().poll(context) {
                    Poll::Ready(Some(permit)) => Room::Kept(permit),
                    // To be told why.
                    Poll::Ready(None) => Room::Unknown,
                    Poll::Pending => return Poll::Pending,
                },
            };
        }
    }

    fn call(&mut self, request: OutgoingRequest) -> ResponseFuture {
        let (client, queue) = (self.client.clone(), Arc::clone(&self.queue));
        let (own_channel, room) =
            (self.own_channel, core::mem::replace(&mut self.room, Room::Unknown));
        ResponseFuture(Box::pin(async move {
            let _room = room;
            let OutgoingRequest { body, properties, timeout } = request;
            let mut call = client.request(&queue).body(body).properties(properties);
            if let Some(timeout) = timeout {
                call = call.timeout(timeout);
            }
            if own_channel {
                call = call.own_channel();
            }
            call.send().await
        }))
    }
}

/// Waits for room, or for the end of the client.
async fn room(client: Client) -> Option<OwnedSemaphorePermit> {
    let mut closed = pin!(client.closed());
    let mut acquired = pin!(Arc::clone(client.room()).acquire_owned());
    poll_fn(|context| match closed.as_mut().poll(context) {
        Poll::Ready(_) => Poll::Ready(None),
        Poll::Pending => acquired.as_mut().poll(context).map(Result::ok),
    })
    .await
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "Unknown",
            Self::Waiting(_) => "Waiting",
            Self::Kept(_) => "Kept",
        })
    }
}

/// A call of a [`QueueService`]. Dropping it forgets the call.
#[must_use = "a request is sent when its future is first polled"]
pub struct ResponseFuture(Pin<Box<dyn Future<Output = Result<Reply, CallError>> + Send>>);

impl Future for ResponseFuture {
    type Output = Result<Reply, CallError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

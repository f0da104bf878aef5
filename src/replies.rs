//! [`Replies`]: a server's second connection.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::connect::{ConnectError, Options, Start};
use crate::driver::Shared;
use crate::engine::Engine;
use crate::replier::{LetterId, Replier};
use crate::responder::{Letter, Responder, Sent};

/// Where a server sends its replies, if not where it consumes. Closed with its last clone.
#[derive(Debug, Clone)]
pub(crate) struct Replies(Arc<Inner>);

#[derive(Debug)]
struct Inner(Arc<Shared<Replier>>);

impl Drop for Inner {
    fn drop(&mut self) {
        self.0.command(Replier::close);
    }
}

impl Replies {
    pub(crate) async fn connect(options: Options) -> Result<Self, ConnectError> {
        let engine = |Start { config, reconnecting, address, now }| {
            Replier::new(config, now).with_reconnect(reconnecting, address)
        };
        let ready = |replier: &mut Replier| replier.readiness();
        let shared = options.connect(engine, |_, never| match never {}, ready).await?;
        Ok(Self(Arc::new(Inner(shared))))
    }

    pub(crate) fn blocked(&self) -> Option<String> {
        self.0.0.query(|replier| replier.blocked().map(ToOwned::to_owned))
    }

    /// Ends the server when its replies cannot be sent any more: it is to take no requests then.
    pub(crate) fn bind(&self, server: &Arc<Shared<Responder>>) {
        let (replies, server) = (Arc::clone(&self.0.0), Arc::clone(server));
        tokio::spawn(async move {
            let ended = |replier: &mut Replier| match replier.ended() {
                Some(result) => Poll::Ready(result.clone()),
                None => Poll::Pending,
            };
            if let Err(failure) = replies.wait(ended).await {
                server.command(|responder, now| responder.end(now, Err(failure)));
            }
        });
    }

    /// Begins to close the connection, in good order.
    pub(crate) fn close(&self) {
        self.0.0.command(Replier::close);
    }

    /// Waits until it is closed.
    pub(crate) async fn closed(&self) {
        let is_finished = |replier: &mut Replier| match replier.is_finished() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        };
        self.0.0.wait(is_finished).await;
    }

    /// Waits until the reply is written, or nobody waits for it any more.
    pub(crate) async fn send(&self, letter: Letter, left: Option<Duration>) -> Sent {
        let shared = &*self.0.0;
        let id = shared
            .command(|replier, now| replier.post(now, letter, left.map(|left| now.after(left))));
        PendingLetter { shared, id }.await
    }
}

/// A reply that is to be sent, and that is forgotten when this is dropped.
struct PendingLetter<'a> {
    shared: &'a Shared<Replier>,
    id: LetterId,
}

impl Future for PendingLetter<'_> {
    type Output = Sent;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Sent> {
        let (sent, replaced) = self.shared.query(|replier| replier.poll_posted(self.id, context));
        drop(replaced);
        sent
    }
}

impl Drop for PendingLetter<'_> {
    fn drop(&mut self) {
        drop(self.shared.command(|replier, _| replier.cancel(self.id)));
    }
}

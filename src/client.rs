//! [`Client`]: calls over one connection or several, from any number of tasks.

mod builder;

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use leveret_codec::FieldTable;

use tokio::sync::watch;

use crate::connect::ConnectError;
use crate::engine::Engine;
use crate::pool::Pool;
use crate::requester::{Requester, Stats};
use crate::trace::Instrumentation;
use crate::uri::{Uri, UriError};
use crate::{CallError, ConnectionState, Reply, RequestBuilder, SessionError};

pub use self::builder::ClientBuilder;

/// A client: sends requests to queues and waits for the replies.
///
/// It is cheap to clone, and all clones share one connection, with one channel and one consumer of
/// replies for ordinary calls. Any number of calls may be under way at the same time. One connection is
/// enough for most; [`ClientBuilder::connections`] says who needs more.
///
/// What the broker may refuse, by closing the channel, travels on a channel that is lent to it alone: a
/// request to a named exchange, with a user-id, or with a larger body than the broker was seen to take,
/// beyond 128 KiB. So a refusal costs the call that it is about
/// ([`CallError::Refused`]) and no other.
///
/// When the connection is lost, the client makes another ([`ClientBuilder::reconnect`]). Calls that were
/// sent fail with [`CallError::Disconnected`]; those that wait, and new ones, go on the next.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use leveret::Client;
///
/// let client = Client::connect("amqp://localhost").await?;
/// let reply = client.call("ping", "hello").await?;
/// println!("{}", reply.text()?);
/// client.close().await;
/// # Ok(())
/// # }
/// ```
///
/// When the last clone is dropped, the connection is closed in the background;
/// [`close`](Self::close) waits for that, which a program that is about to end should.
#[derive(Debug, Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    pool: Pool<Requester>,
    instrumentation: Instrumentation,
    timeout: Duration,
    /// For calls of services.
    #[cfg(feature = "tower")]
    room: Arc<tokio::sync::Semaphore>,
}

impl Client {
    /// Connects with the defaults.
    ///
    /// # Errors
    /// [`ConnectError`] says what is wrong: the URI, the address, the credentials, the virtual
    /// host, or that the peer is no AMQP broker at all.
    pub async fn connect(
        uri: impl TryInto<Uri, Error: Into<UriError>>,
    ) -> Result<Self, ConnectError> {
        Self::builder(uri).connect().await
    }

    /// A client to be configured.
    pub fn builder(uri: impl TryInto<Uri, Error: Into<UriError>>) -> ClientBuilder {
        ClientBuilder::new(uri.try_into().map_err(Into::into))
    }

    /// Sends `body` to the queue and waits for the reply, for 30 seconds unless the client was
    /// built with another timeout.
    ///
    /// # Errors
    /// [`CallError`]; its [`outcome`](CallError::outcome) tells whether the request may have run.
    pub fn call<Q: AsRef<str>, B: Into<Bytes>>(
        &self,
        queue: Q,
        body: B,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send + use<'_, Q, B> {
        self.request(queue).body(body).send()
    }

    /// A request to be configured.
    pub fn request(&self, queue: impl AsRef<str>) -> RequestBuilder<'_> {
        {
            let Inner { pool, instrumentation, timeout, .. } = &*self.inner;
            RequestBuilder::new(pool, instrumentation, queue.as_ref(), *timeout)
        }
    }

    /// Why no call can be made any more.
    #[cfg(feature = "tower")]
    pub(crate) fn refusal(&self) -> Option<CallError> {
        let pool = &self.inner.pool;
        // Each connection that still takes calls is enough.
        let is_over = pool.iter().all(|shared| shared.query(|requester| requester.is_over()));
        is_over.then(|| pool.first().query(|requester| requester.refusal()))
    }

    /// For how many calls of services there is room.
    #[cfg(feature = "tower")]
    pub(crate) fn room(&self) -> &Arc<tokio::sync::Semaphore> {
        &self.inner.room
    }

    /// How it goes, on all connections together.
    pub fn stats(&self) -> Stats {
        self.inner.pool.iter().map(|shared| shared.query(|requester| requester.stats())).sum()
    }

    /// Why the broker does not take requests at the moment, such as "low on memory"
    /// (`connection.blocked`). Calls then wait, inside their own timeout, until it does. Of several
    /// connections, there is none then that it takes requests from.
    pub fn blocked(&self) -> Option<String> {
        match self.inner.pool.best_state() {
            ConnectionState::Blocked { reason } => Some(reason),
            _ => None,
        }
    }

    /// What the broker said of itself: product, version, capabilities. Of several connections, this is
    /// what the first was told.
    pub fn server_properties(&self) -> FieldTable {
        let first = self.inner.pool.first();
        first.query(|requester| requester.connection().server_properties().clone())
    }

    /// How it is with the connection, now and from now on: to show, to log, or to wait for. Of several,
    /// this is the best one's state: calls can be made where one is connected.
    ///
    /// ```no_run
    /// # async fn run(client: leveret::Client) {
    /// let mut state = client.connection_state();
    /// while state.changed().await.is_ok() {
    ///     println!("{:?}", *state.borrow_and_update());
    /// }
    /// # }
    /// ```
    pub fn connection_state(&self) -> watch::Receiver<ConnectionState> {
        self.inner.pool.connection_state()
    }

    /// Waits until the client is of no more use: it was closed, or its connection was lost and it is
    /// not to [`reconnect`](ClientBuilder::reconnect). Of several connections, all were lost then.
    ///
    /// # Errors
    /// [`SessionError`] says why the connection was lost, or the first of several.
    pub async fn closed(&self) -> Result<(), SessionError> {
        let ended = |requester: &mut Requester| match requester.ended() {
            Some(result) => Poll::Ready(result.clone()),
            None => Poll::Pending,
        };
        let results = self.inner.pool.wait(ended).await;
        // One that its user has closed has not been lost, even if others were before.
        match results.contains(&Ok(())) {
            true => Ok(()),
            false => results.into_iter().collect(),
        }
    }

    /// Closes when the calls that are pending, on any clone, have ended. New calls fail with
    /// [`CallError::Closed`] from now on, and so do those that are pending when `limit` is over. Gives
    /// back how many those were.
    ///
    /// Once this future has been polled, the client drains even if it is dropped, and then without a
    /// limit.
    pub async fn drain(&self, limit: Duration) -> usize {
        self.inner.pool.command(Requester::drain);
        let drained = tokio::time::timeout(limit, self.inner.pool.wait(finished)).await;
        let left = if drained.is_ok() { 0 } else { self.stats().pending };
        self.close().await;
        left
    }

    /// Closes all connections in good order, and waits until that is done, for 5 seconds at most.
    /// Calls that are still pending, on any clone, fail with [`CallError::Closed`].
    ///
    /// Once this future has been polled, the client closes even if it is dropped.
    pub async fn close(&self) {
        self.inner.pool.command(Requester::close);
        self.inner.pool.wait(finished).await;
    }
}

/// Whether nothing more is to be expected of a connection.
fn finished(requester: &mut Requester) -> Poll<()> {
    if requester.is_finished() { Poll::Ready(()) } else { Poll::Pending }
}

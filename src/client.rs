//! [`Client`]: calls over one connection, from any number of tasks.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use leveret_codec::FieldTable;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use crate::connect::{ConnectError, MAX_BODY_SIZE, Options, Start, random};
use crate::driver::Shared;
use crate::engine::Engine;
use crate::requester::{Requester, Stats};
use crate::uri::{Uri, UriError};
use crate::{CallError, ConnectionState, Reconnect, Reply, RequestBuilder, SessionError};

/// A client: sends requests to queues and waits for the replies.
///
/// It is cheap to clone, and all clones share one connection, one channel and one consumer of
/// replies. Any number of calls may be under way at the same time.
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
    shared: Arc<Shared<Requester>>,
    timeout: Duration,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.command(Requester::close);
    }
}

/// How long a call may take if nothing else is said.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

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
        ClientBuilder {
            uri: uri.try_into().map_err(Into::into),
            timeout: CALL_TIMEOUT,
            connect_timeout: None,
            connection_name: None,
            reconnect: Reconnect::default(),
            max_body_size: MAX_BODY_SIZE,
            max_in_flight: MAX_IN_FLIGHT,
            fails_when_busy: false,
        }
    }

    /// Sends `body` to the queue and waits for the reply, for 30 seconds unless the client was
    /// built with another timeout.
    ///
    /// # Errors
    /// [`CallError`]; its [`outcome`](CallError::outcome) tells whether the request may have run.
    pub async fn call(
        &self,
        queue: impl Into<String>,
        body: impl Into<Bytes>,
    ) -> Result<Reply, CallError> {
        self.request(queue).body(body).send().await
    }

    /// A request to be configured.
    pub fn request(&self, queue: impl Into<String>) -> RequestBuilder<'_> {
        RequestBuilder::new(&self.inner.shared, queue.into(), self.inner.timeout)
    }

    /// How it goes.
    pub fn stats(&self) -> Stats {
        self.inner.shared.query(|requester| requester.stats())
    }

    /// Why the broker does not take requests at the moment, such as "low on memory"
    /// (`connection.blocked`). Calls then wait, inside their own timeout, until it does.
    pub fn blocked(&self) -> Option<String> {
        self.inner.shared.query(|requester| requester.blocked().map(ToOwned::to_owned))
    }

    /// What the broker said of itself: product, version, capabilities.
    pub fn server_properties(&self) -> FieldTable {
        self.inner.shared.query(|requester| requester.connection().server_properties().clone())
    }

    /// How it is with the connection, now and from now on: to show, to log, or to wait for.
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
        self.inner.shared.connection_state()
    }

    /// Waits until the client is of no more use: it was closed, or its connection was lost and it is
    /// not to [`reconnect`](ClientBuilder::reconnect).
    ///
    /// # Errors
    /// [`SessionError`] says why the connection was lost.
    pub async fn closed(&self) -> Result<(), SessionError> {
        let ended = |requester: &mut Requester| match requester.ended() {
            Some(result) => Poll::Ready(result.clone()),
            None => Poll::Pending,
        };
        self.inner.shared.wait(ended).await
    }

    /// Closes when the calls that are pending, on any clone, have ended. New calls fail with
    /// [`CallError::Closed`] from now on, and so do those that are pending when `limit` is over. Gives
    /// back how many those were.
    pub async fn drain(&self, limit: Duration) -> usize {
        self.inner.shared.command(Requester::drain);
        let drained = tokio::time::timeout(limit, self.inner.shared.wait(finished)).await;
        let left = if drained.is_ok() { 0 } else { self.stats().pending };
        self.close().await;
        left
    }

    /// Closes the connection in good order, and waits until that is done, for 5 seconds at most.
    /// Calls that are still pending, on any clone, fail with [`CallError::Closed`].
    pub async fn close(&self) {
        self.inner.shared.command(Requester::close);
        self.inner.shared.wait(finished).await;
    }
}

/// Whether nothing more is to be expected of the connection.
fn finished(requester: &mut Requester) -> Poll<()> {
    if requester.is_finished() { Poll::Ready(()) } else { Poll::Pending }
}

/// Configures a [`Client`].
#[derive(Debug)]
#[must_use = "a builder does nothing before `connect`"]
pub struct ClientBuilder {
    uri: Result<Uri, UriError>,
    timeout: Duration,
    connect_timeout: Option<Duration>,
    connection_name: Option<String>,
    reconnect: Reconnect,
    max_body_size: u64,
    max_in_flight: usize,
    fails_when_busy: bool,
}

/// How many calls may be under way if nothing else is said.
const MAX_IN_FLIGHT: usize = 1024;

impl ClientBuilder {
    /// How long a call may take, everything included. 30 seconds unless set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long connecting to one address may take, from the first packet to the subscription. 10
    /// seconds unless set here or as `connection_timeout` in the URI.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// The name of the connection in the broker's log and management pages; of more than 1024
    /// octets, the first 1024.
    pub fn connection_name(mut self, name: impl Into<String>) -> Self {
        self.connection_name = Some(name.into());
        self
    }

    /// Whether to connect anew when the connection is lost, and after what pauses. Unless set, it is
    /// tried for ever ([`Reconnect::default`]).
    pub fn reconnect(mut self, policy: Reconnect) -> Self {
        self.reconnect = policy;
        self
    }

    /// The most calls that are sent and not ended: 1024 unless set, and 1 at least. Further calls wait
    /// inside their own timeout, in the order they came, or fail if
    /// [`fail_when_busy`](Self::fail_when_busy) says so.
    pub fn max_in_flight(mut self, calls: usize) -> Self {
        self.max_in_flight = calls;
        self
    }

    /// Makes a call fail at once with [`CallError::Busy`], where [`max_in_flight`](Self::max_in_flight)
    /// calls have not ended, whether they are sent or wait for a connection.
    pub fn fail_when_busy(mut self) -> Self {
        self.fails_when_busy = true;
        self
    }

    /// The largest body to send, in octets: 16 MiB unless set, as RabbitMQ 4 takes.
    pub fn max_body_size(mut self, octets: u64) -> Self {
        self.max_body_size = octets;
        self
    }

    /// Connects, logs in and subscribes to the replies.
    ///
    /// # Errors
    /// [`ConnectError`], as for [`Client::connect`].
    pub async fn connect(self) -> Result<Client, ConnectError> {
        let connect = self.options()?.connect(self.engine(), |_, never| match never {}, ready);
        let shared = connect.await?;
        Ok(self.client(shared))
    }

    /// Logs in and subscribes over a stream that is there already, such as a tunnel or one end of
    /// [`tokio::io::duplex`]. Of the URI, user, password, virtual host and parameters count. There is
    /// no other stream to reconnect with: when this one ends, so does the client.
    ///
    /// Nobody but you knows where the stream leads, so the password is sent in the clear if nothing
    /// else is asked for: see to it that the stream is private or encrypts.
    ///
    /// # Errors
    /// [`ConnectError`], as for [`Client::connect`].
    pub async fn connect_over<S>(self, stream: S) -> Result<Client, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let options = self.options()?;
        let connect = options.connect_over(stream, self.engine(), |_, never| match never {}, ready);
        let shared = connect.await?;
        Ok(self.client(shared))
    }

    fn options(&self) -> Result<Options, ConnectError> {
        let mut options = Options::new(self.uri.clone()?)?;
        options.connect_timeout = self.connect_timeout.unwrap_or(options.connect_timeout);
        options.reconnect = self.reconnect;
        if let Some(name) = &self.connection_name {
            options.set_connection_name(name)?;
        }
        Ok(options)
    }

    fn engine(&self) -> impl Fn(Start) -> Requester + use<> {
        let secret = u128::from(random()) << 64 | u128::from(random());
        let Self { max_body_size, max_in_flight, fails_when_busy, .. } = *self;
        move |Start { config, reconnecting, address, now }| {
            Requester::new(config, max_body_size, secret, now)
                .with_reconnect(reconnecting, address)
                .with_max_in_flight(max_in_flight, fails_when_busy)
        }
    }

    fn client(self, shared: Arc<Shared<Requester>>) -> Client {
        Client { inner: Arc::new(Inner { shared, timeout: self.timeout }) }
    }
}

fn ready(requester: &mut Requester) -> Poll<Result<(), SessionError>> {
    requester.readiness()
}

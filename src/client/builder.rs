//! [`ClientBuilder`]: what a client is to be.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use super::{Client, Inner};
use crate::connect::{ConnectError, MAX_BODY_SIZE, Options, Start, random};
use crate::connection::Config;
use crate::pool::Pool;
use crate::requester::Requester;
use crate::trace::{Instrumentation, Propagation};
use crate::uri::{Address, Uri, UriError};
use crate::{Reconnect, SessionError};

/// Configures a [`Client`].
#[derive(Debug)]
#[must_use = "a builder does nothing before `connect`"]
pub struct ClientBuilder {
    uri: Result<Uri, UriError>,
    connections: usize,
    timeout: Duration,
    connect_timeout: Option<Duration>,
    #[cfg(feature = "tls")]
    tls: Option<crate::TlsOptions>,
    connection_name: Option<String>,
    reconnect: Reconnect,
    max_body_size: u64,
    max_in_flight: usize,
    fails_when_busy: bool,
    pub(crate) propagation: Propagation,
}

/// How long a call may take if nothing else is said.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// How many calls may be under way if nothing else is said.
const MAX_IN_FLIGHT: usize = 1024;

impl ClientBuilder {
    pub(super) fn new(uri: Result<Uri, UriError>) -> Self {
        Self {
            uri,
            connections: 1,
            timeout: CALL_TIMEOUT,
            connect_timeout: None,
            #[cfg(feature = "tls")]
            tls: None,
            connection_name: None,
            reconnect: Reconnect::default(),
            max_body_size: MAX_BODY_SIZE,
            max_in_flight: MAX_IN_FLIGHT,
            fails_when_busy: false,
            propagation: Propagation::NONE,
        }
    }

    /// How many connections to make: 1 unless set, and 1 at least.
    ///
    /// One is enough for most. A broker reads a connection on one of its cores, and works for each of its
    /// channels on one: where that core is busy all the time and others are not, several connections use
    /// those. They do nothing for a queue, which has a core of its own, or for the servers behind it.
    ///
    /// All have to come up for the client to be made. If the URI has several addresses, each connection
    /// begins with the next of them. A call goes on a connection that takes requests, if there is one, and
    /// of several such on the one with the fewest calls under way; so while one is lost and made anew,
    /// new calls go on the others. What has been given to a connection stays with it, also while it waits
    /// or is sent [again](crate::Retry).
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections.max(1);
        self
    }

    /// How long a call may take, everything included. 30 seconds unless set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How TLS is done, with a URI that begins with `amqps://`. What is said here counts more than what
    /// the URI says. Unless set, the system's CAs are trusted, and there is no client certificate.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, options: crate::TlsOptions) -> Self {
        self.tls = Some(options);
        self
    }

    /// How long connecting to one address may take, from the first packet to the subscription. 10
    /// seconds unless set here or as `connection_timeout` in the URI.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// The name of each connection in the broker's log and management pages; of more than 1024
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

    /// The most calls that are sent on a connection and not ended: 1024 unless set, and 1 at least. With
    /// several [`connections`](Self::connections), that is for each of them. Further calls wait inside
    /// their own timeout, in the order they came, or fail if [`fail_when_busy`](Self::fail_when_busy)
    /// says so.
    pub fn max_in_flight(mut self, calls: usize) -> Self {
        self.max_in_flight = calls;
        self
    }

    /// Makes a call fail at once with [`CallError::Busy`](crate::CallError::Busy), where [`max_in_flight`](Self::max_in_flight)
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
        let options = self.options()?;
        let connections = (0..self.connections).map(|number| {
            let options = options.of_connection(number);
            options.connect(self.engine(), |_, never| match never {}, ready)
        });
        let pool = Pool::connect(connections, Requester::close).await?;
        Ok(self.client(pool, options.addresses()))
    }

    /// Logs in and subscribes over a stream that is there already, such as a tunnel or one end of
    /// [`tokio::io::duplex`]. Of the URI, user, password, virtual host and parameters count. There is
    /// no other stream to reconnect with: when this one ends, so does the client. Nor is there one for a
    /// second [connection](Self::connections).
    ///
    /// With `amqps://`, TLS is spoken on the stream. Without, the password is sent in the clear if nothing
    /// else is asked for, since nobody but you knows where the stream leads: see to it that it is private
    /// or encrypts.
    ///
    /// # Errors
    /// [`ConnectError`], as for [`Client::connect`].
    pub async fn connect_over<S>(self, stream: S) -> Result<Client, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let options = self.options()?;
        if self.connections > 1 {
            return Err(ConnectError::OneStream { connections: self.connections });
        }
        let addresses = options.addresses().to_owned();
        let connect = options.connect_over(stream, self.engine(), |_, never| match never {}, ready);
        let pool = Pool::of_one(connect.await?, Requester::close);
        Ok(self.client(pool, &addresses))
    }

    /// Reaches the broker, over TLS if the URI asks for it, and says nothing yet: a stream and a
    /// configuration for whoever drives a [`Connection`](crate::connection::Connection) by themselves, to
    /// say what a client does not, such as to ask how many messages are in a queue.
    ///
    /// # Errors
    /// [`ConnectError`], as for [`Client::connect`] until the login.
    pub async fn open(
        self,
    ) -> Result<(impl AsyncRead + AsyncWrite + Send + Unpin, Config), ConnectError> {
        self.options()?.open().await
    }

    fn options(&self) -> Result<Options, ConnectError> {
        let mut options = Options::new(self.uri.clone()?)?;
        options.connect_timeout = self.connect_timeout.unwrap_or(options.connect_timeout);
        options.reconnect = self.reconnect;
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            options.set_tls(tls.clone())?;
        }
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

    fn client(self, pool: Pool<Requester>, addresses: &[Address]) -> Client {
        #[cfg(feature = "tower")]
        let room = {
            let calls = self.max_in_flight.max(1).saturating_mul(self.connections);
            Arc::new(tokio::sync::Semaphore::new(calls.min(tokio::sync::Semaphore::MAX_PERMITS)))
        };
        let inner = Inner {
            pool,
            instrumentation: Instrumentation::new(self.propagation, addresses),
            timeout: self.timeout,
            #[cfg(feature = "tower")]
            room,
        };
        Client { inner: Arc::new(inner) }
    }
}

fn ready(requester: &mut Requester) -> Poll<Result<(), SessionError>> {
    requester.readiness()
}

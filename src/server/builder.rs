//! [`ServerBuilder`]: what a server is to be.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use super::handlers::{Handler, HandlerFuture, Running, Served, work};
use super::{Beside, Server};
use crate::connect::{ConnectError, MAX_BODY_SIZE, Options, Start};
use crate::pool::{Pool, try_join_all};
use crate::queue::Queue;
use crate::replies::Replies;
use crate::responder::{QueueOptions, Responder};
use crate::trace::{Instrumentation, Propagation};
use crate::uri::{Uri, UriError};
use crate::{Fault, Reconnect, Reply, Request, SessionError};

/// Configures a [`Server`].
#[must_use = "a builder does nothing before `start`"]
pub struct ServerBuilder {
    uri: Result<Uri, UriError>,
    connections: usize,
    queues: Vec<(Queue, Handler)>,
    prefetch: Option<u16>,
    connect_timeout: Option<Duration>,
    #[cfg(feature = "tls")]
    tls: Option<crate::TlsOptions>,
    connection_name: Option<String>,
    reconnect: Reconnect,
    shutdown_timeout: Duration,
    has_reply_connection: bool,
    max_reply_size: u64,
    pub(crate) propagation: Propagation,
}

impl ServerBuilder {
    pub(super) fn new(uri: Result<Uri, UriError>) -> Self {
        Self {
            uri,
            connections: 1,
            queues: Vec::new(),
            prefetch: None,
            connect_timeout: None,
            #[cfg(feature = "tls")]
            tls: None,
            connection_name: None,
            reconnect: Reconnect::default(),
            shutdown_timeout: Duration::from_secs(30),
            has_reply_connection: false,
            max_reply_size: MAX_BODY_SIZE,
            propagation: Propagation::NONE,
        }
    }

    /// Serves a queue: its name, or a [`Queue`] that says more.
    ///
    /// The handler runs for up to [`prefetch`](Self::prefetch) requests at the same time. One that waits
    /// for something has a task of its own; those that do not are run one after the other, on as many
    /// threads as the runtime has. As everywhere in a runtime, what blocks a thread for long is better
    /// done in `spawn_blocking`. `Ok` is the reply. `Err` reaches the caller as
    /// [`CallError::Fault`](crate::CallError::Fault). A panic reaches it as a fault, too, and the
    /// request is rejected, so that a dead-letter exchange can keep it.
    pub fn handle<H, F, R>(mut self, queue: impl Into<Queue>, handler: H) -> Self
    where
        H: Fn(Request) -> F + Send + Sync + 'static,
        F: Future<Output = Result<R, Fault>> + Send + 'static,
        R: Into<Reply>,
    {
        let handler = move |request| -> HandlerFuture {
            let future = handler(request);
            Box::pin(async move { future.await.map(Into::into) })
        };
        self.queues.push((queue.into(), Arc::new(handler)));
        self
    }

    /// How many connections to make: 1 unless set, and 1 at least.
    ///
    /// One is enough for most. A broker reads a connection on one of its cores, and works for each of its
    /// channels on one: where that core is busy all the time and others are not, several connections use
    /// those. They do nothing for a single queue whose own core is busy.
    ///
    /// All have to come up for the server to start. If the URI has several addresses, each connection
    /// begins with the next of them. Each consumes from every queue, with a prefetch of its own, and has
    /// its own [connection for replies](Self::separate_reply_connection) if there are such; the handlers
    /// are the same. While one is lost and made anew, the broker gives its requests to the others.
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections.max(1);
        self
    }

    /// The most requests of each queue to work on at a time; 0 is no limit. 128 unless set: 100
    /// to 300 is near the most that a broker delivers. With several [`connections`](Self::connections),
    /// that is for each of them.
    pub fn prefetch(mut self, requests: u16) -> Self {
        self.prefetch = Some(requests);
        self
    }

    /// How TLS is done, with a URI that begins with `amqps://`. What is said here counts more than what
    /// the URI says. Unless set, the system's CAs are trusted, and there is no client certificate.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, options: crate::TlsOptions) -> Self {
        self.tls = Some(options);
        self
    }

    /// How long connecting to one address may take, from the first packet to the last consumer. 10
    /// seconds unless set here or as `connection_timeout` in the URI.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// Whether to connect anew when the connection is lost, and after what pauses. Unless set, it is
    /// tried for ever ([`Reconnect::default`]). The same goes for a queue that the broker refuses
    /// after it was served; one that it refuses from the beginning keeps the server from starting.
    pub fn reconnect(mut self, policy: Reconnect) -> Self {
        self.reconnect = policy;
        self
    }

    /// Sends replies on a second connection. Each of several [`connections`](Self::connections) has one:
    /// a single one for the replies of all would be the next to be too busy.
    ///
    /// A broker with an alarm on stops reading a connection that publishes. On a single connection that
    /// holds up acknowledgements, and even the end of the server, until the alarm is over; with a
    /// second one only the replies wait. A request counts as running until its reply is written, and is
    /// acknowledged then. Where the broker refuses a reply, such as one that is larger than it takes,
    /// those that were written right behind it are lost with its channel.
    /// [`connection_state`](Server::connection_state) is that of the connection that consumes.
    pub fn separate_reply_connection(mut self) -> Self {
        self.has_reply_connection = true;
        self
    }

    /// How long [`Server::shutdown`] waits for running handlers. 30 seconds unless set.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = timeout;
        self
    }

    /// The name of each connection in the broker's log and management pages; of more than 1024
    /// octets, the first 1024.
    pub fn connection_name(mut self, name: impl Into<String>) -> Self {
        self.connection_name = Some(name.into());
        self
    }

    /// The largest reply to send, in octets: 16 MiB unless set, as RabbitMQ 4 takes. A larger one
    /// becomes a fault of the code "reply-too-large".
    pub fn max_reply_size(mut self, octets: u64) -> Self {
        self.max_reply_size = octets;
        self
    }

    /// Connects, declares the queues and begins to serve them.
    ///
    /// # Errors
    /// [`ConnectError`], which names the queue if the broker refuses one.
    pub async fn start(self) -> Result<Server, ConnectError> {
        let (connections, has_reply_connection) = (self.connections, self.has_reply_connection);
        let Parts { options, engine, handlers, shutdown_timeout } = self.parts()?;
        let beside = (0..connections).map(async |number| {
            let replies = match has_reply_connection {
                true => Some(Replies::connect(options.of_connection(number)).await?),
                false => None,
            };
            Ok::<_, ConnectError>(Beside { replies, running: Running::new() })
        });
        let beside = try_join_all(beside).await?;
        let connections = beside.iter().cloned().enumerate();
        let connections = connections.map(async |(number, Beside { replies, running })| {
            let work = work(handlers.clone(), replies.clone(), running);
            let shared = options.of_connection(number).connect(&engine, work, ready).await?;
            if let Some(replies) = replies {
                replies.bind(&shared);
            }
            Ok(shared)
        });
        let pool = Pool::connect(connections, Responder::shutdown).await?;
        Ok(Server { pool, beside, shutdown_timeout })
    }

    /// Does the same over a stream that is there already, such as a tunnel or one end of
    /// [`tokio::io::duplex`]. Of the URI, user, password, virtual host and parameters count. There is
    /// no other stream to reconnect with or to send replies on: when this one ends, so does the server.
    /// Nor is there one for a second [connection](Self::connections).
    ///
    /// With `amqps://`, TLS is spoken on the stream. Without, the password is sent in the clear if nothing
    /// else is asked for, since nobody but you knows where the stream leads: see to it that it is private
    /// or encrypts.
    ///
    /// # Errors
    /// [`ConnectError`], as for [`start`](Self::start).
    pub async fn start_over<S>(self, stream: S) -> Result<Server, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let connections = self.connections;
        let Parts { options, engine, handlers, shutdown_timeout } = self.parts()?;
        if connections > 1 {
            return Err(ConnectError::OneStream { connections });
        }
        let beside = Beside { replies: None, running: Running::new() };
        let work = work(handlers, None, beside.running.clone());
        let shared = options.connect_over(stream, engine, work, ready).await?;
        let pool = Pool::of_one(shared, Responder::shutdown);
        Ok(Server { pool, beside: vec![beside], shutdown_timeout })
    }

    fn parts(self) -> Result<Parts<impl Fn(Start) -> Responder>, ConnectError> {
        if self.queues.is_empty() {
            return Err(ConnectError::NoQueues);
        }
        let mut options = Options::new(self.uri?)?;
        options.connect_timeout = self.connect_timeout.unwrap_or(options.connect_timeout);
        options.reconnect = self.reconnect;
        #[cfg(feature = "tls")]
        if let Some(tls) = self.tls {
            options.set_tls(tls)?;
        }
        if let Some(name) = self.connection_name {
            options.set_connection_name(&name)?;
        }
        let instrumentation = Instrumentation::new(self.propagation, options.addresses());
        let (mut queues, mut handlers) = (Vec::<QueueOptions>::new(), Vec::new());
        for (queue, handler) in self.queues {
            let queue = queue.into_options(self.prefetch)?;
            let instrumentation = instrumentation.of_queue(&queue.name);
            queues.push(queue);
            handlers.push(Served { handler, instrumentation });
        }
        let max_reply_size = usize::try_from(self.max_reply_size).unwrap_or(usize::MAX);
        let engine = move |Start { config, reconnecting, address, now }| {
            Responder::new(config, queues.iter().cloned(), max_reply_size, now)
                .with_reconnect(reconnecting, address)
        };
        Ok(Parts { options, engine, handlers, shutdown_timeout: self.shutdown_timeout })
    }
}

/// What a server is made of.
struct Parts<E> {
    options: Options,
    engine: E,
    handlers: Vec<Served>,
    shutdown_timeout: Duration,
}

fn ready(responder: &mut Responder) -> Poll<Result<(), SessionError>> {
    responder.readiness()
}

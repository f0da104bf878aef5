//! [`Server`]: handlers for the requests in queues.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::connect::{ConnectError, MAX_BODY_SIZE, Options, Start};
use crate::driver::Shared;
use crate::engine::Engine;
use crate::queue::Queue;
use crate::replies::Replies;
use crate::responder::{Answer, Arrived, QueueOptions, Responder, Sent, ServerStats};
use crate::uri::{Uri, UriError};
use crate::{ConnectionState, Fault, Reconnect, Reply, Request, SessionError};

/// A server: consumes requests from queues, runs a handler for each, and sends the replies.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use leveret::{Request, Server};
///
/// let server = Server::builder("amqp://localhost")
///     .handle("ping", |request: Request| async move { Ok(request.into_body()) })
///     .start()
///     .await?;
/// // ... until it is time to go:
/// server.shutdown().await?;
/// # Ok(())
/// # }
/// ```
///
/// A request is acknowledged after its reply is written. If the server or its connection dies
/// before, the broker delivers the request again, to this server or another, with
/// [`redelivered`](Request::redelivered) set: handlers should be fit to run twice.
///
/// When the connection is lost, the server makes another ([`ServerBuilder::reconnect`]), and declares
/// and consumes its queues anew. Handlers at work go on, and their replies are sent on the new
/// connection; for the rest of a lost connection's requests, see above.
///
/// When a `Server` is dropped, it ends in the background as [`shutdown`](Self::shutdown) does, but
/// without a limit in time.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared<Responder>>,
    replies: Option<Replies>,
    running: Running,
    shutdown_timeout: Duration,
}

type Handler = Arc<dyn Fn(Request) -> HandlerFuture + Send + Sync>;
type HandlerFuture = Pin<Box<dyn Future<Output = Result<Reply, Fault>> + Send>>;

/// The handlers at work.
#[derive(Debug, Clone, Default)]
struct Running(Arc<Handlers>);

#[derive(Debug, Default)]
struct Handlers(Mutex<JoinSet<()>>);

impl Running {
    fn spawn(&self, handler: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.0.tasks();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(handler);
    }

    fn abort_all(&self) {
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

impl Server {
    /// A server to be configured.
    pub fn builder(uri: impl TryInto<Uri, Error: Into<UriError>>) -> ServerBuilder {
        ServerBuilder {
            uri: uri.try_into().map_err(Into::into),
            queues: Vec::new(),
            prefetch: None,
            connect_timeout: None,
            connection_name: None,
            reconnect: Reconnect::default(),
            shutdown_timeout: Duration::from_secs(30),
            has_reply_connection: false,
            max_reply_size: MAX_BODY_SIZE,
        }
    }

    /// Why the broker does not read replies at the moment, such as "low on memory"
    /// (`connection.blocked`). They wait until it does, and so do acknowledgements and everything else
    /// that the server has to say, unless replies have
    /// [a connection of their own](ServerBuilder::separate_reply_connection).
    pub fn blocked(&self) -> Option<String> {
        let of_replies = self.replies.as_ref().and_then(Replies::blocked);
        of_replies
            .or_else(|| self.shared.query(|responder| responder.blocked().map(ToOwned::to_owned)))
    }

    /// How it goes.
    pub fn stats(&self) -> ServerStats {
        self.shared.query(|responder| responder.stats())
    }

    /// How it is with the connection, now and from now on: to show, to log, or to wait for.
    pub fn connection_state(&self) -> watch::Receiver<ConnectionState> {
        self.shared.connection_state()
    }

    /// Waits until the server has ended, which it does by itself only if it fails for good.
    ///
    /// # Errors
    /// [`SessionError`] says why it could not go on.
    pub async fn stopped(&self) -> Result<(), SessionError> {
        self.shared.wait(|responder| responder.end_result()).await
    }

    /// Ends in good order: takes no new requests, lets the running handlers finish, sends their
    /// replies, acknowledges, and closes the connection. Handlers that are not done within the
    /// shutdown timeout are aborted, and their requests go back to their queues.
    ///
    /// # Errors
    /// [`SessionError`] if the connection was lost on the way, or before, or if handlers had to be
    /// aborted.
    pub async fn shutdown(self) -> Result<(), SessionError> {
        self.shared.command(Responder::shutdown);
        let result = match timeout(self.shutdown_timeout, self.stopped()).await {
            Ok(result) => result,
            Err(_) => self.abort().await,
        };
        // A broker with an alarm on would not hear it.
        if let Some(replies) = self.replies.as_ref().filter(|replies| replies.blocked().is_none()) {
            replies.close().await;
        }
        result
    }

    async fn abort(&self) -> Result<(), SessionError> {
        let handlers = self.stats().running;
        // In this order: none is begun behind the last that is aborted.
        self.shared.command(Responder::close);
        self.running.abort_all();
        self.stopped().await?;
        Err(SessionError::HandlersAborted { handlers })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.command(Responder::shutdown);
    }
}

/// Configures a [`Server`].
#[must_use = "a builder does nothing before `start`"]
pub struct ServerBuilder {
    uri: Result<Uri, UriError>,
    queues: Vec<(Queue, Handler)>,
    prefetch: Option<u16>,
    connect_timeout: Option<Duration>,
    connection_name: Option<String>,
    reconnect: Reconnect,
    shutdown_timeout: Duration,
    has_reply_connection: bool,
    max_reply_size: u64,
}

impl ServerBuilder {
    /// Serves a queue: its name, or a [`Queue`] that says more.
    ///
    /// The handler runs for up to [`prefetch`](Self::prefetch) requests at the same time, each in
    /// a task of its own. `Ok` is the reply. `Err` reaches the caller as
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

    /// The most requests of each queue to work on at a time; 0 is no limit. 128 unless set: 100
    /// to 300 is near the most that a broker delivers.
    pub fn prefetch(mut self, requests: u16) -> Self {
        self.prefetch = Some(requests);
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

    /// Sends replies on a second connection.
    ///
    /// A broker with an alarm on stops reading a connection that publishes. On a single connection that
    /// holds up acknowledgements, and even the end of the server, until the alarm is over; with a
    /// second one only the replies wait. A request counts as running until its reply is written, and is
    /// acknowledged then.
    pub fn separate_reply_connection(mut self) -> Self {
        self.has_reply_connection = true;
        self
    }

    /// How long [`Server::shutdown`] waits for running handlers. 30 seconds unless set.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = timeout;
        self
    }

    /// The name of the connection in the broker's log and management pages; of more than 1024
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
        let has_reply_connection = self.has_reply_connection;
        let Parts { options, engine, handlers, running, shutdown_timeout } = self.parts()?;
        let replies = match has_reply_connection {
            true => Some(Replies::connect(options.clone()).await?),
            false => None,
        };
        let work = work(handlers, replies.clone(), running.clone());
        let shared = options.connect(engine, work, ready).await?;
        Ok(Server { shared, replies, running, shutdown_timeout })
    }

    /// Does the same over a stream that is there already, such as a tunnel or one end of
    /// [`tokio::io::duplex`]. Of the URI, user, password, virtual host and parameters count. There is
    /// no other stream to reconnect with or to send replies on: when this one ends, so does the server.
    ///
    /// Nobody but you knows where the stream leads, so the password is sent in the clear if nothing
    /// else is asked for: see to it that the stream is private or encrypts.
    ///
    /// # Errors
    /// [`ConnectError`], as for [`start`](Self::start).
    pub async fn start_over<S>(self, stream: S) -> Result<Server, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let Parts { options, engine, handlers, running, shutdown_timeout } = self.parts()?;
        let work = work(handlers, None, running.clone());
        let shared = options.connect_over(stream, engine, work, ready).await?;
        Ok(Server { shared, replies: None, running, shutdown_timeout })
    }

    fn parts(self) -> Result<Parts<impl Fn(Start) -> Responder>, ConnectError> {
        if self.queues.is_empty() {
            return Err(ConnectError::NoQueues);
        }
        let mut options = Options::new(self.uri?)?;
        options.connect_timeout = self.connect_timeout.unwrap_or(options.connect_timeout);
        options.reconnect = self.reconnect;
        if let Some(name) = self.connection_name {
            options.set_connection_name(&name)?;
        }
        let (mut queues, mut handlers) = (Vec::<QueueOptions>::new(), Vec::new());
        for (queue, handler) in self.queues {
            queues.push(queue.into_options(self.prefetch)?);
            handlers.push(handler);
        }
        let max_reply_size = usize::try_from(self.max_reply_size).unwrap_or(usize::MAX);
        let engine = move |Start { config, reconnecting, address, now }| {
            Responder::new(config, queues.iter().cloned(), max_reply_size, now)
                .with_reconnect(reconnecting, address)
        };
        let (running, shutdown_timeout) = (Running::default(), self.shutdown_timeout);
        Ok(Parts { options, engine, handlers, running, shutdown_timeout })
    }
}

/// What a server is made of.
struct Parts<E> {
    options: Options,
    engine: E,
    handlers: Vec<Handler>,
    running: Running,
    shutdown_timeout: Duration,
}

/// Runs the handler of each request.
fn work(
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

fn ready(responder: &mut Responder) -> Poll<Result<(), SessionError>> {
    responder.readiness()
}

/// Runs the handler for one request and hands its answer to the engine.
async fn serve(
    handler: Handler,
    shared: Arc<Shared<Responder>>,
    replies: Option<Replies>,
    arrived: Arrived,
) {
    let Arrived { request, pending, deadline, .. } = arrived;
    let answer = match unwinding(async move { handler(request).await }).await {
        Ok(Ok(reply)) => Answer::Reply(reply),
        Ok(Err(fault)) => Answer::Fault(fault),
        Err(message) => Answer::Panic(message),
    };
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
    let failure = replies.failure();
    shared.command(|responder, now| {
        responder.settle(now, settlement, sent);
        // Who cannot answer any more is to take no requests.
        if let Some(failure) = failure {
            responder.end(now, Err(failure));
        }
    });
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

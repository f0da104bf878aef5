//! [`Server`]: handlers for the requests in queues.

mod builder;
mod handlers;

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use self::handlers::Running;
use crate::pool::Pool;
use crate::replies::Replies;
use crate::responder::{Responder, ServerStats};
use crate::uri::{Uri, UriError};
use crate::{ConnectionState, SessionError};

pub use self::builder::ServerBuilder;

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
/// A request is acknowledged after its reply is written, together with others that were answered at the
/// same time. If the server or its connection dies
/// before, the broker delivers the request again, to this server or another, with
/// [`redelivered`](crate::Request::redelivered) set: handlers should be fit to run twice.
///
/// When the connection is lost, the server makes another ([`ServerBuilder::reconnect`]), and declares
/// and consumes its queues anew. Handlers at work go on, and their replies are sent on the new
/// connection; for the rest of a lost connection's requests, see above. One connection is enough for
/// most servers; [`ServerBuilder::connections`] says which need more.
///
/// When a `Server` is dropped, it ends in the background as [`shutdown`](Self::shutdown) does, but
/// without a limit in time.
#[derive(Debug)]
pub struct Server {
    pool: Pool<Responder>,
    /// Of each connection, in the same order.
    beside: Vec<Beside>,
    shutdown_timeout: Duration,
}

/// What goes with a connection that requests come on.
#[derive(Debug, Clone)]
struct Beside {
    /// Where its replies go, if not the same way.
    replies: Option<Replies>,
    running: Running,
}

impl Server {
    /// A server to be configured.
    pub fn builder(uri: impl TryInto<Uri, Error: Into<UriError>>) -> ServerBuilder {
        ServerBuilder::new(uri.try_into().map_err(Into::into))
    }

    /// Why the broker does not read replies at the moment, such as "low on memory"
    /// (`connection.blocked`). They wait until it does, and so do acknowledgements and everything else
    /// that the server has to say, unless replies have
    /// [a connection of their own](ServerBuilder::separate_reply_connection). Of several connections,
    /// there is one at least that it is so with.
    pub fn blocked(&self) -> Option<String> {
        let blocked = |responder: &mut Responder| responder.blocked().map(ToOwned::to_owned);
        self.replies()
            .find_map(Replies::blocked)
            .or_else(|| self.pool.iter().find_map(|shared| shared.query(blocked)))
    }

    /// How it goes, on all connections together.
    pub fn stats(&self) -> ServerStats {
        self.pool.iter().map(|shared| shared.query(|responder| responder.stats())).sum()
    }

    /// How it is with the connection, now and from now on: to show, to log, or to wait for. Of several,
    /// this is the best one's state: all queues are served where one is connected.
    pub fn connection_state(&self) -> watch::Receiver<ConnectionState> {
        self.pool.connection_state()
    }

    /// Waits until the server has ended, which it does by itself only if it fails for good, on all of
    /// its connections.
    ///
    /// # Errors
    /// [`SessionError`] says why it could not go on; or why one of several connections could not, and the
    /// others did.
    pub async fn stopped(&self) -> Result<(), SessionError> {
        self.pool.wait(|responder| responder.end_result()).await.into_iter().collect()
    }

    /// Ends in good order: takes no new requests, lets the running handlers finish, sends their
    /// replies, acknowledges, and closes the connection. Handlers that are not done within the
    /// shutdown timeout are aborted, and their requests go back to their queues.
    ///
    /// If this future is dropped, the server was dropped with it, and ends as it does then.
    ///
    /// # Errors
    /// [`SessionError`] if the connection was lost on the way, or before, or if handlers had to be
    /// aborted.
    pub async fn shutdown(self) -> Result<(), SessionError> {
        self.pool.command(Responder::shutdown);
        let result = match timeout(self.shutdown_timeout, self.stopped()).await {
            Ok(result) => result,
            Err(_) => self.abort().await,
        };
        // A broker with an alarm on would not hear it.
        let open = self.replies().filter(|replies| replies.blocked().is_none());
        let closing: Vec<_> = open.inspect(|replies| replies.close()).collect();
        for replies in closing {
            replies.closed().await;
        }
        result
    }

    async fn abort(&self) -> Result<(), SessionError> {
        let ServerStats { running: handlers, held: replies, .. } = self.stats();
        // In this order: none is begun behind the last that is aborted.
        self.pool.command(Responder::close);
        self.beside.iter().for_each(|beside| beside.running.abort_all());
        self.stopped().await?;
        Err(SessionError::HandlersAborted { handlers, replies })
    }

    /// The connections that are for replies alone.
    fn replies(&self) -> impl Iterator<Item = &Replies> {
        self.beside.iter().filter_map(|beside| beside.replies.as_ref())
    }
}

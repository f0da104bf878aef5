//! [`Server`]: handlers for the requests in queues.

mod builder;
mod handlers;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use self::handlers::Running;
use crate::driver::Shared;
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
/// A request is acknowledged after its reply is written. If the server or its connection dies
/// before, the broker delivers the request again, to this server or another, with
/// [`redelivered`](crate::Request::redelivered) set: handlers should be fit to run twice.
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

impl Server {
    /// A server to be configured.
    pub fn builder(uri: impl TryInto<Uri, Error: Into<UriError>>) -> ServerBuilder {
        ServerBuilder::new(uri.try_into().map_err(Into::into))
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
    /// If this future is dropped, the server was dropped with it, and ends as it does then.
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
        let ServerStats { running: handlers, held: replies, .. } = self.stats();
        // In this order: none is begun behind the last that is aborted.
        self.shared.command(Responder::close);
        self.running.abort_all();
        self.stopped().await?;
        Err(SessionError::HandlersAborted { handlers, replies })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.command(Responder::shutdown);
    }
}

//! [`RequestBuilder`]: one call, from its first word to its reply.

mod pending;

use std::time::Duration;

use bytes::Bytes;
use leveret_codec::{FieldValue, ShortStr, TableError};

use self::pending::PendingCall;
use crate::pool::Pool;
use crate::requester::{Outgoing, Requester, Retry};
use crate::trace::Instrumentation;
use crate::{CallError, InvalidRequest, Properties, Reply};

/// Configures one call.
///
/// ```no_run
/// # async fn run(client: leveret::Client) -> Result<(), leveret::CallError> {
/// use std::time::Duration;
///
/// let reply = client
///     .request("sum")
///     .body(r#"{"a": 1, "b": 2}"#)
///     .content_type("application/json")
///     .header("tenant", "acme")
///     .timeout(Duration::from_secs(2))
///     .send()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a request is made by `send`"]
pub struct RequestBuilder<'a> {
    pool: &'a Pool<Requester>,
    instrumentation: &'a Instrumentation,
    timeout: Duration,
    outgoing: Outgoing,
    invalid: Option<InvalidRequest>,
}

impl<'a> RequestBuilder<'a> {
    pub(crate) fn new(
        pool: &'a Pool<Requester>,
        instrumentation: &'a Instrumentation,
        queue: &str,
        timeout: Duration,
    ) -> Self {
        let (routing_key, invalid) = match ShortStr::copied(queue.as_bytes()) {
            Ok(queue) => (queue, None),
            Err(source) => {
                (ShortStr::EMPTY, Some(InvalidRequest::TooLong { what: "the queue", source }))
            }
        };
        let outgoing = Outgoing { routing_key, ..Outgoing::default() };
        RequestBuilder { pool, instrumentation, timeout, outgoing, invalid }
    }

    /// The payload, any octets. None unless set.
    ///
    /// A body made by [`Bytes::from_owner`] drops its owner inside the client, which that must not use
    /// then.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.outgoing.body = body.into();
        self
    }

    /// How long the call may take, everything included: waiting for the broker, writing, running,
    /// and the way back. The request is also given this as `expiration`, so that a queue drops it
    /// when nobody waits any more.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Publishes to an exchange instead of a queue: the queue's name given to
    /// [`Client::request`](crate::Client::request) is then the routing key.
    pub fn exchange(mut self, exchange: impl Into<String>) -> Self {
        self.set(|outgoing| {
            outgoing.exchange = short("the exchange", exchange.into())?;
            Ok(())
        });
        self
    }

    /// The MIME type of the body, which FastStream and others decode by.
    pub fn content_type(mut self, mime_type: impl Into<String>) -> Self {
        self.set(|outgoing| {
            outgoing.properties.content_type = Some(short("the content type", mime_type.into())?);
            Ok(())
        });
        self
    }

    /// A header: a name of at most 255 octets and a value. All headers together must fit into a
    /// frame, usually of 128 KiB.
    pub fn header(
        mut self,
        name: impl Into<String>,
        value: impl TryInto<FieldValue, Error: Into<TableError>>,
    ) -> Self {
        self.set(|outgoing| {
            outgoing.properties.headers.get_or_insert_default().insert(name.into(), value)?;
            Ok(())
        });
        self
    }

    /// All of AMQP's message properties at once. The correlation-id and the reply-to are replaced
    /// in any case; message-id, expiration and delivery-mode are chosen where they are absent. A
    /// user-id other than the one that the client logged in with makes the broker close the channel.
    pub fn properties(mut self, properties: impl Into<Properties>) -> Self {
        self.outgoing.properties = properties.into();
        self
    }

    /// Makes the call on a channel of its own, for servers that do not echo the correlation-id:
    /// subscribe, publish, wait for whatever comes, and cancel. That is three more round trips to
    /// the broker, and works with any server that replies at all.
    pub fn own_channel(mut self) -> Self {
        self.outgoing.own_channel = true;
        self
    }

    /// Whether to send the request again, inside its timeout, when it fails with its connection or
    /// channel. Never unless set.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.outgoing.retry = retry;
        self
    }

    /// Sends the request and waits for the reply. Dropping this future forgets the call.
    ///
    /// # Errors
    /// [`CallError`]; its [`outcome`](CallError::outcome) tells whether the request may have run.
    pub fn send(self) -> impl Future<Output = Result<Reply, CallError>> + Send + use<'a> {
        PendingCall::new(self)
    }

    /// Keeps the first thing that is wrong, for [`send`](Self::send) to tell.
    pub(crate) fn set(&mut self, set: impl FnOnce(&mut Outgoing) -> Result<(), InvalidRequest>) {
        if let Err(invalid) = set(&mut self.outgoing) {
            self.invalid.get_or_insert(invalid);
        }
    }
}

fn short(what: &'static str, text: String) -> Result<ShortStr, InvalidRequest> {
    ShortStr::new(text).map_err(|source| InvalidRequest::TooLong { what, source })
}

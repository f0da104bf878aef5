//! What can go wrong with a session and with a call, and whether the request ran.

use alloc::string::String;
use core::time::Duration;

use leveret_codec::{ReplyCode, TableError, TooLong};

use crate::Fault;
use crate::connection::{ConnectionError, Misuse, Unreadable, said};
#[cfg(feature = "json")]
use crate::{JsonError, Reply};

/// Whether the server has run a request whose call failed: what a retry has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// No server has seen the request, and none will. A retry is safe.
    NotExecuted,
    /// The request was sent, and nobody knows how far it came. Retry only what may run twice.
    Unknown,
    /// A server has run the request and answered: with an error, or with what cannot be read.
    Executed,
}

/// Why a call has no reply.
///
/// [`outcome`](Self::outcome) tells whether the request may have run.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// No queue takes the request (`basic.return`, 312): the queue does not exist, or nothing is
    /// bound to the exchange under that routing key.
    #[error(
        "no queue takes the request: {}: {code}",
        destination(.exchange, .routing_key)
    )]
    Unroutable {
        /// 312, NO_ROUTE.
        code: ReplyCode,
        /// The exchange; empty for the default one.
        exchange: String,
        /// The queue's name, or the routing key.
        routing_key: String,
    },
    /// No reply came in time.
    #[error("no reply within {timeout:?}{}", unsent(*.written, .cause.as_ref()))]
    Timeout {
        /// How long the call was willing to wait.
        timeout: Duration,
        /// Whether the request was handed to the network.
        written: bool,
        /// Why there was no connection when the time was over.
        cause: Option<SessionError>,
    },
    /// So many calls are under way that the client makes no more.
    #[error("{limit} calls are under way, which is the client's limit (max_in_flight)")]
    Busy {
        /// The client's limit.
        limit: usize,
    },
    /// The connection ended before the reply came, or there is none.
    #[error("{cause}")]
    Disconnected {
        /// Whether the request was handed to the network.
        written: bool,
        /// Why.
        cause: SessionError,
    },
    /// The broker refused this request: there is no such exchange (404), or the user may not write
    /// to it (403).
    #[error("the broker refused the request: {}", said(*.code, .text))]
    Refused {
        /// The code.
        code: ReplyCode,
        /// The broker's words.
        text: String,
    },
    /// The broker closed the channel that the call shared with others, and their replies can no
    /// longer arrive.
    #[error("the broker closed the channel of the call: {}", said(*.code, .text))]
    ChannelClosed {
        /// The code: 403 for a missing permission, 406 for others.
        code: ReplyCode,
        /// The broker's words.
        text: String,
        /// Whether the request was handed to the network.
        written: bool,
    },
    /// The body is larger than the client's limit, or the broker's.
    #[error("a body of {size} octets is more than the limit of {limit}")]
    BodyTooLarge {
        /// Octets of the body.
        size: u64,
        /// The limit in octets.
        limit: u64,
    },
    /// The request cannot be put on the wire.
    #[error("the request cannot be sent: {0}")]
    InvalidRequest(InvalidRequest),
    /// The server ran the request and answered with a fault.
    #[error("the server answered with a fault: {0}")]
    Fault(Fault),
    /// A reply came, and was not taken: it is too large, or its headers cannot be read.
    #[error("the reply was not taken: {0}")]
    UnreadableReply(Unreadable),
    /// A reply came, and is not the JSON that the caller wants.
    #[cfg(feature = "json")]
    #[error("the server answered, and {error}")]
    NotJson {
        /// The reply, as it came.
        reply: alloc::boxed::Box<Reply>,
        /// What is wrong with it.
        error: JsonError,
    },
    /// The client was closed by its user.
    #[error("the client is closed")]
    Closed {
        /// Whether the request was handed to the network.
        written: bool,
    },
}

/// What about a request does not fit AMQP.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRequest {
    /// A name or property of more than 255 octets.
    #[error("{what}: {source}")]
    TooLong {
        /// Of what: "the queue", "the exchange" or "the content type".
        what: &'static str,
        /// How long it is.
        source: TooLong,
    },
    /// A header that no table can hold.
    #[error("a header: {0}")]
    Header(#[from] TableError),
    /// RabbitMQ would close the channel over it, and cost the calls beside this one their replies.
    #[error("{0}")]
    Property(&'static str),
    /// The body has no form in JSON.
    #[cfg(feature = "json")]
    #[error(transparent)]
    Json(JsonError),
    /// The headers together are larger than a frame, or no channel is left for the call.
    #[error(transparent)]
    Misuse(#[from] Misuse),
}

impl<E: Into<InvalidRequest>> From<E> for CallError {
    fn from(error: E) -> Self {
        Self::InvalidRequest(error.into())
    }
}

impl CallError {
    /// Whether the request may have run.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Unroutable { .. }
            | Self::Refused { .. }
            | Self::Busy { .. }
            | Self::BodyTooLarge { .. }
            | Self::InvalidRequest(_) => Outcome::NotExecuted,
            Self::Timeout { written, .. }
            | Self::Disconnected { written, .. }
            | Self::ChannelClosed { written, .. }
            | Self::Closed { written } => {
                if *written {
                    Outcome::Unknown
                } else {
                    Outcome::NotExecuted
                }
            }
            Self::Fault(_) | Self::UnreadableReply(_) => Outcome::Executed,
            #[cfg(feature = "json")]
            Self::NotJson { .. } => Outcome::Executed,
        }
    }
}

fn unsent(written: bool, cause: Option<&SessionError>) -> String {
    match (written, cause) {
        (true, None) => String::new(),
        (true, Some(cause)) => alloc::format!("; the connection is lost: {cause}"),
        (false, None) => String::from("; the request was never sent"),
        (false, Some(cause)) => {
            alloc::format!("; the request was never sent, for want of a connection: {cause}")
        }
    }
}

fn destination(exchange: &str, routing_key: &str) -> String {
    match exchange {
        "" => alloc::format!("there is no queue \"{routing_key}\""),
        _ => alloc::format!("exchange \"{exchange}\" has no route for \"{routing_key}\""),
    }
}

/// Why a client's or a server's session with the broker ended, or never came to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The connection failed.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// There is no broker to be reached at an address of its.
    #[error("{reason}")]
    Unreachable {
        /// Where, and why.
        reason: String,
    },
    /// The broker does not announce the capability `direct_reply_to`.
    #[error("the broker ({product}) does not support Direct Reply-to; RabbitMQ 3.6.1 and later do")]
    NoDirectReplyTo {
        /// What the broker calls itself.
        product: String,
    },
    /// The broker refused the consumer of the replies.
    #[error("the broker refused the consumer of the replies: {}", said(*.code, .text))]
    ReplyConsumerRefused {
        /// The code.
        code: ReplyCode,
        /// The broker's words.
        text: String,
    },
    /// The broker refused a reply, on the second connection of a server.
    #[error("the broker refused a reply: {}", said(*.code, .text))]
    ReplyRefused {
        /// The code.
        code: ReplyCode,
        /// The broker's words.
        text: String,
    },
    /// The broker refused a server's queue, or closed its channel later on.
    #[error("queue \"{queue}\": {}{}", said(*.code, .text), queue_hint(*.code, *.method))]
    Queue {
        /// The queue.
        queue: String,
        /// The code: 403 for a missing permission, 404 for a queue that is to exist and does not,
        /// 405 for another connection's exclusive queue, 406 for other attributes.
        code: ReplyCode,
        /// The broker's words.
        text: String,
        /// Class and method that the broker refused, or 0 and 0.
        method: (u16, u16),
    },
    /// The broker has cancelled a server's consumer: its queue was deleted, its node is down, or an
    /// acknowledgement took too long.
    #[error("queue \"{queue}\": the broker has cancelled the consumer")]
    ConsumerCancelled {
        /// The queue.
        queue: String,
    },
    /// The broker did not answer within the connect timeout what a server asked it about a queue.
    #[error("queue \"{queue}\": the broker is silent about it")]
    QueueSilent {
        /// The queue.
        queue: String,
    },
    /// Handlers were not done when the shutdown timeout was over. Their requests go back to the
    /// queues.
    #[error("{}", left(*.handlers, *.replies))]
    HandlersAborted {
        /// How many handlers.
        handlers: usize,
        /// How many replies waited for a connection or a channel.
        replies: usize,
    },
    /// All channels of the connection are in use, or a queue's arguments exceed a frame.
    #[error(transparent)]
    Misuse(#[from] Misuse),
}

impl SessionError {
    /// Whether the broker was reached and said no, which it is likely to say again.
    pub(crate) fn is_refusal(&self) -> bool {
        use ConnectionError as Connection;
        const REFUSALS: [ReplyCode; 2] = [ReplyCode::ACCESS_REFUSED, ReplyCode::NOT_ALLOWED];
        match self {
            Self::Connection(
                Connection::LoginRefused { .. }
                | Connection::TransportRefused { .. }
                | Connection::VirtualHostRefused { .. }
                | Connection::NoMechanism { .. }
                | Connection::NotAmqp(_)
                | Connection::FrameMaxTooSmall { .. },
            )
            | Self::NoDirectReplyTo { .. }
            | Self::ReplyConsumerRefused { .. }
            | Self::ReplyRefused { .. }
            | Self::Queue { .. }
            | Self::Misuse(_) => true,
            Self::Connection(Connection::ClosedByPeer { code, .. }) => REFUSALS.contains(code),
            Self::Connection(_)
            | Self::Unreachable { .. }
            | Self::ConsumerCancelled { .. }
            | Self::QueueSilent { .. }
            | Self::HandlersAborted { .. } => false,
        }
    }
}

fn left(handlers: usize, replies: usize) -> String {
    match (handlers, replies) {
        (0, 0) => String::from("the broker did not let the server go within the shutdown timeout"),
        (0, replies) => {
            alloc::format!("{replies} replies could not be sent within the shutdown timeout")
        }
        (handlers, 0) => alloc::format!(
            "{handlers} handlers were not done within the shutdown timeout and were aborted"
        ),
        (handlers, replies) => alloc::format!(
            "{handlers} handlers were not done within the shutdown timeout and were aborted, and \
             {replies} replies could not be sent"
        ),
    }
}

fn queue_hint(code: ReplyCode, method: (u16, u16)) -> &'static str {
    const DECLARE_OR_CONSUME: [(u16, u16); 2] = [(50, 10), (60, 20)];
    const PUBLISH: (u16, u16) = (60, 40);
    match code {
        ReplyCode::ACCESS_REFUSED if method == PUBLISH => {
            " (to reply, the user needs the permission write on the default exchange)"
        }
        _ if !DECLARE_OR_CONSUME.contains(&method) => "",
        ReplyCode::ACCESS_REFUSED => {
            " (the user needs the permissions configure, to declare, and read, to consume)"
        }
        ReplyCode::NOT_FOUND => " (it is to exist already: declare it, or serve it as not passive)",
        ReplyCode::RESOURCE_LOCKED => " (another connection has declared it exclusive)",
        ReplyCode::PRECONDITION_FAILED => {
            " (if it exists with other attributes: declare the same ones, or serve it as passive)"
        }
        _ => "",
    }
}

//! [`ConnectError`]: why there is no client or server.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use leveret_codec::TooLong;

use crate::SessionError;
#[cfg(feature = "tls")]
use crate::tls::{TlsError, TlsOptionsError};
use crate::uri::UriError;

/// Why there is no client or server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URI cannot be understood.
    #[error(transparent)]
    Uri(#[from] UriError),
    /// `amqps` asks for TLS, and Leveret was built without the feature `tls`.
    #[error(
        "{address}: amqps:// asks for TLS, which this program was built without: build leveret with \
         the feature `tls`"
    )]
    TlsUnsupported {
        /// Host and port.
        address: String,
    },
    /// The broker is on another machine, and everybody on the way there could read the password.
    #[error(
        "{address}: the password is not sent to {peer}, because it would cross the network in the \
         clear: write amqps://, which encrypts it (and build leveret with the feature `tls`); where \
         the network can be trusted, name the login in the URI, with the query parameter \
         ?auth_mechanism=plain"
    )]
    PasswordInTheClear {
        /// Host and port.
        address: String,
        /// What answers there.
        peer: SocketAddr,
    },
    /// The certificates, keys or names for TLS are of no use.
    #[cfg(feature = "tls")]
    #[error("TLS cannot be used: {0}")]
    TlsOptions(#[from] TlsOptionsError),
    /// There is no TLS with the broker.
    #[cfg(feature = "tls")]
    #[error("{address}: {source}")]
    Tls {
        /// Host and port.
        address: String,
        /// Why.
        source: TlsError,
    },
    /// A user name, a connection name or a queue's name is too long for the wire.
    #[error("{what}: {source}")]
    TooLong {
        /// Of what.
        what: &'static str,
        /// How long.
        source: TooLong,
    },
    /// Nothing answers at that address.
    #[error("cannot reach {address}: {source}{}", io_hint(.source))]
    Unreachable {
        /// Host and port.
        address: String,
        /// The operating system's words.
        source: io::Error,
    },
    /// The connect timeout passed before the session was ready.
    #[error(
        "{address} was not ready within the connect timeout of {timeout:?}: it was silent {stage}"
    )]
    TimedOut {
        /// Host and port.
        address: String,
        /// The whole time allowed, from the first packet on.
        timeout: Duration,
        /// What was going on.
        stage: &'static str,
    },
    /// The broker was reached, and then it failed.
    #[error("{address}: {source}")]
    Session {
        /// Host and port.
        address: String,
        /// Why.
        source: SessionError,
    },
    /// None of the addresses has a broker that takes us.
    #[error("none of {} addresses will do: {}", .0.len(), list(.0))]
    NoAddress(
        /// Why, for each address in its turn.
        Vec<ConnectError>,
    ),
    /// A stream is one connection, and several were asked for.
    #[error("a stream is one connection, and not {connections}: connect to the broker's address")]
    OneStream {
        /// How many.
        connections: usize,
    },
    /// A server without queues has nothing to do.
    #[error("the server has no queues to serve: give it some with `handle`")]
    NoQueues,
    /// A queue's argument cannot be put on the wire.
    #[error("an argument of queue \"{queue}\": {source}")]
    Argument {
        /// The queue.
        queue: String,
        /// Why.
        source: leveret_codec::TableError,
    },
}

fn list(errors: &[ConnectError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn io_hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            "; nothing listens there: is the broker running, and is the port right?"
        }
        _ => "",
    }
}

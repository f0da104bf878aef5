//! [`Uri`]: where a broker is and how to log in, in one string.
//!
//! ```text
//! amqp_URI       = ( "amqp" / "amqps" ) "://" amqp_authority [ "/" vhost ] [ "?" query ]
//! amqp_authority = [ username [ ":" password ] "@" ] address *( "," address )
//! address        = host [ ":" port ]
//! ```
//!
//! This is the [RabbitMQ URI specification][spec], with several addresses for a cluster, and with the [query parameters][query] of RabbitMQ's
//! own Erlang client. What the specification leaves open about absent parts, [`Uri`] says.
//!
//! [spec]: https://www.rabbitmq.com/docs/uri-spec
//! [query]: https://www.rabbitmq.com/docs/uri-query-parameters

mod error;
mod parse;
mod percent;
mod query;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use leveret_codec::{Secret, ShortStr};

use self::percent::Encoded;
use self::query::Query;

pub use self::error::UriError;
pub use self::query::AuthMechanism;

/// Where a broker is and how to log in, read from a string such as
/// `amqps://user:password@host:5671/vhost?heartbeat=30`.
///
/// | part | absent | if present |
/// | --- | --- | --- |
/// | user and password | `guest`, `guest` | a user without password has an empty one |
/// | host | `localhost` | a name, an IPv4 address, or an IPv6 address in brackets |
/// | port | 5672, or 5671 with `amqps` | 1 to 65535 |
/// | further addresses | none | `,host:port`: other nodes of the same cluster, tried in turn |
/// | virtual host | `/` | a single segment: `/` in its name is `%2f`, and `amqp://host/` is the virtual host of the empty name |
/// | `heartbeat` | the default | seconds, 0 to 65535 |
/// | `connection_timeout` | the default | **milliseconds**, 1 to 4294967295 |
/// | `channel_max` | the default | 0 to 65535 |
/// | `frame_max` | the default | octets, 0 or 4096 to 4294967295 |
/// | `auth_mechanism` | PLAIN; without TLS, on this machine only | `plain`, `amqplain` or `external` in any case; may repeat, the first that Leveret knows counts |
/// | `cacertfile` | the system's CAs | the path of a file in PEM: who may have signed the broker's certificate |
/// | `certfile` | none | the path of a file in PEM: a client certificate, and those between it and its CA |
/// | `keyfile` | the same as `certfile` | the path of a file in PEM: its key |
/// | `server_name_indication` | the host | whom the broker's certificate has to be for |
/// | `verify` | `verify_peer` | `verify_peer`; nothing switches it off |
///
/// The last five are for TLS, and refused with `amqp`. The files are read for each connection.
///
/// PLAIN and AMQPLAIN send the password as it is. Without TLS, a client or server sends it to
/// another machine only if `auth_mechanism` asks for that by name.
///
/// User, password, host and virtual host are percent-decoded and must then be UTF-8. A raw `@`,
/// `:` or `/` where it does not delimit is refused rather than guessed about, since a guess could
/// show a part of the password as a host.
///
/// The password is never shown: not by `Debug`, nor by `Display`, nor by any [`UriError`].
///
/// ```
/// use leveret::uri::Uri;
///
/// let uri: Uri = "amqp://alice:s%40crets@[::1]/orders?heartbeat=30".parse()?;
/// assert_eq!(uri.addresses()[0].host(), "::1");
/// assert_eq!(uri.username(), "alice");
/// assert_eq!(uri.virtual_host(), "orders");
/// assert_eq!(uri.heartbeat(), Some(30));
/// assert_eq!(uri.to_string(), "amqp://alice:***@[::1]:5672/orders?heartbeat=30");
///
/// let cluster: Uri = "amqp://alice:secret@one,two:5673/orders".parse()?;
/// assert_eq!(cluster.addresses()[1].to_string(), "two:5673");
/// # Ok::<(), leveret::uri::UriError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uri {
    is_tls: bool,
    username: String,
    password: Secret,
    /// At least one.
    addresses: Vec<Address>,
    virtual_host: ShortStr,
    query: Query,
}

/// Where one node of a broker listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
}

impl Address {
    /// The host's name or address. An IPv6 address has no brackets here.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, never 0.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// `host:port`, with brackets around an IPv6 address.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

impl Uri {
    /// Whether the scheme is `amqps`: TLS from the first octet on.
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// The nodes of the broker, at least one, in the order to try them.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Who logs in.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The password, which does not print.
    pub fn password(&self) -> &Secret {
        &self.password
    }

    /// The virtual host to enter, in at most 255 octets of UTF-8.
    pub fn virtual_host(&self) -> &ShortStr {
        &self.virtual_host
    }

    /// `heartbeat`: seconds between signs of life. 0 leaves it to the broker.
    pub fn heartbeat(&self) -> Option<u16> {
        self.query.heartbeat
    }

    /// `connection_timeout`: how long to try to reach the broker. Never zero; in the URI it
    /// counts milliseconds.
    pub fn connection_timeout(&self) -> Option<Duration> {
        self.query.connection_timeout
    }

    /// `channel_max`: the most channels at a time. 0 leaves it to the broker.
    pub fn channel_max(&self) -> Option<u16> {
        self.query.channel_max
    }

    /// `frame_max`: the largest frame in octets, at least 4096. 0 leaves it to the broker.
    pub fn frame_max(&self) -> Option<u32> {
        self.query.frame_max
    }

    /// `auth_mechanism`: how to log in. With several of them, the first that Leveret knows.
    pub fn auth_mechanism(&self) -> Option<AuthMechanism> {
        self.query.auth_mechanism
    }

    /// `cacertfile`: the path of the CAs that may have signed the broker's certificate.
    pub fn ca_certificate_file(&self) -> Option<&str> {
        self.query.ca_certificate_file.as_deref()
    }

    /// `certfile`: the path of a client certificate.
    pub fn certificate_file(&self) -> Option<&str> {
        self.query.certificate_file.as_deref()
    }

    /// `keyfile`: the path of its key. `None`: it is in the file of the certificate.
    pub fn key_file(&self) -> Option<&str> {
        self.query.key_file.as_deref()
    }

    /// `server_name_indication`: the host that the broker's certificate is for, if that is not the
    /// host to connect to.
    pub fn server_name(&self) -> Option<&str> {
        self.query.server_name.as_deref()
    }
}

impl FromStr for Uri {
    type Err = UriError;

    /// # Errors
    /// [`UriError`] says which part is wrong and how to write it.
    fn from_str(text: &str) -> Result<Self, UriError> {
        parse::uri(text)
    }
}

impl TryFrom<&str> for Uri {
    type Error = UriError;

    fn try_from(text: &str) -> Result<Self, UriError> {
        text.parse()
    }
}

impl TryFrom<String> for Uri {
    type Error = UriError;

    fn try_from(text: String) -> Result<Self, UriError> {
        text.parse()
    }
}

impl TryFrom<&String> for Uri {
    type Error = UriError;

    fn try_from(text: &String) -> Result<Self, UriError> {
        text.parse()
    }
}

/// The URI with every part that has a default, and `***` for the password, whatever it is.
impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "amqps" } else { "amqp" };
        write!(f, "{scheme}://{}:***@", Encoded(self.username.as_bytes()))?;
        for (index, Address { host, port }) in self.addresses.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "," })?;
            if host.contains(':') {
                write!(f, "[{}]:{port}", host.replace('%', "%25"))?;
            } else {
                write!(f, "{}:{port}", Encoded(host.as_bytes()))?;
            }
        }
        write!(f, "/{}{}", Encoded(self.virtual_host.as_bytes()), self.query)
    }
}

#[cfg(test)]
mod tests;

//! [`UriError`]: which part of a URI is wrong and how to write it.

use alloc::string::String;
use core::convert::Infallible;

/// A string that is no AMQP URI.
///
/// Messages name parts and never quote them, except for the scheme and the names of query
/// parameters: where a URI is wrong, a piece of the password may stand where a host or a port was
/// expected.
///
/// ```
/// use leveret::uri::Uri;
///
/// let error = "amqp://alice:s@crets@rabbit".parse::<Uri>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "an \"@\" may only stand once, before the host: in a user, password or virtual host, \
///      write %40"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UriError {
    /// It does not begin with a scheme and `://`.
    #[error("the URI does not begin with amqp:// or amqps://, as amqp://localhost:5672 does")]
    MissingScheme,
    /// The scheme is none of AMQP's.
    #[error("the URI begins with {scheme}://, where amqp:// or amqps:// is expected")]
    UnknownScheme {
        /// The scheme, as it was written.
        scheme: String,
    },
    /// A raw space, line end or other control character, often at the end of a line from a file.
    #[error(
        "octet {offset} of the URI is a space or control character: trim the URI, or write the \
         character as its UTF-8 octets with a \"%\" before each, such as %20"
    )]
    Whitespace {
        /// Octets before it.
        offset: usize,
    },
    /// A raw `@` that does not end user and password.
    #[error(
        "an \"@\" may only stand once, before the host: in a user, password or virtual host, \
         write %40"
    )]
    AtSign,
    /// A raw `#`, which would begin a fragment.
    #[error("an AMQP URI has no fragment: in a user, password or virtual host, write # as %23")]
    Fragment,
    /// A raw `:` in user or password, beyond the one between them.
    #[error("there is more than one \":\" before the \"@\": in a user or password, write %3a")]
    Colon,
    /// A `%` without two hexadecimal digits.
    #[error("{part} contains a \"%\" without two hexadecimal digits after it: write % as %25")]
    Percent {
        /// The part of the URI, such as "the password".
        part: &'static str,
    },
    /// What the percent-encoded octets say is no text.
    #[error("{part} is no UTF-8 when percent-decoded: characters beyond ASCII are UTF-8 octets")]
    NotUtf8 {
        /// The part of the URI.
        part: &'static str,
    },
    /// `%00`, which delimits user and password in SASL PLAIN.
    #[error("{part} contains the octet 0 (%00), which is not allowed there")]
    Nul {
        /// The part of the URI.
        part: &'static str,
    },
    /// Too long to be sent.
    #[error("{part} has {length} octets when percent-decoded, the limit is {limit}")]
    TooLong {
        /// The part of the URI.
        part: &'static str,
        /// Its octets.
        length: usize,
        /// The most octets it may have.
        limit: usize,
    },
    /// An address in brackets that is no IPv6 address, or a `[` without its `]`.
    #[error("the host in brackets is no IPv6 address, as in amqp://[::1]:5672")]
    Ipv6,
    /// A second `:` behind the host, as in an IPv6 address without brackets.
    #[error(
        "there is more than one \":\" in host and port: an IPv6 address is written in brackets, \
         as in amqp://[::1]:5672, and several hosts have commas between them"
    )]
    UnbracketedHost,
    /// Nothing before, after or between the commas of several addresses.
    #[error(
        "an address before or after a \",\" is empty: several are written as in \
         amqp://one:5672,two:5672, and a \",\" in a user or password as %2c"
    )]
    EmptyAddress,
    /// What follows the host's `:` is no port.
    #[error(
        "the port is no number from 1 to 65535: the URI is amqp://host:port, or \
         amqp://user:password@host:port"
    )]
    Port,
    /// A `/` in the name of the virtual host.
    #[error(
        "there is more than one \"/\" after the host: a \"/\" in the name of a virtual host is \
         written %2f"
    )]
    VirtualHostSlash,
    /// A query parameter that nobody knows.
    #[error(
        "unknown query parameter {name:?}: known are auth_mechanism, channel_max, \
         connection_timeout, frame_max and heartbeat, and for TLS cacertfile, certfile, keyfile, \
         server_name_indication and verify"
    )]
    UnknownParameter {
        /// Its name.
        name: String,
    },
    /// A query parameter for TLS that Leveret does not know, such as `depth`.
    #[error(
        "the query parameter {name} is for TLS and not supported: remove it; supported are \
         cacertfile, certfile, keyfile, server_name_indication and verify"
    )]
    TlsParameter {
        /// Its name.
        name: &'static str,
    },
    /// A query parameter for TLS, such as `cacertfile`, in a URI without TLS.
    #[error(
        "the query parameter {name} is for TLS, and amqp:// is without: write amqps://, and its \
         port (5671 unless configured)"
    )]
    TlsParameterWithoutTls {
        /// Its name.
        name: &'static str,
    },
    /// `verify=verify_none`.
    #[error(
        "verify=verify_none would take anybody for the broker and send it the password, so \
         Leveret always verifies: name the CA that has signed the broker's certificate, with the \
         query parameter cacertfile, and the host that it is for, if that is another, with \
         server_name_indication"
    )]
    VerifyNone,
    /// `keyfile` without `certfile`.
    #[error(
        "the query parameter keyfile is the key to a client certificate: name that too, with \
         certfile"
    )]
    KeyWithoutCertificate,
    /// The same query parameter a second time.
    #[error("the query parameter {name} is given more than once")]
    RepeatedParameter {
        /// Its name.
        name: &'static str,
    },
    /// The value of a query parameter is absent, no number, or out of range.
    #[error("the value of the query parameter {name} is to be {expected}")]
    ParameterValue {
        /// Its name.
        name: &'static str,
        /// What it can be.
        expected: &'static str,
    },
    /// No `auth_mechanism` is one that Leveret knows.
    #[error("Leveret knows no auth_mechanism of this URI: it knows plain, amqplain and external")]
    AuthMechanism,
}

/// So that whatever takes `impl TryInto<Uri>` takes a [`Uri`](super::Uri) too.
impl From<Infallible> for UriError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

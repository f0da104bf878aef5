//! [`TlsOptionsError`]: why TLS cannot even be tried.

use std::io;
use std::path::PathBuf;

/// What is wrong with the certificates, keys and names that TLS is to be done with, by
/// [`TlsOptions`](super::TlsOptions) or the URI.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsOptionsError {
    /// A file cannot be read.
    #[error("cannot read {what} from {}: {source}", .path.display())]
    Unreadable {
        /// Such as "the client certificate".
        what: &'static str,
        /// Where it was looked for.
        path: PathBuf,
        /// The operating system's words.
        source: io::Error,
    },
    /// It was read and is of no use.
    #[error("{what}{} cannot be used: {reason}", at(.path.as_ref()))]
    Unfit {
        /// Such as "the client certificate".
        what: &'static str,
        /// Where it was read from. `None`: it was given as it is.
        path: Option<PathBuf>,
        /// Why.
        reason: String,
    },
    /// The system has no CAs.
    #[error(
        "this machine trusts no CA{}: install its CA certificates (on Debian, the package \
         ca-certificates), or name your own with the query parameter cacertfile",
        because(.reasons)
    )]
    NoSystemRoots {
        /// What was looked for and could not be read.
        reasons: Vec<String>,
    },
    /// What the certificate is to be for cannot be in one.
    #[error("\"{name}\" is neither a host's name nor an address, so no certificate can be for it")]
    ServerName {
        /// The name.
        name: String,
    },
    /// A configuration that is ready has been given, and what belongs into it, too.
    #[error(
        "a ready rustls::ClientConfig has its CAs and its client certificate: of the other \
         TlsOptions, only server_name goes with it"
    )]
    ReadyConfig,
    /// The URI begins with `amqp://`.
    #[error("the URI begins with amqp://, which is without TLS: write amqps://")]
    WithoutTls,
    /// The runtime is ending.
    #[error("the runtime ended while certificates were read")]
    Interrupted,
}

fn at(path: Option<&PathBuf>) -> String {
    path.map(|path| format!(" in {}", path.display())).unwrap_or_default()
}

fn because(reasons: &[String]) -> String {
    if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join("; ")) }
}

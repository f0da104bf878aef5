//! [`TlsError`]: why a broker that was reached is not talked to.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use tokio_rustls::rustls::{AlertDescription as Alert, CertificateError, Error, PeerIncompatible};

/// Why there is no TLS, or no longer, with a broker that was reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The broker's certificate leads to no CA that is trusted.
    #[error(
        "the broker's certificate is signed by no CA that is trusted here: if the CA is your own, \
         name it with the query parameter cacertfile, or with TlsOptions; if it is not, \
         somebody else may be answering"
    )]
    UnknownIssuer,
    /// The broker's certificate, or its CA's, has expired.
    #[error(
        "the broker's certificate, or its CA's, expired {} ago by this machine's clock: renew it, \
         or set the clock",
        roughly(*.since)
    )]
    Expired {
        /// How long ago.
        since: Duration,
    },
    /// The broker's certificate, or its CA's, is of the future.
    #[error(
        "the broker's certificate, or its CA's, is not valid before {} from now by this machine's \
         clock: set the clock, or have it issued anew",
        roughly(*.until)
    )]
    NotYetValid {
        /// How long from now.
        until: Duration,
    },
    /// The broker's certificate is for another host.
    #[error(
        "the broker's certificate is for {}, and not for {expected}: connect to a name that it is \
         for, or say which it is to be, with the query parameter server_name_indication or \
         with TlsOptions",
        list(.presented)
    )]
    WrongName {
        /// The host of the URI, or the server name that was asked for.
        expected: String,
        /// The names and addresses that it is for.
        presented: Vec<String>,
    },
    /// The broker's certificate is that of a CA: as a rule one that was made to sign itself.
    #[error(
        "the broker's certificate is a CA's own, which is to sign others: sign one for the broker \
         with it (basicConstraints CA:FALSE)"
    )]
    CaAsBroker,
    /// Something else about the broker's certificate.
    #[error("the broker's certificate cannot be trusted: {reason}")]
    Certificate {
        /// What rustls says.
        reason: String,
    },
    /// The broker demands a client certificate and was given none.
    #[error(
        "the broker demands a client certificate: give it one, with the query parameters certfile \
         and keyfile, or with TlsOptions"
    )]
    CertificateRequired,
    /// The broker took offence at the client certificate.
    #[error(
        "the broker refused the client certificate (TLS alert {alert}): it has to be valid, for \
         client authentication, and signed by a CA that the broker trusts"
    )]
    CertificateRefused {
        /// The alert, as TLS names it.
        alert: String,
    },
    /// No version of TLS is spoken by both.
    #[error(
        "this program and the broker have no version of TLS in common: here it is 1.2 or 1.3, \
         unless a ready rustls::ClientConfig says otherwise"
    )]
    Version,
    /// The broker ended it with an alert.
    #[error("the broker broke off with the TLS alert {alert}{}", hint(.alert))]
    Alert {
        /// The alert, as TLS names it.
        alert: String,
    },
    /// What answers does not speak TLS.
    #[error(
        "the peer does not speak TLS on this port: RabbitMQ's TLS port is usually 5671; for one \
         without TLS (usually 5672), write amqp://"
    )]
    NotTls,
    /// The peer ended the connection in the middle of the handshake.
    #[error(
        "the peer closed the connection in the TLS handshake: it may have no TLS on this port \
         (RabbitMQ's is usually 5671), or no certificate of its own"
    )]
    Closed,
    /// The socket failed in the middle of the handshake.
    #[error("the connection was lost in the TLS handshake: {reason}")]
    Lost {
        /// The operating system's words.
        reason: String,
    },
    /// The peer broke the TLS protocol, or has nothing in common with this end of it.
    #[error("TLS failed: {reason}")]
    Protocol {
        /// What rustls says.
        reason: String,
    },
}

impl TlsError {
    /// What has become of a handshake.
    pub(super) fn of_handshake(error: io::Error) -> Self {
        match rustls_error(&error) {
            // What is no TLS is no message of it either.
            Some(Error::InvalidMessage(_)) => Self::NotTls,
            Some(error) => Self::from_rustls(error),
            None if error.kind() == io::ErrorKind::UnexpectedEof => Self::Closed,
            None => Self::Lost { reason: error.to_string() },
        }
    }

    /// The error of a stream, which is TLS' own or the socket's.
    pub(super) fn explain(error: io::Error) -> io::Error {
        match rustls_error(&error) {
            Some(cause) => io::Error::new(error.kind(), Self::from_rustls(cause)),
            None => error,
        }
    }

    fn from_rustls(error: &Error) -> Self {
        match error {
            Error::InvalidCertificate(error) => Self::of_certificate(error),
            Error::AlertReceived(alert) => Self::of_alert(*alert),
            Error::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
            ) => Self::Version,
            error => Self::Protocol { reason: error.to_string() },
        }
    }

    fn of_certificate(error: &CertificateError) -> Self {
        let between = |earlier: u64, later: u64| Duration::from_secs(later.saturating_sub(earlier));
        match error {
            // The latter is a CA of a name that is known, and of another key: one that was made anew.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::UnknownIssuer,
            CertificateError::ExpiredContext { time, not_after } => {
                Self::Expired { since: between(not_after.as_secs(), time.as_secs()) }
            }
            CertificateError::NotValidYetContext { time, not_before } => {
                Self::NotYetValid { until: between(time.as_secs(), not_before.as_secs()) }
            }
            CertificateError::NotValidForNameContext { expected, presented } => Self::WrongName {
                expected: expected.to_str().into_owned(),
                presented: presented.iter().map(|name| plain(name)).collect(),
            },
            CertificateError::Other(error) if format!("{error}") == "CaUsedAsEndEntity" => {
                Self::CaAsBroker
            }
            error => Self::Certificate { reason: error.to_string() },
        }
    }

    fn of_alert(alert: Alert) -> Self {
        let name = format!("{alert:?}");
        match alert {
            Alert::CertificateRequired => Self::CertificateRequired,
            Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            // Of a signature, which is all that we send of the kind.
            | Alert::DecryptError => Self::CertificateRefused { alert: name },
            Alert::ProtocolVersion => Self::Version,
            _ => Self::Alert { alert: name },
        }
    }
}

fn rustls_error(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

/// A name out of `DnsName("rabbit")` or `IpAddress(0::1)`, as rustls writes them.
fn plain(name: &str) -> String {
    let inside = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    let name = inside.unwrap_or(name).trim_matches('"');
    name.parse().map_or_else(|_| name.to_owned(), |address: IpAddr| address.to_string())
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "no host".to_owned() } else { names.join(", ") }
}

/// TLS 1.2 has no alert of its own for it.
fn hint(alert: &str) -> &'static str {
    match alert {
        "HandshakeFailure" => {
            ": it demands a client certificate perhaps, or one for another use (the query parameters \
             certfile and keyfile, or TlsOptions), or has no cipher suite in common with us"
        }
        "UnrecognisedName" => ": it has no certificate for this host",
        _ => "",
    }
}

/// In the largest unit of which there are two.
fn roughly(duration: Duration) -> String {
    const UNITS: [(u64, &str); 3] = [(86_400, "days"), (3_600, "hours"), (60, "minutes")];
    let seconds = duration.as_secs();
    let of = |length| seconds.checked_div(length).unwrap_or_default();
    let (length, name) =
        UNITS.into_iter().find(|(length, _)| of(*length) >= 2).unwrap_or((1, "seconds"));
    format!("{} {name}", of(length))
}

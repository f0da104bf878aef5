//! [`TlsOptions`]: whom to trust, and who we are.
//!
//! TLS is rustls on ring, which builds without cmake and needs no OpenSSL. The system's CAs are read by
//! rustls-native-certs and judged by rustls itself. The platform's own verifier
//! (rustls-platform-verifier) would judge by other rules and in other words on each system, takes no
//! CA of one's own in the place of the system's, and brings more crates.

mod config;
mod error;
mod options_error;
mod pem;
mod reach;
mod stream;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use tokio_rustls::rustls::ClientConfig;

use self::pem::Pem;
use crate::uri::Uri;

pub use self::error::TlsError;
pub use self::options_error::TlsOptionsError;
pub(crate) use self::reach::Tls;

/// How TLS is done with a broker whose URI begins with `amqps://`, where that is not as usual:
/// [`ClientBuilder::tls`](crate::ClientBuilder::tls), [`ServerBuilder::tls`](crate::ServerBuilder::tls).
///
/// Unless something else is said, the broker's certificate has to be signed by a CA of the system's
/// (what `SSL_CERT_FILE` and `SSL_CERT_DIR` name, if they are set), and to be for the host of the URI.
/// It is always verified: nothing switches that off. TLS is 1.3 or 1.2, whichever is the best that the
/// broker speaks.
///
/// The URI can say most of it, too: `cacertfile`, `certfile`, `keyfile`, `server_name_indication`
/// ([`Uri`](crate::uri::Uri)). What is said here counts more.
///
/// Files, and the system's CAs, are read for each connection, so that certificates can be renewed while a
/// client or server goes on.
///
/// ```no_run
/// use leveret::{Client, TlsOptions};
///
/// # async fn run() -> Result<(), leveret::ConnectError> {
/// let tls = TlsOptions::new()
///     .ca_file("/etc/rabbitmq/ca.pem")
///     .client_certificate_files("/etc/app/client.pem", "/etc/app/client.key");
/// // The certificate is the login.
/// let client = Client::builder("amqps://rabbit.example?auth_mechanism=external")
///     .tls(tls)
///     .connect()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "options do nothing before a builder's `tls`"]
pub struct TlsOptions {
    ca: Option<Pem>,
    client_certificate: Option<ClientCertificate>,
    server_name: Option<String>,
    config: Option<ReadyConfig>,
}

/// A client certificate, with those between it and its CA.
#[derive(Debug, Clone)]
struct ClientCertificate {
    chain: Pem,
    key: Pem,
}

#[derive(Clone)]
struct ReadyConfig(Arc<ClientConfig>);

impl TlsOptions {
    /// The system's CAs, no client certificate.
    pub fn new() -> Self {
        Self::default()
    }

    /// A configuration of rustls' that is ready: for whatever Leveret has no words for. Of the other
    /// options, only [`server_name`](Self::server_name) goes with it.
    ///
    /// [`leveret::rustls`](crate::rustls) is the version of rustls that it has to be of.
    pub fn with_config(config: Arc<ClientConfig>) -> Self {
        Self { config: Some(ReadyConfig(config)), ..Self::default() }
    }

    /// The only CAs that may have signed the broker's certificate, in PEM: one or more. The system's do
    /// not count then.
    pub fn ca(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca = Some(Pem::octets(pem));
        self
    }

    /// The same, in a file.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca = Some(Pem::File(path.into()));
        self
    }

    /// Who we are, to a broker that asks for it, in PEM: a certificate, followed by those between it and
    /// its CA if there are such, and its key, which must not be encrypted. Both may be in one text.
    ///
    /// It is a login as well if the URI has `auth_mechanism=external`, and the broker has the plugin
    /// `rabbitmq_auth_mechanism_ssl`.
    pub fn client_certificate(
        mut self,
        certificate: impl Into<Vec<u8>>,
        key: impl Into<Vec<u8>>,
    ) -> Self {
        let (chain, key) = (Pem::octets(certificate), Pem::octets(key));
        self.client_certificate = Some(ClientCertificate { chain, key });
        self
    }

    /// The same, in files.
    pub fn client_certificate_files(
        mut self,
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Self {
        let (chain, key) = (Pem::File(certificate.into()), Pem::File(key.into()));
        self.client_certificate = Some(ClientCertificate { chain, key });
        self
    }

    /// The name or address that the broker's certificate has to be for, if that is not the host in the
    /// URI, as behind a tunnel. The broker is told that name, too (SNI).
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// With what the URI says, where nothing else is said here.
    fn or(self, uri: &Uri) -> Self {
        let server_name = self.server_name.or_else(|| uri.server_name().map(Into::into));
        if self.config.is_some() {
            return Self { server_name, ..self };
        }
        let client_certificate = uri.certificate_file().map(|path| ClientCertificate {
            chain: Pem::File(path.into()),
            key: Pem::File(uri.key_file().unwrap_or(path).into()),
        });
        Self {
            ca: self.ca.or_else(|| Some(Pem::File(uri.ca_certificate_file()?.into()))),
            client_certificate: self.client_certificate.or(client_certificate),
            server_name,
            config: None,
        }
    }
}

/// What is in there is the user's own, keys included.
impl fmt::Debug for ReadyConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientConfig")
    }
}

#[cfg(test)]
mod tests;

//! From options to what rustls works with.

use std::sync::Arc;

use rustls_native_certs::load_native_certs;
use tokio_rustls::rustls::client::WantsClientCert;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::{ClientConfig, ConfigBuilder, Error, RootCertStore};

use super::{ClientCertificate, ReadyConfig, TlsOptions, TlsOptionsError};

const CA: &str = "the CA certificate";
const CERTIFICATE: &str = "the client certificate";
const KEY: &str = "the key to the client certificate";

impl TlsOptions {
    /// Reads all that there is to read, from files too.
    pub(super) fn config(&self) -> Result<Arc<ClientConfig>, TlsOptionsError> {
        if let Some(ReadyConfig(config)) = &self.config {
            return match (&self.ca, &self.client_certificate) {
                (None, None) => Ok(Arc::clone(config)),
                _ => Err(TlsOptionsError::ReadyConfig),
            };
        }
        // By name, since a program may have another provider as its default, or two and none.
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsOptionsError::Unfit {
                what: "the cryptography of this program",
                path: None,
                reason: error.to_string(),
            })?
            .with_root_certificates(self.roots()?);
        let config = match &self.client_certificate {
            Some(certificate) => certificate.present(builder)?,
            None => builder.with_no_client_auth(),
        };
        Ok(Arc::new(config))
    }

    fn roots(&self) -> Result<RootCertStore, TlsOptionsError> {
        let Some(ca) = &self.ca else { return system_roots() };
        let mut roots = RootCertStore::empty();
        for certificate in ca.certificates(CA)? {
            roots.add(certificate).map_err(|error| ca.unfit(CA, &error.to_string()))?;
        }
        Ok(roots)
    }
}

/// A system may have some that cannot be read: the others do.
fn system_roots() -> Result<RootCertStore, TlsOptionsError> {
    let found = load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    match roots.is_empty() {
        true => Err(TlsOptionsError::NoSystemRoots {
            reasons: found.errors.iter().map(ToString::to_string).collect(),
        }),
        false => Ok(roots),
    }
}

impl ClientCertificate {
    fn present(
        &self,
        builder: ConfigBuilder<ClientConfig, WantsClientCert>,
    ) -> Result<ClientConfig, TlsOptionsError> {
        let chain = self.chain.certificates(CERTIFICATE)?;
        let key = self.key.key(KEY)?;
        builder.with_client_auth_cert(chain, key).map_err(|error| match error {
            Error::InconsistentKeys(_) => {
                self.key.unfit(KEY, "it is the key to another certificate")
            }
            Error::General(_) => self.key.unfit(KEY, &error.to_string()),
            error => self.chain.unfit(CERTIFICATE, &error.to_string()),
        })
    }
}

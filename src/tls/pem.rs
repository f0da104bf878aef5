//! Certificates and keys in PEM (RFC 7468).

use std::path::PathBuf;
use std::sync::Arc;
use std::{fmt, fs};

use tokio_rustls::rustls::pki_types::pem::{Error, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::TlsOptionsError;

/// Where it is.
#[derive(Clone)]
pub(super) enum Pem {
    Octets(Arc<[u8]>),
    File(PathBuf),
}

impl Pem {
    pub(super) fn octets(pem: impl Into<Vec<u8>>) -> Self {
        Self::Octets(pem.into().into())
    }

    /// One at least. `what` is for the error.
    pub(super) fn certificates(
        &self,
        what: &'static str,
    ) -> Result<Vec<CertificateDer<'static>>, TlsOptionsError> {
        let pem = self.read(what)?;
        let certificates: Result<Vec<_>, Error> = CertificateDer::pem_slice_iter(&pem).collect();
        let certificates = certificates.map_err(|error| self.unfit(what, &error.to_string()))?;
        match certificates.is_empty() {
            true => Err(self.unfit(what, "there is no BEGIN CERTIFICATE in it")),
            false => Ok(certificates),
        }
    }

    pub(super) fn key(
        &self,
        what: &'static str,
    ) -> Result<PrivateKeyDer<'static>, TlsOptionsError> {
        let pem = self.read(what)?;
        PrivateKeyDer::from_pem_slice(&pem).map_err(|error| match error {
            Error::NoItemsFound if is_encrypted(&pem) => {
                self.unfit(what, "it is encrypted: decrypt it first, as `openssl pkey` does")
            }
            Error::NoItemsFound => self.unfit(what, "there is no BEGIN PRIVATE KEY in it"),
            error => self.unfit(what, &error.to_string()),
        })
    }

    fn read(&self, what: &'static str) -> Result<Arc<[u8]>, TlsOptionsError> {
        match self {
            Self::Octets(octets) => Ok(Arc::clone(octets)),
            Self::File(path) => fs::read(path)
                .map(Into::into)
                .map_err(|source| TlsOptionsError::Unreadable { what, path: path.clone(), source }),
        }
    }

    /// It was read, and is of no use.
    pub(super) fn unfit(&self, what: &'static str, reason: &str) -> TlsOptionsError {
        let path = match self {
            Self::Octets(_) => None,
            Self::File(path) => Some(path.clone()),
        };
        TlsOptionsError::Unfit { what, path, reason: reason.to_owned() }
    }
}

/// `ENCRYPTED PRIVATE KEY` (PKCS#8).
fn is_encrypted(pem: &[u8]) -> bool {
    String::from_utf8_lossy(pem).contains("-----BEGIN ENCRYPTED")
}

/// A key is a secret, and a certificate is long.
impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Octets(_) => f.write_str("***"),
            Self::File(path) => path.fmt(f),
        }
    }
}

//! A broker that is reached over TLS.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::stream::TlsStream;
use super::{TlsError, TlsOptions, TlsOptionsError};
use crate::ConnectError;
use crate::connect::{Reach, tcp};
use crate::uri::{Address, Uri};

/// All that is to be known for it, from builder and URI.
#[derive(Debug, Clone)]
pub(crate) struct Tls(TlsOptions);

impl Reach for Tls {
    type Stream = TlsStream<TcpStream>;

    const STAGE: &'static str = "when it was to be reached, or in the TLS handshake";

    async fn reach(&self, _: &Uri, address: &Address) -> Result<Self::Stream, ConnectError> {
        // What is wrong with the options is wrong whether the broker is there or not.
        let connector = self.connector().await?;
        let name = self.server_name(address)?;
        encrypt(tcp(address).await?, &connector, name, address).await
    }
}

impl Tls {
    pub(crate) fn new(options: TlsOptions, uri: &Uri) -> Self {
        Self(options.or(uri))
    }

    /// Over a stream that is there already.
    pub(crate) async fn over<S>(
        &self,
        stream: S,
        address: &Address,
    ) -> Result<TlsStream<S>, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let connector = self.connector().await?;
        encrypt(stream, &connector, self.server_name(address)?, address).await
    }

    /// Files are read where that holds up nobody.
    async fn connector(&self) -> Result<TlsConnector, TlsOptionsError> {
        let options = self.0.clone();
        let config = spawn_blocking(move || options.config()).await;
        Ok(config.map_err(|_| TlsOptionsError::Interrupted)??.into())
    }

    /// The address's host, less the zone of an IPv6 address, which means something on this machine only.
    pub(super) fn server_name(
        &self,
        address: &Address,
    ) -> Result<ServerName<'static>, TlsOptionsError> {
        let host = || address.host().split('%').next().unwrap_or_default().to_owned();
        let name = self.0.server_name.clone().unwrap_or_else(host);
        ServerName::try_from(name.clone()).map_err(|_| TlsOptionsError::ServerName { name })
    }
}

async fn encrypt<S>(
    stream: S,
    connector: &TlsConnector,
    name: ServerName<'static>,
    address: &Address,
) -> Result<TlsStream<S>, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let stream = connector.connect(name, stream).await;
    stream.map(TlsStream).map_err(|error| ConnectError::Tls {
        address: address.to_string(),
        source: TlsError::of_handshake(error),
    })
}

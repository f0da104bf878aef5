//! A stream to a broker, for whoever speaks AMQP on it by themselves.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::{ConnectError, Options, Reach, Tcp, none_of, timed_out};
use crate::connection::Config;

/// Of either kind.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Options {
    /// Tries the broker's addresses in turn, each for as long as the connect timeout.
    pub(crate) async fn open(self) -> Result<(Box<dyn Stream>, Config), ConnectError> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return self.open_by(tls).await;
        }
        self.open_by(&Tcp).await
    }

    async fn open_by<R: Reach>(
        &self,
        reach: &R,
    ) -> Result<(Box<dyn Stream>, Config), ConnectError> {
        let limit = self.connect_timeout;
        let mut errors = Vec::new();
        for address in self.uri.addresses() {
            match timeout(limit, reach.reach(&self.uri, address)).await {
                Ok(Ok(stream)) => {
                    let config = Config { handshake_timeout: limit, ..self.config.clone() };
                    return Ok((Box::new(stream), config));
                }
                // It would be the same at the next address.
                #[cfg(feature = "tls")]
                Ok(Err(error @ ConnectError::TlsOptions(_))) => return Err(error),
                Ok(Err(error)) => errors.push(error),
                Err(_) => errors.push(timed_out(address, limit, R::STAGE)),
            }
        }
        Err(none_of(errors))
    }
}

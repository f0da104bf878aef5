//! From an address to a stream that is fit for AMQP.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::ConnectError;
use super::login::may_log_in;
use crate::uri::{Address, Uri};

/// How a broker is reached. The driver is made for each kind of stream, so that plain TCP pays nothing
/// for there being others.
pub(crate) trait Reach: Clone + Send + Sync + 'static {
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// What was going on when a stream did not come in time.
    const STAGE: &'static str;

    /// A stream to an address of the broker's, fit for the login.
    fn reach(
        &self,
        uri: &Uri,
        address: &Address,
    ) -> impl Future<Output = Result<Self::Stream, ConnectError>> + Send;
}

#[derive(Debug, Clone)]
pub(crate) struct Tcp;

impl Reach for Tcp {
    type Stream = TcpStream;

    const STAGE: &'static str = "when it was to be reached";

    async fn reach(&self, uri: &Uri, address: &Address) -> Result<TcpStream, ConnectError> {
        let stream = tcp(address).await?;
        let peer = stream.peer_addr().map_err(|source| unreachable(address, source))?;
        if !may_log_in(uri.auth_mechanism(), peer) {
            return Err(ConnectError::PasswordInTheClear { address: address.to_string(), peer });
        }
        Ok(stream)
    }
}

/// A socket, fit for whatever encrypts.
pub(crate) async fn tcp(address: &Address) -> Result<TcpStream, ConnectError> {
    let connect = async || {
        let stream = TcpStream::connect((address.host(), address.port())).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    };
    connect().await.map_err(|source| unreachable(address, source))
}

fn unreachable(address: &Address, source: std::io::Error) -> ConnectError {
    ConnectError::Unreachable { address: address.to_string(), source }
}

//! A peer that says what a test tells it to: a dialogue, frame by frame, with a client or a server
//! that is to be tested. No broker is behind it, so it can say what no broker would.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use leveret::Client;
//! use leveret::broker::script::ScriptedPeer;
//!
//! let peer = ScriptedPeer::play(async |mut client| {
//!     client.handshake().await?;
//!     client.subscribe().await?;
//!     let request = client.expect_publish().await?;
//!     client.reply(&request, "never asked for").await?;
//!     client.reply(&request, "hello back").await?;
//!     client.goodbye().await
//! })
//! .await?;
//!
//! let client = Client::connect(&peer.url()).await?;
//! assert_eq!(client.call("ping", "hello").await?.text()?, "never asked for");
//! client.close().await;
//! peer.finish().await?;
//! # Ok(())
//! # }
//! ```
//!
//! Each step waits for what it expects, but not for ever, and fails with a [`ScriptError`] that
//! says what was expected, what came instead, and all that was said before.

mod dialogue;
mod error;
mod expected;
mod steps;

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use self::dialogue::Dialogue;
use self::dialogue::PATIENCE;
pub use self::error::ScriptError;
pub use self::expected::Expected;
pub use self::steps::{Consumer, Greeting, Published};

/// A socket on 127.0.0.1 where a script answers; see the [module](self).
#[derive(Debug)]
pub struct ScriptedPeer {
    address: SocketAddr,
    play: JoinHandle<Result<(), ScriptError>>,
}

impl ScriptedPeer {
    /// Listens, and has the script talk to the first who connects.
    ///
    /// # Errors
    /// The operating system's, if it gives no port.
    pub async fn play<F, D>(script: F) -> io::Result<Self>
    where
        F: FnOnce(Dialogue) -> D + Send + 'static,
        D: Future<Output = Result<(), ScriptError>> + Send + 'static,
    {
        let listener = ScriptListener::bind().await?;
        let address = listener.address();
        let play = tokio::spawn(async move { script(listener.accept().await?).await });
        Ok(Self { address, play })
    }

    /// Where to connect: `amqp://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("amqp://{}", self.address)
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for the end of the script.
    ///
    /// # Errors
    /// The script's own: the dialogue did not go as it was written.
    ///
    /// # Panics
    /// If the script did, with the same words.
    pub async fn finish(self) -> Result<(), ScriptError> {
        match self.play.await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(ScriptError::cancelled()),
            },
        }
    }
}

/// A socket on 127.0.0.1 for scripts that need more than one connection.
#[derive(Debug)]
pub struct ScriptListener {
    listener: TcpListener,
    address: SocketAddr,
}

impl ScriptListener {
    /// Listens on a free port.
    ///
    /// # Errors
    /// The operating system's, if it gives none.
    pub async fn bind() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        Ok(Self { address: listener.local_addr()?, listener })
    }

    /// Where to connect: `amqp://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("amqp://{}", self.address)
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection.
    ///
    /// # Errors
    /// [`ScriptError`] if nobody connects in time.
    pub async fn accept(&self) -> Result<Dialogue, ScriptError> {
        match tokio::time::timeout(PATIENCE, self.listener.accept()).await {
            Ok(Ok((stream, _))) => {
                let _ = stream.set_nodelay(true);
                Ok(Dialogue::new(stream))
            }
            Ok(Err(error)) => Err(ScriptError::new("a connection", error.to_string(), Vec::new())),
            Err(_) => Err(ScriptError::new("a connection", "nobody connected".into(), Vec::new())),
        }
    }
}

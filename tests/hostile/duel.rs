//! One scripted broker against one client or server.

use std::fmt;
use std::time::Duration;

use leveret::broker::script::{Dialogue, ScriptError, ScriptListener};
use leveret::{Client, ConnectError, Reconnect, Reply, Request, Server, SessionError};
use tokio::io::DuplexStream;
use tokio::sync::oneshot;

use crate::attacker::Attacker;

/// Who is attacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Victim {
    Client,
    Server,
}

pub(crate) const VICTIMS: [Victim; 2] = [Victim::Client, Victim::Server];

impl fmt::Display for Victim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Server => "server",
        })
    }
}

/// What becomes of the victim: the words of its error, or `Ok` if it was served as it should.
pub(crate) type Fate = Result<(), String>;

/// What an attacker does.
pub(crate) trait Script: AsyncFnOnce(Attacker) -> Result<(), ScriptError> {}

impl<S: AsyncFnOnce(Attacker) -> Result<(), ScriptError>> Script for S {}

/// How long connecting and calling may take. Longer than the attacks that end by an error.
const TIMEOUT: Duration = Duration::from_secs(30);

impl Victim {
    /// Lets the victim meet its attacker on a socket.
    pub(crate) async fn duel(self, script: impl Script) -> Fate {
        self.duel_with(TIMEOUT, "", script).await
    }

    /// The same with a limit of time, and with parameters for the URI.
    pub(crate) async fn duel_with(
        self,
        timeout: Duration,
        parameters: &str,
        script: impl Script,
    ) -> Fate {
        let listener = ScriptListener::bind().await.unwrap();
        let url = format!("{}{parameters}", listener.url());
        let (done, served) = oneshot::channel();
        let attack = async { script(Attacker::new(self, listener.accept().await?, done)).await };
        let (fate, ()) = tokio::join!(self.meet(&url, timeout, None, served), play(attack));
        fate
    }

    /// The same without a socket: for virtual time, and where a socket would take megabytes before
    /// it is full.
    pub(crate) async fn duel_without_socket(self, timeout: Duration, script: impl Script) -> Fate {
        self.duel_with_room(0x1_0000, timeout, script).await
    }

    /// The same with so many octets on their way at most.
    pub(crate) async fn duel_with_room(
        self,
        octets: usize,
        timeout: Duration,
        script: impl Script,
    ) -> Fate {
        let (ours, theirs) = tokio::io::duplex(octets);
        let (done, served) = oneshot::channel();
        let attack = script(Attacker::new(self, Dialogue::new(theirs), done));
        let victim = self.meet("amqp://nowhere", timeout, Some(ours), served);
        let (fate, ()) = tokio::join!(victim, play(attack));
        fate
    }

    async fn meet(
        self,
        url: &str,
        timeout: Duration,
        stream: Option<DuplexStream>,
        served: oneshot::Receiver<()>,
    ) -> Fate {
        match self {
            Self::Client => call(url, timeout, stream).await,
            Self::Server => serve(url, timeout, stream, served).await,
        }
    }
}

/// The attacker's own failure is the test's, at once.
async fn play(script: impl Future<Output = Result<(), ScriptError>>) {
    if let Err(error) = script.await {
        panic!("{error}");
    }
}

async fn call(url: &str, timeout: Duration, stream: Option<DuplexStream>) -> Fate {
    let builder = Client::builder(url).timeout(timeout).connect_timeout(timeout);
    let builder = builder.reconnect(Reconnect::never());
    let client = match stream {
        Some(stream) => builder.connect_over(stream).await,
        None => builder.connect().await,
    };
    let client = client.map_err(|error| words(&error))?;
    match client.call("queue", "hello").await {
        Ok(reply) => {
            assert_eq!(reply.body, "hello back");
            client.close().await;
            Ok(())
        }
        Err(error) => {
            client.close().await;
            // What ended the session says more than how that ended the call.
            let session = client.closed().await.err();
            Err(session.map_or_else(|| error.to_string(), |session| session.to_string()))
        }
    }
}

async fn serve(
    url: &str,
    timeout: Duration,
    stream: Option<DuplexStream>,
    served: oneshot::Receiver<()>,
) -> Fate {
    let builder = Server::builder(url)
        .reconnect(Reconnect::never())
        .handle("queue", |_: Request| async { Ok(Reply::from("hello back")) })
        .connect_timeout(timeout)
        .shutdown_timeout(timeout);
    let server = match stream {
        Some(stream) => builder.start_over(stream).await,
        None => builder.start().await,
    };
    let server = server.map_err(|error| words(&error))?;
    tokio::select! {
        stopped = server.stopped() => return stopped.map_err(|error| error.to_string()),
        Ok(()) = served => {}
    }
    server.shutdown().await.map_err(|error: SessionError| error.to_string())
}

/// The error without the address, which differs from run to run.
fn words(error: &ConnectError) -> String {
    match error {
        ConnectError::Session { source, .. } => source.to_string(),
        ConnectError::TimedOut { address, .. } => error.to_string().replace(address, "the peer"),
        other => other.to_string(),
    }
}

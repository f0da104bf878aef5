//! The programs in `tests/peers`: RPC clients and servers of other libraries.
//!
//! A server says `ready` once it consumes, and ends when its standard input does. A client says
//! what came of each call and ends by itself. Both end with 0, or the test fails with what they
//! wrote to their standard error.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::env;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

use crate::support::service::url;

/// The longest that a peer may take for one thing: they are slow to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The library that a peer is made with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Library {
    AioPika,
    FastStream,
    Propan,
    Pika,
    Amqplib,
}

impl Library {
    fn command(self, role: &str) -> Command {
        let (name, suffix, interpreter) = match self {
            Self::AioPika => ("aio_pika", "py", "LEVERET_PYTHON"),
            Self::FastStream => ("faststream", "py", "LEVERET_PYTHON"),
            // It needs an older version of what FastStream needs.
            Self::Propan => ("propan", "py", "LEVERET_PYTHON_PROPAN"),
            Self::Pika => ("pika", "py", "LEVERET_PYTHON"),
            // Its packages are in LEVERET_NODE_PEERS.
            Self::Amqplib => ("amqplib", "mjs", "LEVERET_NODE"),
        };
        let interpreter = env::var_os(interpreter)
            .unwrap_or_else(|| panic!("{interpreter} is not set: run `cargo xtask test`"));
        let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers");
        let mut command = Command::new(interpreter);
        // Its parameters are for Leveret.
        let url = url();
        let url = url.split_once('?').map_or(&*url, |(url, _)| url);
        command.arg(peers.join(format!("{name}_{role}.{suffix}"))).env("AMQP_URL", url);
        command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUTF8", "1").kill_on_drop(true);
        command
    }
}

/// Runs a client on the queue, to its end. The lines it wrote.
pub(crate) async fn run_client(library: Library, queue: &str, arguments: &[&str]) -> Vec<String> {
    let mut command = library.command("client");
    command.arg(queue).args(arguments);
    Peer::start(command).end().await
}

/// A server on a queue of its own.
pub(crate) struct Server(Peer);

impl Server {
    pub(crate) async fn start(library: Library, queue: &str, flags: &[&str]) -> Self {
        let mut command = library.command("server");
        command.arg(queue).args(flags);
        let mut peer = Peer::start(command);
        match peer.line().await {
            Some(line) if line == "ready" => Self(peer),
            line => panic!("{line:?} instead of ready: {}", peer.complaints().await),
        }
    }

    /// It cancels its consumer, deletes its queue, and closes its connection.
    pub(crate) async fn end(self) {
        let more = self.0.end().await;
        assert!(more.is_empty(), "{more:?}");
    }
}

struct Peer {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Lines<BufReader<ChildStdout>>,
    stderr: JoinHandle<String>,
}

impl Peer {
    fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut stderr = child.stderr.take().unwrap();
        let stderr = tokio::spawn(async move {
            let mut text = Vec::new();
            stderr.read_to_end(&mut text).await.unwrap();
            String::from_utf8_lossy(&text).into_owned()
        });
        Self { child, stdin, stdout, stderr }
    }

    async fn line(&mut self) -> Option<String> {
        patiently("a line", self.stdout.next_line()).await.unwrap()
    }

    /// Ends its standard input and waits for its end. The lines that it still wrote.
    async fn end(mut self) -> Vec<String> {
        drop(self.stdin.take());
        let mut lines = Vec::new();
        while let Some(line) = self.line().await {
            lines.push(line);
        }
        let status = patiently("the end", self.child.wait()).await.unwrap();
        assert!(status.success(), "{status} after {lines:?}: {}", self.complaints().await);
        lines
    }

    async fn complaints(self) -> String {
        drop(self.stdin);
        patiently("the end of standard error", self.stderr).await.unwrap()
    }
}

/// Waits, but not for ever.
async fn patiently<T>(what: &str, future: impl Future<Output = T>) -> T {
    let limited = tokio::time::timeout(PATIENCE, future).await;
    limited.unwrap_or_else(|_| panic!("{what} of a peer: nothing within {PATIENCE:?}"))
}

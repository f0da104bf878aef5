//! The programs in `tests/peers`: RPC clients and servers of other libraries.
//!
//! A server says `ready` once it consumes, and ends when its standard input does. A client says
//! what came of each call and ends by itself. Both end with 0, or the test fails with what they
//! wrote to their standard error.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::env;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
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
        let (name, suffix) = match self {
            Self::AioPika => ("aio_pika", "py"),
            Self::FastStream => ("faststream", "py"),
            Self::Propan => ("propan", "py"),
            Self::Pika => ("pika", "py"),
            Self::Amqplib => ("amqplib", "mjs"),
        };
        let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers");
        let mut command = self.interpreter();
        command.arg(peers.join(format!("{name}_{role}.{suffix}"))).env("AMQP_URL", plain_url());
        command
    }

    fn interpreter(self) -> Command {
        let interpreter = match self {
            Self::AioPika | Self::FastStream | Self::Pika => "LEVERET_PYTHON",
            // It needs an older version of what FastStream needs.
            Self::Propan => "LEVERET_PYTHON_PROPAN",
            Self::Amqplib => "LEVERET_NODE",
        };
        let mut command = Command::new(variable(interpreter));
        command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUTF8", "1").kill_on_drop(true);
        command
    }
}

fn variable(name: &str) -> OsString {
    env::var_os(name).unwrap_or_else(|| panic!("{name} is not set: run `cargo xtask test`"))
}

/// Without its parameters, which are for Leveret.
fn plain_url() -> String {
    let url = url();
    url.split_once('?').map_or(&*url, |(url, _)| url).to_owned()
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

/// A program as a document has it, for a broker at `amqp://localhost`.
pub(crate) struct Recipe(Peer);

impl Recipe {
    pub(crate) fn run(library: Library, program: &str) -> Self {
        let program = program.replace("amqp://localhost", &plain_url());
        let mut command = library.interpreter();
        match library {
            Library::Amqplib => {
                let packages = Path::new(&variable("LEVERET_NODE_PEERS")).join("node_modules");
                command.arg("-e").env("NODE_PATH", packages)
            }
            _ => command.arg("-c").env("PYTHONUNBUFFERED", "1"),
        };
        command.arg(program);
        Self(Peer::start(command))
    }

    /// Waits until it does.
    pub(crate) async fn says(&mut self, words: &str) {
        loop {
            match self.0.line().await {
                Some(line) if line == words => return,
                Some(_) => {}
                None => panic!("it never said {words:?}"),
            }
        }
    }

    /// The lines that it writes until it ends by itself.
    pub(crate) async fn end(self) -> Vec<String> {
        self.0.end().await
    }

    /// Ends it as a terminal does by Ctrl-C, which it is to take for a wish to end in good order.
    pub(crate) async fn interrupt(mut self) {
        let id = i32::try_from(self.0.child.id().unwrap()).unwrap();
        kill(Pid::from_raw(id), Signal::SIGINT).unwrap();
        let status = patiently("the end", self.0.child.wait()).await.unwrap();
        let is_interrupted = status.signal() == Some(Signal::SIGINT as i32);
        assert!(status.success() || is_interrupted, "{status}: {}", self.0.complaints().await);
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

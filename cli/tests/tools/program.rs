//! The program itself, as a process.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// The longest that a test waits for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What a program has said, and how it has ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Not yet started. The environment of whoever runs the tests has no say.
pub(crate) fn leveret(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leveret"));
    command.args(arguments).env_remove("AMQP_URL").env("NO_COLOR", "1").kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// From its beginning to its end.
pub(crate) async fn run(arguments: &[&str]) -> Said {
    run_with(arguments, b"").await
}

pub(crate) async fn run_with(arguments: &[&str], input: &[u8]) -> Said {
    let mut child = leveret(arguments).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writing = tokio::spawn(async move { stdin.write_all(&input).await });
    let output = patiently(child.wait_with_output()).await.unwrap();
    // It need not have read everything.
    drop(writing.await.unwrap());
    Said {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A broker that runs until it is told to end.
pub(crate) struct Running {
    child: Child,
    pub(crate) lines: Lines<BufReader<ChildStdout>>,
    pub(crate) url: String,
}

impl Running {
    pub(crate) async fn broker(arguments: &[&str]) -> Self {
        let arguments: Vec<&str> = ["broker"].iter().chain(arguments).copied().collect();
        let mut child = leveret(&arguments).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = patiently(lines.next_line()).await.unwrap().expect("no URL");
        Self { child, lines, url }
    }

    pub(crate) async fn line(&mut self) -> Option<String> {
        patiently(self.lines.next_line()).await.unwrap()
    }

    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        let id = i32::try_from(self.child.id().unwrap()).unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(id), signal).unwrap();
    }

    /// How it ended, and what it printed to stderr.
    pub(crate) async fn end(mut self) -> (ExitStatus, String) {
        let mut stderr = String::new();
        let mut pipe = self.child.stderr.take().unwrap();
        patiently(pipe.read_to_string(&mut stderr)).await.unwrap();
        (patiently(self.child.wait()).await.unwrap(), stderr)
    }
}

/// Waits, but not for ever.
pub(crate) async fn patiently<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it takes too long")
}

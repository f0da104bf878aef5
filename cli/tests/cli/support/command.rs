//! [`leveret`]: the real binary, run to its end, or for as long as a test needs it.

use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, Command};
use tokio::time::timeout;

use super::broker::url;

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The command with these arguments, which finds the broker under test by AMQP_URL.
pub(crate) fn leveret(arguments: &[&str]) -> Leveret {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leveret"));
    command.args(arguments).env("AMQP_URL", url()).env_remove("NO_COLOR");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0).kill_on_drop(true);
    Leveret { command }
}

/// `leveret serve` on a queue, when it is ready.
pub(crate) async fn serve(queue: &str, arguments: &[&str]) -> Running {
    let mut server = leveret(&[&["serve", queue, "--passive"], arguments].concat()).start();
    server.says(&format!("serving {queue}")).await;
    server
}

pub(crate) struct Leveret {
    command: Command,
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Leveret {
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// For what has to be set otherwise.
    pub(crate) fn command(&mut self) -> &mut Command {
        &mut self.command
    }

    /// Runs it to its end.
    pub(crate) async fn run(self) -> Ended {
        self.start().ended().await
    }

    /// Does the same, with this on its stdin.
    pub(crate) async fn run_with(mut self, stdin: &str) -> Ended {
        self.command.stdin(Stdio::piped());
        let mut running = self.start();
        let mut pipe = running.stdin();
        pipe.write_all(stdin.as_bytes()).await.unwrap();
        drop(pipe);
        running.ended().await
    }

    pub(crate) fn start(mut self) -> Running {
        let mut child = self.command.spawn().unwrap();
        let stderr = child.stderr.take().map(BufReader::new);
        Running { child, stderr, said: String::new() }
    }
}

pub(crate) struct Running {
    child: Child,
    stderr: Option<BufReader<ChildStderr>>,
    /// On stderr so far.
    said: String,
}

impl Running {
    /// Waits until it says this on stderr.
    pub(crate) async fn says(&mut self, words: &str) {
        let stderr = self.stderr.as_mut().expect("stderr is a pipe");
        while !self.said.contains(words) {
            let line = timeout(PATIENCE, stderr.read_line(&mut self.said)).await;
            let octets = line.unwrap_or_else(|_| panic!("{words:?} is awaited: {}", self.said));
            assert_ne!(octets.unwrap(), 0, "{words:?} is awaited: {}", self.said);
        }
    }

    pub(crate) fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("stdin is a pipe")
    }

    /// As a terminal does it on Ctrl-C: to all processes of the group.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().unwrap().try_into().unwrap());
        killpg(pid, signal).unwrap();
    }

    /// Waits until it ends by itself.
    pub(crate) async fn ended(mut self) -> Ended {
        let (mut stdout, mut stderr) = (Vec::new(), self.said.into_bytes());
        let (out, error) = (self.child.stdout.take(), self.stderr.take());
        let reading = async {
            let out = async {
                if let Some(mut pipe) = out {
                    pipe.read_to_end(&mut stdout).await.unwrap();
                }
            };
            let error = async {
                if let Some(mut pipe) = error {
                    pipe.read_to_end(&mut stderr).await.unwrap();
                }
            };
            tokio::join!(out, error, self.child.wait()).2.unwrap()
        };
        let status = timeout(PATIENCE, reading).await.expect("it ends");
        let text = |octets| String::from_utf8(octets).unwrap();
        Ended { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }
}

impl Ended {
    /// It went well and printed this, and said nothing else.
    #[track_caller]
    pub(crate) fn printed(&self, stdout: &str) {
        assert_eq!((self.code, self.stdout.as_str(), self.stderr.as_str()), (Some(0), stdout, ""));
    }

    /// It failed with this code, printed nothing, and said this, among other things.
    #[track_caller]
    pub(crate) fn failed(&self, code: i32, words: &str) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(code), ""), "{}", self.stderr);
        let is_said = self.stderr.contains("leveret:") && self.stderr.contains(words);
        assert!(is_said, "{words:?} is not in: {}", self.stderr);
    }
}

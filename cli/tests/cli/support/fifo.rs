//! Named pipes: how a test and a command of `serve --exec` wait for each other.

use nix::sys::stat::Mode;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe::{OpenOptions, Receiver, Sender};
use tokio::time::timeout;

use super::command::PATIENCE;

/// A command that says when it has begun, and goes on when it is told to.
pub(crate) struct Gate {
    directory: TempDir,
    begun: Receiver,
    go: Sender,
}

impl Gate {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let [begun, go] = ["begun", "go"].map(|name| directory.path().join(name));
        for path in [&begun, &go] {
            nix::unistd::mkfifo(path, Mode::S_IRWXU).unwrap();
        }
        // With both ends open here, nobody waits for the other to open one.
        let mut options = OpenOptions::new();
        let both_ends = options.read_write(true);
        let (begun, go) = (both_ends.open_receiver(begun), both_ends.open_sender(go));
        Self { directory, begun: begun.unwrap(), go: go.unwrap() }
    }

    /// It answers with the request's body then.
    pub(crate) fn command(&self) -> String {
        let path = self.directory.path().display();
        format!("echo > '{path}/begun'; read line < '{path}/go'; cat")
    }

    pub(crate) async fn has_begun(&mut self) {
        let octet = timeout(PATIENCE, self.begun.read_u8()).await;
        assert_eq!(octet.expect("the command begins").unwrap(), b'\n');
    }

    pub(crate) async fn let_go(&mut self) {
        self.go.write_all(b"\n").await.unwrap();
    }
}

//! Named pipes: how a test and a command of `serve --exec` wait for each other.

use std::path::PathBuf;

use nix::sys::stat::Mode;
use tempfile::TempDir;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::command::PATIENCE;

/// A command that says when it has begun, and goes on when it is told to.
pub(crate) struct Gate {
    directory: TempDir,
}

impl Gate {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        for name in ["begun", "go"] {
            nix::unistd::mkfifo(&directory.path().join(name), Mode::S_IRWXU).unwrap();
        }
        Self { directory }
    }

    /// It answers with the request's body then.
    pub(crate) fn command(&self) -> String {
        let path = self.directory.path().display();
        format!("echo > '{path}/begun'; read line < '{path}/go'; cat")
    }

    pub(crate) async fn has_begun(&self) {
        let path = self.path("begun");
        let read = spawn_blocking(move || std::fs::read(path).unwrap());
        assert_eq!(timeout(PATIENCE, read).await.unwrap().unwrap(), b"\n");
    }

    pub(crate) async fn let_go(&self) {
        let path = self.path("go");
        let write = spawn_blocking(move || std::fs::write(path, "\n").unwrap());
        timeout(PATIENCE, write).await.unwrap().unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

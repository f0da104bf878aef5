//! Counts the system calls of a program, by perf where it can, else by strace. That stops the program at
//! each of them, so that more gathers between two, and there are fewer.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::{Deserialize, Serialize};
use tokio::process::Command;

use crate::Result;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Tool {
    Perf,
    Strace,
}

const EVENT: &str = "raw_syscalls:sys_enter";

impl Tool {
    pub(super) async fn available() -> Result<Self> {
        let output = Stdio::null;
        let mut perf = Command::new("perf");
        perf.args(["stat", "-e", EVENT, "true"]).stdout(output()).stderr(output());
        if perf.status().await.is_ok_and(|status| status.success()) {
            return Ok(Self::Perf);
        }
        let mut strace = Command::new("strace");
        strace.arg("--version").stdout(output()).stderr(output());
        match strace.status().await {
            Ok(status) if status.success() => Ok(Self::Strace),
            _ => Err("neither perf nor strace counts system calls here".into()),
        }
    }
}

/// For one run.
pub(super) struct Counter {
    tool: Tool,
    output: PathBuf,
}

impl Counter {
    pub(super) fn new(tool: Tool, name: &str) -> Self {
        Self { tool, output: std::env::temp_dir().join(format!("{name}.system-calls")) }
    }

    /// Runs `program`, whose arguments are to follow.
    pub(super) fn command(&self, program: &Path) -> Command {
        let (name, arguments): (_, &[&str]) = match self.tool {
            Tool::Perf => ("perf", &["stat", "-x", ",", "-e", EVENT, "-o"]),
            Tool::Strace => ("strace", &["-f", "-c", "-U", "calls,name", "-o"]),
        };
        let mut command = Command::new(name);
        command.args(arguments).arg(&self.output).arg(program);
        command
    }

    /// How many there were, once the program has ended.
    pub(super) fn total(&self) -> Result<u64> {
        let output = std::fs::read_to_string(&self.output)?;
        let total = match self.tool {
            Tool::Perf => output
                .lines()
                .find(|line| line.contains(EVENT))
                .and_then(|line| line.split(',').next()),
            Tool::Strace => output.lines().find_map(|line| line.trim().strip_suffix("total")),
        };
        Ok(total.ok_or("no system calls were counted")?.trim().parse()?)
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        // It may not have been written.
        _ = std::fs::remove_file(&self.output);
    }
}

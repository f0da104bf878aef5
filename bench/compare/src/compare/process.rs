//! The measured programs: this one, run again.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::system_calls::Counter;
use crate::measurement::{Measurement, Spent};
use crate::{Implementation, Result, RuntimeKind};

/// A run that takes longer hangs.
const LONGEST: Duration = Duration::from_secs(90);
/// For everything else.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct ClientRun<'a> {
    pub(super) implementation: Implementation,
    pub(super) uri: &'a str,
    pub(super) queue: &'a str,
    pub(super) against: &'a str,
    pub(super) runtime: RuntimeKind,
    pub(super) in_flight: usize,
    pub(super) body_size: usize,
    pub(super) calls: u64,
    pub(super) warm_up: u64,
    pub(super) counts_allocations: bool,
    /// What counts its system calls.
    pub(super) counter: Option<&'a Counter>,
}

pub(super) struct ServerRun<'a> {
    pub(super) implementation: Implementation,
    pub(super) uri: &'a str,
    pub(super) queue: &'a str,
    pub(super) runtime: RuntimeKind,
    pub(super) counts_allocations: bool,
    /// What counts its system calls.
    pub(super) counter: Option<&'a Counter>,
}

/// Makes the calls; the server, if there is one, measures from the first that counts.
pub(super) async fn client(
    run: &ClientRun<'_>,
    server: Option<&mut Process>,
) -> Result<Measurement> {
    timeout(LONGEST, client_to_the_end(run, server)).await.map_err(|_| "the client hangs")?
}

async fn client_to_the_end(
    run: &ClientRun<'_>,
    mut server: Option<&mut Process>,
) -> Result<Measurement> {
    let mut command = this_program(run.counter)?;
    command.args(["client", "--announce"]);
    command.args(["--implementation", run.implementation.name()]);
    command.args(["--url", run.uri, "--queue", run.queue, "--against", run.against]);
    command.args(["--runtime", run.runtime.name()]);
    command.args(["--in-flight", &run.in_flight.to_string()]);
    command.args(["--body-size", &run.body_size.to_string()]);
    command.args(["--calls", &run.calls.to_string(), "--warm-up", &run.warm_up.to_string()]);
    if run.counts_allocations {
        command.arg("--count-allocations");
    }
    let mut process = Process::start(command)?;
    let mut measurement = None;
    while let Some(line) = process.output.next_line().await? {
        if line != "begin" {
            measurement = Some(serde_json::from_str(&line)?);
        } else if let Some(server) = &mut server {
            server.say("begin").await?;
        }
    }
    process.ended().await?;
    Ok(measurement.ok_or("the client printed no measurement")?)
}

/// Ends when this is dropped, if not before.
pub(super) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

impl Process {
    pub(super) async fn server(run: &ServerRun<'_>) -> Result<Self> {
        let mut command = this_program(run.counter)?;
        command.args(["server", "--implementation", run.implementation.name()]);
        command.args(["--url", run.uri, "--queue", run.queue]);
        command.args(["--runtime", run.runtime.name()]);
        if run.counts_allocations {
            command.arg("--count-allocations");
        }
        let mut process = Self::start(command)?;
        match &*process.line().await? {
            "ready" => Ok(process),
            line => Err(format!("the server said {line:?}").into()),
        }
    }

    /// The null responder and its URI.
    pub(super) async fn responder() -> Result<(Self, String)> {
        let mut command = this_program(None)?;
        command.arg("responder");
        let mut process = Self::start(command)?;
        let uri = process.line().await?;
        Ok((process, uri))
    }

    /// What a server has spent since it was told to begin.
    pub(super) async fn end(&mut self) -> Result<Spent> {
        self.say("end").await?;
        Ok(serde_json::from_str(&self.line().await?)?)
    }

    /// A server ends with its input.
    pub(super) async fn stop(mut self) -> Result {
        self.input = None;
        self.ended().await
    }

    async fn ended(mut self) -> Result {
        // To wait would end it as well.
        let input = self.input.take();
        let status =
            timeout(PATIENCE, self.child.wait()).await.map_err(|_| "it does not end")??;
        drop(input);
        if status.success() { Ok(()) } else { Err(format!("it failed: {status}").into()) }
    }

    fn start(mut command: Command) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or("the output is piped")?;
        Ok(Self { child, input, output: BufReader::new(output).lines() })
    }

    async fn say(&mut self, line: &str) -> Result {
        let input = self.input.as_mut().ok_or("the input has ended")?;
        input.write_all(format!("{line}\n").as_bytes()).await?;
        Ok(input.flush().await?)
    }

    async fn line(&mut self) -> Result<String> {
        let line = timeout(PATIENCE, self.output.next_line()).await;
        Ok(line.map_err(|_| "it says nothing")??.ok_or("it ended")?)
    }
}

fn this_program(counter: Option<&Counter>) -> Result<Command> {
    let this = std::env::current_exe()?;
    Ok(counter.map_or_else(|| Command::new(&this), |counter| counter.command(&this)))
}

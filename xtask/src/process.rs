//! Child processes that an interrupt takes down with all their children.
//!
//! Each child leads a process group of its own. The terminal's Ctrl-C so reaches only xtask,
//! which passes it on and still has its wits to stop the brokers.

use std::{
    io::{BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use crate::Result;

const POLL_INTERVAL: Duration = Duration::from_millis(20);
const GRACE: Duration = Duration::from_secs(10);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From here on SIGINT, SIGTERM and SIGHUP end the running child instead of xtask.
pub(crate) fn catch_interrupts() -> Result {
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed))?;
    Ok(())
}

pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Runs a command to its end. `Err` if it can't be started or xtask was interrupted.
pub(crate) fn run(command: &mut Command) -> Result<ExitStatus> {
    wait(&mut spawn(command)?)
}

/// Runs a command to its end; a failure of it is an error.
pub(crate) fn check(what: &str, command: &mut Command) -> Result {
    match run(command)? {
        status if status.success() => Ok(()),
        status => Err(format!("{what} failed: {status}").into()),
    }
}

/// Runs a command to its end and returns what it printed; a failure of it is an error.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let mut child = spawn(command.stdout(Stdio::piped()))?;
    let mut stdout = child.stdout.take().expect("stdout is piped");
    let reader = thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).map(|_| text)
    });
    let status = wait(&mut child)?;
    let text = reader.join().expect("the reader does not panic")?;
    if status.success() {
        Ok(text)
    } else {
        Err(format!("{} failed: {status}", name_of(command)).into())
    }
}

/// Runs a command to its end whatever happens: for cleaning up.
pub(crate) fn run_uninterrupted(command: &mut Command) -> Result<ExitStatus> {
    let mut child = start(command)?;
    Ok(child.wait()?)
}

/// A program that runs until this is dropped, and first prints that it is ready.
pub(crate) struct Background {
    child: Child,
    /// Open as long as it may print more.
    stdout: BufReader<ChildStdout>,
    first_line: String,
}

impl Background {
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let mut child = spawn(command.stdout(Stdio::piped()))?;
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        // From here on it is ended, whatever it prints.
        let mut program = Self { child, stdout, first_line: String::new() };
        match program.stdout.read_line(&mut program.first_line)? {
            0 => Err(format!("{} has ended before it was ready", name_of(command)).into()),
            _ => Ok(program),
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it printed when it was ready.
    pub(crate) fn first_line(&self) -> &str {
        self.first_line.trim()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Err(error) = end_group(&mut self.child) {
            eprintln!("xtask: could not end process {}: {error}", self.id());
        }
    }
}

fn spawn(command: &mut Command) -> Result<Child> {
    if interrupted() {
        return Err("interrupted".into());
    }
    start(command)
}

fn start(command: &mut Command) -> Result<Child> {
    command
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("{}: {error}", name_of(command)).into())
}

fn wait(child: &mut Child) -> Result<ExitStatus> {
    while !interrupted() {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        thread::sleep(POLL_INTERVAL);
    }
    end_group(child)?;
    Err("interrupted".into())
}

fn end_group(child: &mut Child) -> Result {
    let group = Pid::from_raw(i32::try_from(child.id())?);
    // A group that has just ended by itself is no failure.
    let _ = killpg(group, Signal::SIGTERM);
    let deadline = Instant::now() + GRACE;
    while child.try_wait()?.is_none() && Instant::now() < deadline {
        thread::sleep(POLL_INTERVAL);
    }
    let _ = killpg(group, Signal::SIGKILL);
    child.wait()?;
    Ok(())
}

fn name_of(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

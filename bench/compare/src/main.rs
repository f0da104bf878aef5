//! Leveret beside lapin, amqprs and a raw floor: `leveret-bench --help`.

#![allow(clippy::disallowed_methods, reason = "the ban on clocks is for the protocol's code")]

mod allocations;
mod client;
mod compare;
mod measurement;
mod responder;
mod run;
mod server;
mod uri;
mod wire;

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};

type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T = ()> = std::result::Result<T, Error>;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

/// Leveret beside lapin, amqprs and a raw floor
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make calls, and print one line of JSON
    Client(client::Options),

    /// Serve a queue, until the standard input ends, by sending each request's body back
    ///
    /// Prints "ready". The line "begin" begins a measurement, the line "end" prints it.
    Server(server::Options),

    /// Answer every request of every client like a broker that has a server, as fast as can be
    Responder(responder::Options),

    /// Measure all of them in turn, and write a file of JSON
    Compare(compare::Options),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Implementation {
    Leveret,
    Lapin,
    Amqprs,
    /// Pre-encoded frames, one task, one write for each batch that was read.
    Floor,
    /// The same with the message that Leveret sends: what of a difference is the message's.
    FullFloor,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RuntimeKind {
    CurrentThread,
    MultiThread,
}

impl Implementation {
    /// As it is given.
    fn name(self) -> &'static str {
        match self {
            Self::Leveret => "leveret",
            Self::Lapin => "lapin",
            Self::Amqprs => "amqprs",
            Self::Floor => "floor",
            Self::FullFloor => "full-floor",
        }
    }
}

impl RuntimeKind {
    /// As it is given.
    fn name(self) -> &'static str {
        match self {
            Self::CurrentThread => "current-thread",
            Self::MultiThread => "multi-thread",
        }
    }

    fn build(self) -> Result<Runtime> {
        let mut builder = match self {
            Self::CurrentThread => Builder::new_current_thread(),
            Self::MultiThread => Builder::new_multi_thread(),
        };
        Ok(builder.enable_all().build()?)
    }
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Client(options) => client::run(&options),
        Command::Server(options) => server::run(&options),
        Command::Responder(options) => responder::run(&options),
        Command::Compare(options) => compare::run(options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("leveret-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

//! Leveret's chores: `cargo xtask --help`.

#![allow(clippy::disallowed_methods, reason = "the ban on clocks is for the protocol's code")]

mod bench;
mod capture;
mod faults;
mod figures;
mod fuzz;
mod hostile;
mod instructions;
mod links;
mod log;
mod node;
mod peers;
mod process;
mod python;
mod rabbitmq;
mod simulate;
mod soak;
mod summary;
mod table;
mod test;

use std::{
    error::Error,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Leveret's chores
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run all tests: on the broker inside the process, then on RabbitMQ
    ///
    /// RabbitMQ is that of AMQP_URL if set, else a private RabbitMQ: the machine's own, or this
    /// Debian release's package.
    Test(test::Options),

    /// Attack client, server and broker with hostile peers, and print what came of each attack
    Hostile,

    /// Kill, freeze and disturb RabbitMQ under a load of calls, and print what came of each fault
    Faults(faults::Options),

    /// Start, stop and administer private RabbitMQ brokers; `help` lists the commands
    #[command(disable_help_flag = true)]
    Rabbitmq {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },

    /// Fuzz the codec, the engines and the broker inside the process
    ///
    /// What is missing is installed: a nightly toolchain, a C++ compiler, cargo-fuzz.
    Fuzz(fuzz::Options),

    /// Make millions of calls, drop some and cut connections: memory stays flat, and nothing is left
    Soak(soak::Options),

    /// Simulate clients, servers and a broker in virtual time, each run from one seed
    Simulate(simulate::Options),

    /// Measure Leveret beside lapin, amqprs and a raw floor, and write tables and plots of it
    Bench(bench::Options),

    /// Count what codec and engines cost, in instructions and allocations, and hold it against bounds
    ///
    /// valgrind is installed if it is missing.
    Instructions(instructions::Options),

    /// Check that the links in all Markdown files lead somewhere
    Links,

    /// Record what a program and RabbitMQ say to each other into codec/tests/captures
    Capture(capture::Options),
}

fn main() -> ExitCode {
    let outcome = process::catch_interrupts().and_then(|()| match Cli::parse().command {
        Command::Test(options) => test::run(&options),
        Command::Faults(options) => faults::run(&options),
        Command::Hostile => hostile::run(),
        Command::Rabbitmq { arguments } => rabbitmq::pass_on(&arguments),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Soak(options) => soak::run(&options),
        Command::Simulate(options) => simulate::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Instructions(options) => instructions::run(&options),
        Command::Links => links::run(),
        Command::Capture(options) => capture::run(&options),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the workspace.
fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace")
}

/// Where brokers and what the peers run on are kept between runs.
fn cache() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME") {
        Some(base) if !base.is_empty() => PathBuf::from(base),
        _ => std::env::home_dir().ok_or("HOME is not set")?.join(".cache"),
    };
    Ok(base.join("leveret"))
}

//! The command `leveret`: call, serve and examine request/reply over RabbitMQ.

#![allow(clippy::disallowed_methods, reason = "the ban on clocks is for the protocol's code")]

mod bench;
mod broker;
mod call;
mod common;
mod decode;
mod exec;
mod failure;
mod generate;
mod interrupt;
mod ping;
mod properties;
mod serve;
mod session;

use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use self::common::Common;
use self::failure::{EXIT_CODES, Failure};

/// Request/reply over RabbitMQ (Direct Reply-to)
#[derive(Parser)]
#[command(name = "leveret", version, after_help = EXIT_CODES, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Send a request to a queue and print the reply
    #[command(after_help = EXIT_CODES)]
    Call(call::Options),

    /// Answer the requests in a queue
    ///
    /// On SIGINT or SIGTERM, it takes no more requests, answers those that it has begun, and ends; on a
    /// second one, it ends at once.
    #[command(after_help = EXIT_CODES, after_long_help = format!("{}\n\n{EXIT_CODES}", exec::ENVIRONMENT))]
    Serve(serve::Options),

    /// Say what the broker is, how far away it is, and how a queue does
    #[command(after_help = EXIT_CODES)]
    Ping(ping::Options),

    /// Call a queue many times, and measure how long that takes
    #[command(after_help = EXIT_CODES)]
    Bench(bench::Options),

    /// Print AMQP 0-9-1 octets as frames, one a line
    #[command(after_help = EXIT_CODES)]
    Decode(decode::Options),

    /// Run a broker for development in the foreground: no RabbitMQ is needed
    #[command(after_help = EXIT_CODES)]
    Broker(broker::Options),

    /// Print a completion script for a shell
    ///
    /// For bash: leveret completions bash > ~/.local/share/bash-completion/completions/leveret
    Completions(generate::Completions),

    /// Print the manual page, or write those of all commands into a directory
    Man(generate::Manual),
}

fn main() -> ExitCode {
    let Cli { common, command } = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::other(format!("no threads to run on: {error}")).tell(),
    };
    let outcome = runtime.block_on(run(&command, &common));
    // Commands that are still at work are killed; who still reads from a terminal is not waited for.
    runtime.shutdown_timeout(Duration::from_millis(100));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}

async fn run(command: &Command, common: &Common) -> Result<(), Failure> {
    match command {
        Command::Call(options) => call::run(options, common).await,
        Command::Serve(options) => serve::run(options, common).await,
        Command::Ping(options) => ping::run(options, common).await,
        Command::Bench(options) => bench::run(options, common).await,
        Command::Decode(options) => decode::run(options, common).await,
        Command::Broker(options) => broker::run(options, common).await,
        Command::Completions(options) => generate::completions(options),
        Command::Man(options) => generate::manual(options),
    }
}

/// What clap has to say: help, on stdout, or what is wrong with the arguments, in the words that all
/// errors begin with.
fn usage(error: &clap::Error) -> ExitCode {
    let text = error.render().ansi().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            anstream::print!("{text}");
            ExitCode::SUCCESS
        }
        _ => {
            anstream::eprint!("{}", text.replacen("error:", "leveret:", 1));
            ExitCode::from(failure::USAGE)
        }
    }
}

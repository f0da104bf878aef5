//! `leveret broker`: the broker inside the process, for people.

mod trace;

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;
use std::time::Duration;

use clap::ValueEnum;
use leveret::ReplyCode;
use leveret::broker::{Broker, BrokerBuilder, Version};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use self::trace::Trace;
use crate::common::Common;
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Where to listen on 127.0.0.1; 0 takes any free port
    #[arg(long, default_value_t = 5672)]
    port: u16,

    /// Which RabbitMQ to behave as
    #[arg(long = "as", value_name = "VERSION", value_enum, default_value = "4.3")]
    version: As,

    /// Print each frame as it passes, with its connection and direction
    #[arg(long)]
    trace: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum As {
    #[value(name = "3.10")]
    V3_10,
    #[value(name = "4.0")]
    V4_0,
    #[value(name = "4.3")]
    V4_3,
}

/// How long clients may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

pub(crate) async fn run(options: &Options, _common: &Common) -> Result<(), Failure> {
    let (mut interrupt, mut terminate) =
        (on(SignalKind::interrupt())?, on(SignalKind::terminate())?);
    let version = options.version.into();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    let mut builder = Broker::builder().version(version).address(address);
    let (failed, mut failures) = mpsc::channel(1);
    if options.trace {
        builder = traced(builder, failed.clone());
    }
    let broker = builder.start().await.map_err(|error| {
        Failure::other(format!("cannot listen on {address}: {error}"))
            .hint("--port 0 takes any free port")
    })?;
    writeln!(io::stdout(), "{}", broker.url()).map_err(Failure::of_stdout)?;
    anstream::eprintln!(
        "behaves as RabbitMQ {} and keeps nothing on disk; Ctrl-C ends it",
        version.as_str()
    );

    let outcome = tokio::select! {
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
        Some(error) = failures.recv() => Err(Failure::of_stdout(error)),
    };
    goodbye(&broker).await;
    outcome
}

fn on(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Failure::other(format!("cannot wait for signals: {error}")))
}

/// Prints all frames. That nobody takes them is told once.
fn traced(builder: BrokerBuilder, failed: mpsc::Sender<io::Error>) -> BrokerBuilder {
    let trace = Mutex::new(Trace::default());
    builder.on_octets(move |connection, direction, octets| {
        let mut trace = trace.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Err(error) = trace.pass(connection, direction, octets, &mut io::stdout().lock()) {
            // It is full when it has been told already.
            drop(failed.try_send(error));
        }
    })
}

/// Closes the connections that there are as RabbitMQ does when it ends, and waits for the clients.
async fn goodbye(broker: &Broker) {
    let open = broker.connections();
    let words = "broker forced connection closure with reason 'shutdown'";
    open.iter().for_each(|connection| connection.close(ReplyCode::CONNECTION_FORCED, words));
    let ended = broker.until(|_| open.iter().all(|connection| !connection.is_open()));
    // Who says nothing is cut off with the broker.
    drop(tokio::time::timeout(GOODBYE, ended).await);
}

impl From<As> for Version {
    fn from(version: As) -> Self {
        match version {
            As::V3_10 => Self::V3_10,
            As::V4_0 => Self::V4_0,
            As::V4_3 => Self::V4_3,
        }
    }
}

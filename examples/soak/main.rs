//! Millions of calls, one in ten of them dropped, while connections are cut: what is left of that?
//! `cargo xtask soak` runs it.
//!
//! Client, server and broker are in this one process, and so its resident memory is that of all three.
//! The program fails if memory grows, if anything is left at the end, or if any call has not been told
//! the truth about its request.

#![allow(clippy::disallowed_methods, reason = "the ban on clocks is for the protocol's code")]

mod book;
mod calling;
mod memory;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use leveret::broker::{Broker, ConnectionHandle};
use leveret::{Client, Reconnect, Request, Server};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use self::book::Book;
use self::calling::{Caller, Tally};
use self::memory::Memory;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Tasks that make one call after the other.
const CALLERS: u64 = 64;

/// Fewer than callers, so that some calls always wait.
const MAX_IN_FLIGHT: usize = 48;

/// A connection is cut whenever so many more calls have begun, the client's and the server's in turn.
const CALLS_A_CUT: u64 = 10_000;

/// The longest that it may take until nothing is left.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result {
    let calls = match std::env::args().nth(1) {
        Some(number) => number.parse()?,
        None => 5_000_000,
    };
    let stage = Stage::new(calls).await?;
    let began = Instant::now();
    let tally = stage.call_all().await?;
    let took = began.elapsed();
    let mut complaints = stage.book.complaints();
    complaints.extend(stage.left_over().await);
    complaints.extend(stage.capacity_lost().await);
    complaints.extend(stage.memory.complaint());

    let (speed, cuts) = (calls as f64 / took.as_secs_f64(), calls / CALLS_A_CUT);
    println!("{calls} calls in {took:.1?}, {speed:.0} a second, with {cuts} cuts");
    println!("\n{}\n{tally}", stage.memory);
    println!("client: {:?}\nserver: {:?}", stage.client.stats(), stage.server.stats());
    println!("broker: {:?}", stage.broker.stats());
    complaints.extend(stage.end().await);
    if complaints.is_empty() {
        println!("nothing is left");
        return Ok(());
    }
    Err(complaints.join("; ").into())
}

/// Who takes part.
struct Stage {
    broker: Arc<Broker>,
    client: Client,
    server: Server,
    book: Arc<Book>,
    memory: Arc<Memory>,
}

impl Stage {
    async fn new(calls: u64) -> Result<Self> {
        let broker = Arc::new(Broker::start().await?);
        let book = Arc::new(Book::new(calls));
        let seen = Arc::clone(&book);
        let full = Arc::new(Barrier::new(MAX_IN_FLIGHT));
        let server = Server::builder(broker.url())
            .connection_name("server")
            .reconnect(without_delay())
            .handle("soak", move |request: Request| {
                seen.run(&request);
                async move { Ok(request.into_body()) }
            })
            .handle("full", move |request: Request| {
                let full = Arc::clone(&full);
                async move {
                    full.wait().await;
                    Ok(request.into_body())
                }
            })
            .start()
            .await?;
        let client = Client::builder(broker.url())
            .connection_name("client")
            .reconnect(without_delay())
            .max_in_flight(MAX_IN_FLIGHT)
            .connect()
            .await?;
        let memory = Arc::new(Memory::new(calls));
        Ok(Self { broker, client, server, book, memory })
    }

    /// Makes all the calls, and gives back what came of them.
    async fn call_all(&self) -> Result<Tally> {
        let mut callers = JoinSet::new();
        for seed in 0..CALLERS {
            let (client, book) = (self.client.clone(), Arc::clone(&self.book));
            let (memory, broker) = (Arc::clone(&self.memory), Arc::clone(&self.broker));
            callers.spawn(async move {
                let mut caller = Caller::new(client, seed);
                while let Some(number) = book.begin() {
                    memory.look(number);
                    if number % CALLS_A_CUT == CALLS_A_CUT - 1 {
                        cut(&broker, number / CALLS_A_CUT).await?;
                    }
                    caller.call(&book, number).await;
                }
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(caller.tally)
            });
        }
        let mut tally = Tally::default();
        while let Some(of_one) = callers.join_next().await {
            tally.add(of_one??);
        }
        Ok(tally)
    }

    /// What the three of them still hold, when they have had time to let go of it.
    async fn left_over(&self) -> Option<String> {
        let held = |broker: &Broker| {
            let (client, server, broker) =
                (self.client.stats(), self.server.stats(), broker.stats());
            let calls = client.pending + client.waiting;
            let requests = server.running + server.held + broker.ready + broker.unacknowledged;
            (calls, requests, broker.connections_open)
        };
        let nothing = self.broker.until(|broker| held(broker) == (0, 0, 2));
        match tokio::time::timeout(PATIENCE, nothing).await {
            Ok(()) => None,
            Err(_) => Some(format!(
                "calls, requests and connections left: {:?}, and not (0, 0, 2)",
                held(&self.broker)
            )),
        }
    }

    /// As many calls as may be under way at a time are answered when they all are: no place has been
    /// lost to a call that ended.
    async fn capacity_lost(&self) -> Option<String> {
        let mut calls = JoinSet::new();
        for _ in 0..MAX_IN_FLIGHT {
            let client = self.client.clone();
            calls.spawn(async move { client.request("full").timeout(PATIENCE).send().await });
        }
        let results = calls.join_all().await;
        let failed = results.iter().filter(|result| result.is_err()).count();
        (failed > 0).then(|| format!("{failed} of {MAX_IN_FLIGHT} calls are one too many"))
    }

    /// The end of everybody, and then of every connection.
    async fn end(self) -> Option<String> {
        self.client.close().await;
        if let Err(error) = self.server.shutdown().await {
            return Some(error.to_string());
        }
        let nothing = self.broker.until(|broker| broker.stats().connections_open == 0);
        let ended = tokio::time::timeout(PATIENCE, nothing).await;
        ended.is_err().then(|| "connections are left open".to_owned())
    }
}

/// There is a broker, always.
fn without_delay() -> Reconnect {
    Reconnect::default().first_pause(Duration::from_millis(2)).max_pause(Duration::from_millis(20))
}

/// Cuts a connection that is there.
async fn cut(broker: &Broker, number: u64) -> Result {
    let name = if number.is_multiple_of(2) { "client" } else { "server" };
    let mut found = None;
    let open = broker.until(|broker| {
        found = broker.connection(name).filter(ConnectionHandle::is_open);
        found.is_some()
    });
    tokio::time::timeout(PATIENCE, open).await?;
    found.ok_or("no connection")?.drop_now();
    Ok(())
}

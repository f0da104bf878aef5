//! Prints what a client's memory grows by, in octets, for each connection, each channel and each call
//! that waits for its reply: `hello-sizing amqp://localhost`.
//!
//! A call is counted with its task and its future, and its body of 64 octets is shared by all.

use std::future::pending;
use std::time::Duration;

use leveret::{Client, Fault, Queue, Reply, Request, Server};
use tokio::task::JoinSet;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

const QUEUE: &str = "leveret-sizing";
const CONNECTIONS: usize = 64;
const CHANNELS: usize = 1_000;
const CALLS: usize = 100_000;
const TIMEOUT: Duration = Duration::from_secs(600);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result {
    let uri = std::env::args().nth(1).ok_or("usage: URI")?;
    // It takes one request, and the others wait in the queue.
    let queue = Queue::new(QUEUE).auto_delete();
    let never = |_: Request| pending::<std::result::Result<Reply, Fault>>();
    let server = Server::builder(&*uri).prefetch(1).handle(queue, never).start().await?;

    let before = resident()?;
    let many = Client::builder(&*uri).connections(CONNECTIONS).connect().await?;
    println!("one connection {}", grown(before, CONNECTIONS)?);
    many.close().await;

    let client =
        Client::builder(&*uri).max_in_flight(usize::MAX).timeout(TIMEOUT).connect().await?;
    println!("one channel {}", calls(&client, CHANNELS, true).await?);
    println!("one pending call {}", calls(&client, CALLS, false).await?);
    client.close().await;
    drop(server);
    Ok(())
}

/// Makes so many calls that nobody answers.
async fn calls(client: &Client, number: usize, own_channel: bool) -> Result<usize> {
    // Those that were dropped before have gone.
    until(|| client.stats().pending == 0).await;
    let mut calls = JoinSet::new();
    let before = resident()?;
    for _ in 0..number {
        let client = client.clone();
        calls.spawn(async move {
            let request = client.request(QUEUE).body(&[0; 64][..]);
            let request = if own_channel { request.own_channel() } else { request };
            request.send().await
        });
    }
    until(|| client.stats().pending == number && client.stats().waiting == 0).await;
    grown(before, number)
}

async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn grown(before: usize, number: usize) -> Result<usize> {
    Ok(resident()?.saturating_sub(before) / number)
}

/// From what Linux says about this process.
fn resident() -> Result<usize> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).ok_or("there is no VmRSS")?;
    Ok(kib.parse::<usize>()? * 1024)
}

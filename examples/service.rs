//! A server as it runs for months: `cargo run --example service -- amqp://localhost`.
//!
//! It outlives its broker's restarts, says what happens to its connection, and ends in good order on
//! SIGTERM and SIGINT: it takes no new requests, finishes those that it has begun, and answers them.

use std::time::Duration;

use leveret::{Request, Server};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "amqp://localhost".to_owned());
    serve(url).await
}

/// Until the end.
pub(crate) async fn serve(url: String) -> Result<(), Box<dyn std::error::Error>> {
    // Before the first request: without this, a signal ends the program at once.
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let server = Server::builder(url)
        .shutdown_timeout(Duration::from_secs(20))
        .handle("leveret.service", |request: Request| async move {
            // Nobody waits for longer.
            let limit = request.time_left.unwrap_or(Duration::MAX);
            Ok(tokio::time::timeout(limit, work(request)).await?)
        })
        .start()
        .await?;
    eprintln!("serving");

    let mut state = server.connection_state();
    tokio::spawn(async move {
        while state.changed().await.is_ok() {
            eprintln!("{:?}", *state.borrow_and_update());
        }
    });

    tokio::select! {
        _ = terminate.recv() => eprintln!("SIGTERM"),
        _ = interrupt.recv() => eprintln!("SIGINT"),
        // Only if it was told to give up.
        stopped = server.stopped() => return Ok(stopped?),
    }
    server.shutdown().await?;
    eprintln!("all requests are answered");
    Ok(())
}

async fn work(request: Request) -> String {
    tokio::time::sleep(Duration::from_millis(100)).await;
    format!("{} octets", request.body.len())
}

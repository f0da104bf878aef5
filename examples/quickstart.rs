//! A server and a client in one program: `cargo run --example quickstart`.
//!
//! They meet at the RabbitMQ of `AMQP_URL`, or at a broker inside this process.

use std::process::ExitCode;

use leveret::broker::Broker;
use leveret::{Client, Request, Server};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let (url, _broker) = match std::env::var("AMQP_URL") {
        Ok(url) => (url, None),
        Err(_) => {
            let broker = Broker::start().await?;
            (broker.url(), Some(broker))
        }
    };

    let server = Server::builder(&url)
        .handle("leveret.quickstart", |request: Request| async move {
            Ok(format!("{} to you", request.text()?))
        })
        .start()
        .await?;

    let client = Client::connect(&url).await?;
    let reply = client.call("leveret.quickstart", "Good morning").await?;
    println!("{}", reply.text()?);

    client.close().await;
    server.shutdown().await?;
    Ok(())
}

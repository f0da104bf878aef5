//! Limits, timeouts, retries and load shedding by `tower`, on both ends:
//! `cargo run --example tower --features tower`.
//!
//! They meet at the RabbitMQ of `AMQP_URL`, or at a broker inside this process.

use std::future::{Ready, ready};
use std::time::Duration;

use leveret::broker::Broker;
use leveret::service::{BoxError, OutgoingRequest};
use leveret::{CallError, Client, Fault, Outcome, Reply, Request, Server};
use tokio::task::JoinSet;
use tower::load_shed::error::Overloaded;
use tower::retry::Policy;
use tower::timeout::error::Elapsed;
use tower::{Service, ServiceBuilder, ServiceExt};

const QUEUE: &str = "leveret.tower";

/// Sends again what no server has seen, some times.
#[derive(Clone)]
struct RetryNotExecuted {
    attempts: u32,
}

impl Policy<OutgoingRequest, Reply, CallError> for RetryNotExecuted {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _request: &mut OutgoingRequest,
        result: &mut Result<Reply, CallError>,
    ) -> Option<Ready<()>> {
        let error = result.as_ref().err()?;
        // What may have run is left to those who know whether it may run twice.
        if error.outcome() != Outcome::NotExecuted || self.attempts == 0 {
            return None;
        }
        println!("again, because {error}");
        self.attempts -= 1;
        Some(ready(()))
    }

    fn clone_request(&mut self, request: &OutgoingRequest) -> Option<OutgoingRequest> {
        Some(request.clone())
    }
}

/// As long as the request says, in milliseconds.
async fn work(request: Request) -> Result<String, Fault> {
    let time = Duration::from_millis(request.text()?.parse()?);
    tokio::time::sleep(time).await;
    Ok(format!("worked for {time:?}"))
}

async fn serve(url: &str) -> Result<Server, BoxError> {
    let handler = ServiceBuilder::new()
        // Layers have errors of their own, which get codes here; a handler's faults pass.
        .map_err(|error: BoxError| match error {
            error if error.is::<Elapsed>() => Fault::new("slow", "it took too long"),
            error if error.is::<Overloaded>() => Fault::new("busy", "ask another time"),
            error => Fault::from_boxed(error),
        })
        .load_shed()
        .concurrency_limit(4)
        .timeout(Duration::from_millis(500))
        .service_fn(work);
    Ok(Server::builder(url).handle_service(QUEUE, handler).start().await?)
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let (url, _broker) = match std::env::var("AMQP_URL") {
        Ok(url) => (url, None),
        Err(_) => {
            let broker = Broker::start().await?;
            (broker.url(), Some(broker))
        }
    };
    let client = Client::connect(&url).await?;
    let service = ServiceBuilder::new()
        .load_shed()
        .concurrency_limit(6)
        .timeout(Duration::from_secs(2))
        .retry(RetryNotExecuted { attempts: 2 })
        .service(client.service(QUEUE));

    // No server has declared the queue yet.
    println!("{}", show(service.clone().oneshot("1".into()).await));

    let server = serve(&url).await?;
    println!("{}", show(service.clone().oneshot("1".into()).await));
    println!("{}", show(service.clone().oneshot("1000".into()).await));
    println!("{}", show(service.clone().oneshot("soon".into()).await));

    // Two of them do not get past the client's limit, and two not past the server's.
    let mut calls = JoinSet::new();
    for _ in 0..8 {
        let mut service = service.clone();
        calls.spawn(service.ready().await?.call("100".into()));
    }
    for result in calls.join_all().await {
        println!("{}", show(result));
    }

    client.close().await;
    server.shutdown().await?;
    Ok(())
}

fn show(result: Result<Reply, BoxError>) -> String {
    match result {
        Ok(reply) => reply.text().unwrap_or("octets").to_owned(),
        Err(error) => match error.downcast_ref::<CallError>() {
            Some(error) => format!("{error} ({:?})", error.outcome()),
            None => error.to_string(),
        },
    }
}

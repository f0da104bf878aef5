//! The example `service`, as a supervisor sees it: SIGTERM, and it ends with everything answered.

// Without a test harness: this program is also the service that it tests.
#[path = "../examples/service.rs"]
#[allow(dead_code, reason = "its own main")]
mod service;

use std::process::Stdio;
use std::time::Duration;

use leveret::Client;
use leveret::broker::Broker;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(30);

/// Where the service finds its broker. Only the service is told.
const URL: &str = "LEVERET_SERVICE_URL";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    match std::env::var(URL) {
        Ok(url) => service::serve(url).await,
        Err(_) => {
            what_it_has_begun_is_answered_before_it_ends().await;
            println!("test what_it_has_begun_is_answered_before_it_ends ... ok");
            Ok(())
        }
    }
}

async fn what_it_has_begun_is_answered_before_it_ends() {
    let broker = Broker::start().await.unwrap();
    let mut service = Command::new(std::env::current_exe().unwrap())
        .env(URL, broker.url())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(service.stderr.take().unwrap());
    let mut line = String::new();
    timeout(PATIENCE, stderr.read_line(&mut line)).await.unwrap().unwrap();
    assert_eq!(line, "serving\n");

    let client = Client::connect(broker.url()).await.unwrap();
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let client = client.clone();
        calls.spawn(async move { client.call("leveret.service", "hello").await });
    }
    let is_at_work = |broker: &Broker| broker.stats().unacknowledged == 20;
    timeout(PATIENCE, broker.until(is_at_work)).await.unwrap();
    let pid = Pid::from_raw(service.id().unwrap().try_into().unwrap());
    kill(pid, Signal::SIGTERM).unwrap();

    while let Some(reply) = timeout(PATIENCE, calls.join_next()).await.unwrap() {
        assert_eq!(reply.unwrap().unwrap().body, "5 octets");
    }
    assert!(timeout(PATIENCE, service.wait()).await.unwrap().unwrap().success());
    let mut said = String::new();
    stderr.read_to_string(&mut said).await.unwrap();
    assert!(
        said.starts_with("SIGTERM\n") && said.contains("all requests are answered\n"),
        "{said}"
    );
    let queue = broker.queue("leveret.service").unwrap();
    assert_eq!((queue.ready, queue.unacknowledged, queue.consumers), (0, 0, 0));
}

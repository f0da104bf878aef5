//! Any future of the API may be dropped at any point: nothing is left of it, and everything else
//! goes on.

#![cfg(feature = "broker")]

mod calls;
mod connecting;
mod ending;
mod serving;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use leveret::broker::Broker;
use leveret::{CallError, Client, Reply, Request, Server};
use tokio::sync::watch;
use tokio::task::{JoinHandle, yield_now};

/// The longest that a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(10);

/// When a future is polled again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// When it has been woken. It is dropped right after a poll.
    WhenWoken,
    /// Whenever all other tasks have had their turn, which it has to bear. It is dropped after such a
    /// turn: what it waits for may be there by then.
    EveryTurn,
}

const PACES: [Pace; 2] = [Pace::WhenWoken, Pace::EveryTurn];

/// Polls a future that often and drops it. What it came to, if that was sooner.
async fn dropped_after<T>(polls: usize, pace: Pace, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    for number in 1..=polls {
        if let Poll::Ready(output) = poll_once(future.as_mut(), pace, number < polls).await {
            return Some(output);
        }
    }
    None
}

/// Polls it, and waits until it is to be polled again.
async fn poll_once<T>(
    mut future: Pin<&mut impl Future<Output = T>>,
    pace: Pace,
    goes_on: bool,
) -> Poll<T> {
    let waits = pace == Pace::WhenWoken && goes_on;
    let mut polled = false;
    let polling = poll_fn(|context| {
        if core::mem::replace(&mut polled, true) {
            return Poll::Ready(Poll::Pending);
        }
        match future.as_mut().poll(context) {
            Poll::Pending if waits => Poll::Pending,
            result => Poll::Ready(result),
        }
    });
    let result = patiently(polling).await;
    if pace == Pace::EveryTurn {
        yield_now().await;
    }
    result
}

/// Does that once more with each number of polls, until the future gets to its end by itself.
async fn with_ever_more_polls(mut run: impl AsyncFnMut(usize, Pace) -> bool) {
    for pace in PACES {
        let mut polls = 0;
        while !run(polls, pace).await {
            polls += 1;
            assert!(polls < 100_000, "it has no end");
        }
        assert!(polls > 0, "it has no beginning");
    }
}

/// A broker, a server that echoes what comes to the queue "echo", and holds what comes to "held" until
/// it is let go, and a client.
struct Stage {
    broker: Broker,
    server: Server,
    client: Client,
    let_go: watch::Sender<bool>,
}

impl Stage {
    async fn new() -> Self {
        let broker = Broker::builder().record_frames().start().await.unwrap();
        let (let_go, hold) = watch::channel(false);
        let server = serve(&broker, hold).await;
        let client = client(&broker).await;
        Self { broker, server, client, let_go }
    }

    /// The client has nothing under way, and calls are answered.
    async fn goes_on(&self, word: usize) {
        let stats = self.client.stats();
        assert_eq!((stats.pending, stats.waiting), (0, 0), "{stats:?}");
        let word = word.to_string();
        let reply = patiently(self.client.call("echo", word.clone())).await.unwrap();
        assert_eq!(reply.text().unwrap(), word, "its own reply");
    }

    /// A call whose handler runs until it is let go.
    async fn held_call(&self) -> JoinHandle<Result<Reply, CallError>> {
        let client = self.client.clone();
        let call = tokio::spawn(async move { client.call("held", "held").await });
        self.until(|broker| broker.stats().unacknowledged == 1).await;
        while self.server.stats().running == 0 {
            yield_now().await;
        }
        call
    }

    async fn until(&self, condition: impl FnMut(&Broker) -> bool) {
        patiently(self.broker.until(condition)).await;
    }

    /// The broker holds no message, and has that many connections.
    async fn nothing_is_left_but(&self, connections: usize) {
        self.until(|broker| {
            let stats = broker.stats();
            (stats.ready, stats.unacknowledged, stats.connections_open) == (0, 0, connections)
        })
        .await;
    }
}

fn builder(broker: &Broker) -> leveret::ServerBuilder {
    Server::builder(broker.url())
        .connection_name("server")
        .handle("echo", |request: Request| async move { Ok(request.into_body()) })
}

async fn serve(broker: &Broker, hold: watch::Receiver<bool>) -> Server {
    let handler = move |request: Request| {
        let mut hold = hold.clone();
        async move {
            hold.wait_for(|let_go| *let_go).await?;
            Ok(request.into_body())
        }
    };
    patiently(builder(broker).handle("held", handler).start()).await.unwrap()
}

async fn client(broker: &Broker) -> Client {
    let builder = Client::builder(broker.url()).connection_name("client");
    patiently(builder.connect()).await.unwrap()
}

/// A call is refused, because its client has been closed.
async fn is_closed(client: &Client) {
    let error = patiently(client.call("echo", "hello")).await.unwrap_err();
    assert_eq!(error, CallError::Closed { written: false });
}

/// Waits, but not for ever.
async fn patiently<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap()
}

//! A session is cut after each of its octets, in both directions: every call ends, and says truthfully
//! whether its request may have run.

#![cfg(feature = "broker")]

mod client;
mod log;
mod server;

use std::sync::Arc;
use std::time::Duration;

use leveret::broker::{Broker, ConnectionHandle};
use leveret::{CallError, Client, ConnectError, Reconnect, Reply, Retry};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// The longest that a test waits for anything. Calls have more time, so that none ends by its timeout.
const PATIENCE: Duration = Duration::from_secs(20);

/// The time that a call has. Its digits are on the wire, and this has five as long as it lasts.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// How many cuts are made at the same time.
const AT_A_TIME: usize = 32;

/// Which way the octets go that a connection is cut after, as the broker sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Received,
    Sent,
}

/// Where a connection is cut: after that many octets.
#[derive(Debug, Clone, Copy)]
struct Cut {
    way: Way,
    octets: u64,
}

impl Cut {
    /// The next connection is cut there.
    fn plan(self, broker: &Broker) {
        let next = broker.next_connection();
        match self.way {
            Way::Received => next.drop_after_receiving(self.octets),
            Way::Sent => next.drop_after_sending(self.octets),
        };
    }

    /// Not one octet more has passed the broker's second connection, which the plan was for.
    fn was_made(self, broker: &Broker) {
        let [_, connection, ..] = &broker.connections()[..] else { panic!("a second connection") };
        assert_eq!(Octets::of(connection).on(self.way), self.octets);
    }
}

/// Octets that have passed a connection, as the broker sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Octets {
    received: u64,
    sent: u64,
}

impl Octets {
    fn of(connection: &ConnectionHandle) -> Self {
        Self { received: connection.octets_received(), sent: connection.octets_sent() }
    }

    fn on(self, way: Way) -> u64 {
        match way {
            Way::Received => self.received,
            Way::Sent => self.sent,
        }
    }
}

/// How long a session is: until its calls are served, and as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Length {
    served: Octets,
    whole: Octets,
}

impl Length {
    /// Every place to cut it.
    fn cuts(self) -> impl Iterator<Item = Cut> {
        [Way::Received, Way::Sent]
            .into_iter()
            .flat_map(move |way| (1..=self.whole.on(way)).map(move |octets| Cut { way, octets }))
    }

    /// Whether the cut comes before the session has begun to end.
    fn is_before_end(self, cut: Cut) -> bool {
        cut.octets <= self.served.on(cut.way)
    }
}

/// Runs it for every cut, some of them at a time, and gives back what came of each.
async fn at_every_octet<T, F>(length: Length, run: impl Fn(Cut) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(AT_A_TIME));
    let mut runs = JoinSet::new();
    for cut in length.cuts() {
        let (run, places) = (run(cut), Arc::clone(&places));
        runs.spawn(async move {
            let _place = places.acquire().await.unwrap();
            let run = tokio::spawn(run).await;
            run.unwrap_or_else(|panic| panic!("{cut:?}: {panic}"))
        });
    }
    runs.join_all().await
}

/// Connects anew without much ado.
fn at_once() -> Reconnect {
    Reconnect::default().first_pause(Duration::from_millis(1)).max_pause(Duration::from_millis(4))
}

/// A client that sends one request at a time, so that there is another that waits.
async fn connect(broker: &Broker, reconnect: Reconnect) -> Result<Client, ConnectError> {
    let builder = Client::builder(broker.url()).connection_name("client").timeout(CALL_TIMEOUT);
    patiently(builder.reconnect(reconnect).max_in_flight(1).connect()).await
}

/// A call whose reply is to be what it asks.
async fn ask(client: &Client, request: &'static str, retry: Retry) -> Result<Reply, CallError> {
    patiently(client.request("echo").body(request).retry(retry).send()).await
}

/// Waits until the broker holds no message any more, and has that many connections.
async fn nothing_is_left(broker: &Broker, connections: usize) {
    let is_empty = |broker: &Broker| {
        let stats = broker.stats();
        (stats.ready, stats.unacknowledged, stats.connections_open) == (0, 0, connections)
    };
    patiently(broker.until(is_empty)).await;
}

/// Waits, but not for ever.
#[track_caller]
fn patiently<T>(future: impl Future<Output = T>) -> impl Future<Output = T> {
    let caller = std::panic::Location::caller();
    async move {
        let result = tokio::time::timeout(PATIENCE, future).await;
        result.unwrap_or_else(|_| panic!("{caller}: nothing has come of it"))
    }
}

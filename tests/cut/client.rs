//! The client's connection is cut: handshake, subscription, request, reply, close.

use leveret::broker::Broker;
use leveret::{CallError, Client, ConnectError, Outcome, Reconnect, Reply, Retry, Server};

use super::log::Log;
use super::{
    Cut, Length, Octets, Way, ask, at_every_octet, at_once, connect, nothing_is_left, patiently,
};

/// A broker and a server, for a client whose connection is cut.
struct Stage {
    broker: Broker,
    server: Server,
    log: Log,
}

impl Stage {
    async fn new() -> Self {
        let (broker, log) = (Broker::start().await.unwrap(), Log::default());
        let server = log.serve(&broker, Reconnect::never()).await.unwrap();
        Self { broker, server, log }
    }

    /// All requests have been answered, and nobody has them any more.
    async fn end(self) -> Log {
        nothing_is_left(&self.broker, 1).await;
        let stats = self.server.stats();
        assert_eq!((stats.requests, stats.running, stats.held), (stats.replies, 0, 0));
        patiently(self.server.shutdown()).await.unwrap();
        nothing_is_left(&self.broker, 0).await;
        self.log
    }
}

/// How long a session is that nothing happens to.
async fn length() -> Length {
    let stage = Stage::new().await;
    let client = connect(&stage.broker, Reconnect::never()).await.unwrap();
    let connection = stage.broker.connection("client").unwrap();
    let (first, behind) = ask_both(&client, Retry::Never).await;
    assert_eq!((first.unwrap().body, behind.unwrap().body), ("first".into(), "behind".into()));
    let served = Octets::of(&connection);
    patiently(client.close()).await;
    patiently(stage.broker.until(|_| !connection.is_open())).await;
    let whole = Octets::of(&connection);
    stage.end().await;
    Length { served, whole }
}

/// What a client has met with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    /// It was not connected.
    Refused,
    /// One of its calls failed.
    Failed(Outcome),
    /// One of its calls has its reply, and the connection was lost then or before.
    Answered,
    /// It was on its way out.
    Closing,
}

/// What kind of client it is.
#[derive(Debug, Clone, Copy)]
struct Kind {
    reconnect: Reconnect,
    retry: Retry,
}

impl Kind {
    fn reconnects(self) -> bool {
        self.reconnect != Reconnect::never()
    }
}

/// Cuts the connection of a client of that kind at every octet.
async fn cut_everywhere(kind: Kind) -> Vec<Came> {
    let length = length().await;
    let run = move |cut| session(cut, length.is_before_end(cut), kind);
    at_every_octet(length, run).await.concat()
}

async fn session(cut: Cut, is_before_end: bool, kind: Kind) -> Vec<Came> {
    let stage = Stage::new().await;
    cut.plan(&stage.broker);
    let client = match connect(&stage.broker, kind.reconnect).await {
        Ok(client) => client,
        Err(error) => {
            assert!(matches!(error, ConnectError::Session { .. }), "{error:?}");
            cut.was_made(&stage.broker);
            let client = connect(&stage.broker, kind.reconnect).await.unwrap();
            assert_eq!(ask(&client, "first", kind.retry).await.unwrap().body, "first");
            leave(client).await;
            assert_eq!(stage.end().await.times("first"), [false], "by the one that made it");
            return vec![Came::Refused];
        }
    };
    let (first, behind) = ask_both(&client, kind.retry).await;
    stage.log.bears_out("first", &first);
    stage.log.bears_out("behind", &behind);
    let later = if is_before_end { Some(after_the_cut(&client, kind).await) } else { None };
    leave(client).await;
    nothing_is_left(&stage.broker, 1).await;
    cut.was_made(&stage.broker);

    // What is true then stays so.
    let log = stage.end().await;
    log.bears_out("first", &first);
    log.bears_out("behind", &behind);
    later.iter().for_each(|later| log.bears_out("later", later));
    match kind.retry {
        Retry::Unknown => assert!(first.is_ok() && behind.is_ok(), "{first:?} {behind:?}"),
        _ => log.has_no_doubles(),
    }
    let came = |result: &CallResult| match result {
        Err(error) => Came::Failed(error.outcome()),
        Ok(_) if is_before_end => Came::Answered,
        Ok(_) => Came::Closing,
    };
    vec![came(&first), came(&behind)]
}

/// A call, and one that waits behind it.
async fn ask_both(client: &Client, retry: Retry) -> (CallResult, CallResult) {
    tokio::join!(ask(client, "first", retry), ask(client, "behind", retry))
}

type CallResult = Result<Reply, CallError>;

/// A call that is made when the cut is known to the client.
async fn after_the_cut(client: &Client, kind: Kind) -> CallResult {
    if kind.reconnects() {
        let mut state = client.connection_state();
        while client.stats().disconnects == 0 {
            patiently(state.changed()).await.unwrap();
        }
        let later = ask(client, "later", kind.retry).await;
        assert!(later.is_ok(), "it is connected again: {later:?}");
        return later;
    }
    patiently(client.closed()).await.unwrap_err();
    let later = ask(client, "later", kind.retry).await;
    assert!(matches!(later, Err(CallError::Disconnected { written: false, .. })), "{later:?}");
    later
}

async fn leave(client: Client) {
    patiently(client.close()).await;
    let stats = client.stats();
    assert_eq!((stats.pending, stats.waiting), (0, 0), "{stats:?}");
}

/// Every kind of thing has happened, so that the cuts were where they belong.
#[track_caller]
fn assert_seen(came: &[Came], expected: &[Came]) {
    for one in expected {
        assert!(came.contains(one), "{one:?}");
    }
    let other = came.iter().find(|one| !expected.contains(one));
    assert_eq!(other, None, "one of {expected:?}");
}

#[tokio::test]
async fn a_session_is_always_of_the_same_length() {
    let length = length().await;
    assert_eq!(length, self::length().await);
    for way in [Way::Received, Way::Sent] {
        assert!(length.served.on(way) > 100 && length.whole.on(way) > length.served.on(way));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_reconnects() {
    let kind = Kind { reconnect: at_once(), retry: Retry::Never };
    let came = cut_everywhere(kind).await;
    // What waits behind another waits on. What is made in the moment of the cut may not have left.
    let [lost, unsent] = [Outcome::Unknown, Outcome::NotExecuted].map(Came::Failed);
    let came: Vec<_> = came.into_iter().filter(|came| *came != unsent).collect();
    assert_seen(&came, &[Came::Refused, lost, Came::Answered, Came::Closing]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_reconnect() {
    let kind = Kind { reconnect: Reconnect::never(), retry: Retry::Never };
    let came = cut_everywhere(kind).await;
    let [lost, unsent] = [Outcome::Unknown, Outcome::NotExecuted].map(Came::Failed);
    assert_seen(&came, &[Came::Refused, lost, unsent, Came::Answered, Came::Closing]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_whose_requests_may_run_twice() {
    let kind = Kind { reconnect: at_once(), retry: Retry::Unknown };
    let came = cut_everywhere(kind).await;
    assert_seen(&came, &[Came::Refused, Came::Answered, Came::Closing]);
}

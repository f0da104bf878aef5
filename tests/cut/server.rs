//! The server's connection is cut: handshake, declaration, consumer, request, reply, acknowledgement,
//! shutdown. Its client gets its reply all the same.

use leveret::broker::Broker;
use leveret::{Client, ConnectError, Reconnect, Retry, Server, SessionError};

use super::log::Log;
use super::{
    Cut, Length, Octets, Way, ask, at_every_octet, at_once, connect, nothing_is_left, patiently,
};

/// A broker and a client, for a server whose connection is cut.
struct Stage {
    broker: Broker,
    client: Client,
    log: Log,
}

impl Stage {
    async fn new() -> Self {
        let broker = Broker::start().await.unwrap();
        let client = connect(&broker, Reconnect::never()).await.unwrap();
        Self { broker, client, log: Log::default() }
    }

    /// A server that nothing happens to.
    async fn stand_in(&self) -> Server {
        self.log.serve(&self.broker, Reconnect::never()).await.unwrap()
    }

    async fn ask(&self, request: &'static str) {
        let result = ask(&self.client, request, Retry::Never).await;
        assert!(result.is_ok(), "{request}: {result:?}");
        self.log.bears_out(request, &result);
    }

    /// What was not acknowledged is delivered again, to another, and then nothing is left.
    async fn end(self, cut: Option<Cut>) {
        let last = self.stand_in().await;
        nothing_is_left(&self.broker, 2).await;
        if let Some(cut) = cut {
            cut.was_made(&self.broker);
        }
        patiently(last.shutdown()).await.unwrap();
        patiently(self.client.close()).await;
        nothing_is_left(&self.broker, 0).await;
        self.log.has_no_doubles();
        let stats = self.client.stats();
        assert_eq!((stats.replies, stats.pending, stats.waiting), (stats.calls, 0, 0), "{stats:?}");
    }
}

/// How long a session is that nothing happens to.
async fn length() -> Length {
    let stage = Stage::new().await;
    let server = stage.stand_in().await;
    let connection = stage.broker.connection("server").unwrap();
    stage.ask("first").await;
    patiently(stage.broker.until(|broker| broker.stats().acknowledged == 1)).await;
    let served = Octets::of(&connection);
    patiently(server.shutdown()).await.unwrap();
    patiently(stage.broker.until(|_| !connection.is_open())).await;
    let whole = Octets::of(&connection);
    stage.end(None).await;
    Length { served, whole }
}

/// What a server has met with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    /// It has not started.
    Refused,
    /// It was lost before it had run the request.
    Lost,
    /// It had run the request.
    Running,
    /// It was on its way out.
    Ending,
}

/// Cuts the connection of such a server at every octet.
async fn cut_everywhere(reconnect: Reconnect) -> Vec<Came> {
    let length = length().await;
    at_every_octet(length, move |cut| session(cut, length.is_before_end(cut), reconnect)).await
}

async fn session(cut: Cut, is_before_end: bool, reconnect: Reconnect) -> Came {
    let stage = Stage::new().await;
    cut.plan(&stage.broker);
    let server = match stage.log.serve(&stage.broker, reconnect).await {
        Ok(server) => server,
        Err(error) => {
            assert!(matches!(error, ConnectError::Session { .. }), "{error:?}");
            let server = stage.log.serve(&stage.broker, reconnect).await.unwrap();
            stage.ask("first").await;
            patiently(server.shutdown()).await.unwrap();
            stage.end(Some(cut)).await;
            return Came::Refused;
        }
    };
    let came = if !is_before_end {
        stage.ask("first").await;
        Came::Ending
    } else if reconnect == Reconnect::never() {
        let replaced = async {
            patiently(server.stopped()).await.unwrap_err();
            stage.stand_in().await
        };
        let ((), stand_in) = tokio::join!(stage.ask("first"), replaced);
        stage.ask("second").await;
        patiently(stand_in.shutdown()).await.unwrap();
        came_of(&stage.log)
    } else {
        stage.ask("first").await;
        stage.ask("second").await;
        came_of(&stage.log)
    };
    let result = patiently(server.shutdown()).await;
    match result {
        Ok(()) => {}
        Err(SessionError::Connection(_)) if reconnect == Reconnect::never() => {}
        Err(error) => panic!("{error:?}"),
    }
    stage.end(Some(cut)).await;
    came
}

fn came_of(log: &Log) -> Came {
    if log.times("first").first() == Some(&false) { Came::Running } else { Came::Lost }
}

/// Every kind of thing has happened, so that the cuts were where they belong.
#[track_caller]
fn assert_seen_all(came: &[Came]) {
    for one in [Came::Refused, Came::Lost, Came::Running, Came::Ending] {
        assert!(came.contains(&one), "{one:?}");
    }
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
async fn a_server_that_reconnects() {
    assert_seen_all(&cut_everywhere(at_once()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_reconnect() {
    assert_seen_all(&cut_everywhere(Reconnect::never()).await);
}

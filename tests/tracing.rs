//! What is said to `tracing`, as a user's subscriber shows it.

#![cfg(all(feature = "broker", feature = "tracing"))]

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use leveret::broker::Broker;
use leveret::{Client, ConnectionState, Fault, Request, Server};
use tracing::Level;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;

const PASSWORD: &str = "open-sesame";

/// Whatever was said.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Said {
    /// Listens on this thread, which has to be the only one.
    fn listen() -> (Self, tracing::subscriber::DefaultGuard) {
        let said = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(Level::TRACE)
            .with_span_events(FmtSpan::NEW | FmtSpan::CLOSE)
            .with_writer(said.clone())
            .with_ansi(false)
            .finish();
        let guard = tracing::subscriber::set_default(subscriber);
        (said, guard)
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The one line with all of these in it.
    #[track_caller]
    fn line(&self, parts: &[&str]) -> String {
        let lines = self.lines(parts);
        assert_eq!(lines.len(), 1, "{parts:?} in\n{}", self.text());
        lines[0].clone()
    }

    fn lines(&self, parts: &[&str]) -> Vec<String> {
        let text = self.text();
        let is_meant = |line: &&str| parts.iter().all(|part| line.contains(part));
        text.lines().filter(is_meant).map(str::to_owned).collect()
    }
}

impl io::Write for Said {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Said {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

async fn broker() -> (Broker, String) {
    let broker = Broker::builder().user("alice", PASSWORD).start().await.unwrap();
    let url = format!("amqp://alice:{PASSWORD}@{}", broker.address());
    (broker, url)
}

#[tokio::test]
async fn calls_and_handlers_are_spans() {
    let (said, _guard) = Said::listen();
    let (broker, url) = broker().await;
    let handler = |request: Request| async move {
        match request.text()? {
            "panic" => panic!("out of order"),
            "fault" => Err(Fault::new("no-luck", "not today")),
            text => Ok(text.to_owned()),
        }
    };
    let server = Server::builder(&url).handle("ping", handler).start().await.unwrap();
    let client = Client::connect(&url).await.unwrap();
    client.call("ping", "hello").await.unwrap();
    client.call("ping", "fault").await.unwrap_err();
    client.call("ping", "panic").await.unwrap_err();
    client.request("nobody").exchange("nowhere").send().await.unwrap_err();
    client.close().await;
    server.shutdown().await.unwrap();

    for (name, error) in [
        ("call ping", ["the server answered with a fault: no-luck: not today", "Fault"]),
        ("process ping", ["not today", "no-luck"]),
        ("process ping", ["out of order", "panic"]),
        ("call nowhere:nobody", ["the broker refused the request: 404", "Refused"]),
    ] {
        let [description, kind] = error;
        let line = said.line(&[
            &format!("otel.name={name} "),
            "otel.status_code=\"ERROR\"",
            &format!("otel.status_description={description}"),
            &format!("error.type=\"{kind}\""),
            "leveret: close",
        ]);
        let address =
            format!("server.address=\"127.0.0.1\" server.port={}", broker.address().port());
        let ids = ["messaging.message.id=", "messaging.message.conversation_id="];
        for part in ["messaging.system=\"rabbitmq\"", &address].into_iter().chain(ids) {
            assert!(line.contains(part), "{part} in {line}");
        }
    }
    for parts in [
        ["otel.kind=\"client\"", "operation.name=\"call\"", "operation.type=\"send\""],
        ["otel.kind=\"consumer\"", "operation.name=\"process\"", "operation.type=\"process\""],
    ] {
        let first = ["leveret: new", "body.size=5", "destination.name=ping", "routing_key=ping"];
        assert!(said.lines(&[&parts[..], &first].concat()).len() == 3, "{parts:?}");
    }
    said.line(&["destination.name=nowhere:nobody", "routing_key=nobody", "leveret: new"]);
    said.line(&["delivery_tag=3", "leveret.redelivered=false", "leveret: close"]);
    let text = said.text();
    for secret in [PASSWORD, "hello"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn what_happens_to_the_connection_is_told() {
    let (said, _guard) = Said::listen();
    let (broker, url) = broker().await;
    let client = Client::connect(&url).await.unwrap();
    let mut state = client.connection_state();
    let patience = Duration::from_secs(10);
    broker.drop_connections();
    let is_lost = |state: &ConnectionState| matches!(state, ConnectionState::Reconnecting { .. });
    tokio::time::timeout(patience, state.wait_for(is_lost)).await.unwrap().unwrap();
    let is_back = |state: &ConnectionState| *state == ConnectionState::Connected;
    tokio::time::timeout(patience, state.wait_for(is_back)).await.unwrap().unwrap();
    client.close().await;
    said.line(&["WARN", "not connected, trying again", "the peer closed the socket"]);
    said.line(&["INFO", "connection{", "leveret: closed"]);
    assert!(!said.text().contains(PASSWORD));
}

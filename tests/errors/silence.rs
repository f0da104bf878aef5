//! Peers that stop answering while a client or a server is being made, and users who stop waiting.

use std::time::Duration;

use leveret::{Client, ConnectError, Request, Server};
use tokio::net::TcpStream;

use super::seen::{within, without_address};
use crate::fake::{Fake, until_channel_open, until_header, until_open, until_start_ok};
use crate::support::wire::read_to_end;

const CONNECT_TIMEOUT: Duration = Duration::from_millis(300);

/// A client has to give up after this: it may take longer than it should on a busy machine.
const BOUND: Duration = Duration::from_secs(3);

#[tokio::test]
async fn the_peer_never_says_anything() {
    let stage = "before its greeting (connection.start)";
    gives_up(stage, |stream| async {
        read_to_end(until_header(stream).await).await;
    })
    .await;
}

#[tokio::test]
async fn the_broker_falls_silent_after_the_login() {
    let stage = "after the login (connection.start-ok)";
    gives_up(stage, |stream| async { until_start_ok(stream).await.expect_end().await }).await;
}

#[tokio::test]
async fn the_broker_falls_silent_over_the_virtual_host() {
    let stage = "while the virtual host was opened (connection.open)";
    gives_up(stage, |stream| async { until_open(stream).await.expect_end().await }).await;
}

#[tokio::test]
async fn the_broker_falls_silent_on_the_channel() {
    let fake = Fake::new(|stream| async {
        until_channel_open(stream).await.expect_end().await;
    })
    .await;
    let connect = Client::builder(fake.url()).connect_timeout(CONNECT_TIMEOUT).connect();
    let error = within(BOUND, connect).await.unwrap_err();
    assert!(matches!(error, ConnectError::TimedOut { timeout: CONNECT_TIMEOUT, .. }), "{error:?}");
    assert_eq!(
        without_address(&fake, &error),
        "BROKER was not ready within the connect timeout of 300ms: \
         it was silent after the login, on a channel"
    );
    fake.finish().await;
}

#[tokio::test]
async fn the_timeout_of_the_uri_holds() {
    let fake = Fake::new(|stream| async {
        read_to_end(until_header(stream).await).await;
    })
    .await;
    let url = format!("{}/%2f?connection_timeout=300", fake.url());
    let error = within(BOUND, Client::connect(&url)).await.unwrap_err();
    let stage = "before its greeting (connection.start)";
    assert_eq!(without_address(&fake, &error), handshake_timeout_text(stage));
    fake.finish().await;
}

#[tokio::test]
async fn a_server_gives_up_too() {
    let fake = Fake::new(|stream| async { until_start_ok(stream).await.expect_end().await }).await;
    let start = Server::builder(fake.url())
        .connect_timeout(CONNECT_TIMEOUT)
        .handle("queue", |request: Request| async { Ok(request.into_body()) })
        .start();
    let error = within(BOUND, start).await.unwrap_err();
    let stage = "after the login (connection.start-ok)";
    assert_eq!(without_address(&fake, &error), handshake_timeout_text(stage));
    fake.finish().await;
}

/// Whoever stops waiting for a client leaves no connection behind.
#[tokio::test]
async fn dropping_the_attempt_ends_it() {
    let (reached, attempt) = tokio::sync::oneshot::channel();
    let fake = Fake::new(|stream| async {
        let wire = until_start_ok(stream).await;
        reached.send(()).unwrap();
        wire.expect_end().await;
    })
    .await;
    let url = fake.url();
    let connect = Client::builder(&url).connect_timeout(Duration::from_secs(3600)).connect();
    tokio::select! {
        result = connect => panic!("{result:?}"),
        reached = attempt => reached.unwrap(),
    }
    fake.finish().await;
}

/// The client names the stage, in time, and hangs up.
async fn gives_up<F, D>(stage: &'static str, dialogue: F)
where
    F: FnOnce(TcpStream) -> D + Send + 'static,
    D: Future<Output = ()> + Send + 'static,
{
    let fake = Fake::new(dialogue).await;
    let connect = Client::builder(fake.url()).connect_timeout(CONNECT_TIMEOUT).connect();
    let error = within(BOUND, connect).await.unwrap_err();
    assert_eq!(without_address(&fake, &error), handshake_timeout_text(stage));
    match error {
        ConnectError::TimedOut { timeout, stage: silent, .. } => {
            assert_eq!((timeout, silent), (CONNECT_TIMEOUT, stage));
        }
        other => panic!("{other:?}"),
    }
    fake.finish().await;
}

fn handshake_timeout_text(stage: &str) -> String {
    format!(
        "BROKER was not ready within the connect timeout of {CONNECT_TIMEOUT:?}: it was silent {stage}"
    )
}

//! Calls that end without a reply although the connection lives.

use std::time::Duration;

use leveret::{CallError, Client, Outcome};
use leveret_codec::{ShortStr, channel, connection};
use tokio::sync::oneshot;

use super::seen::{failure, within};
use crate::fake::{
    Fake, PASSWORD, consume_ok, hear, hear_goodbye, hear_request, subscribed, until_consume,
};

const TIMEOUT: Duration = Duration::from_millis(200);

/// A call has to end after this: it may take longer than it should on a busy machine.
const BOUND: Duration = Duration::from_secs(3);

#[tokio::test]
async fn nobody_answers_in_time() {
    let fake = Fake::new(|stream| async {
        let mut wire = subscribed(stream).await;
        let properties = hear_request(&mut wire).await;
        // Nobody is to run it when nobody waits for it.
        let expiration = properties.expiration.unwrap().to_string();
        let expiration = Duration::from_millis(expiration.parse().unwrap());
        assert!(expiration <= TIMEOUT, "it would live for {expiration:?}");
        hear_goodbye(wire).await;
    })
    .await;
    let client = Client::builder(fake.url()).timeout(TIMEOUT).connect().await.unwrap();
    let error = within(BOUND, client.call("queue", "hello")).await.unwrap_err();
    assert_eq!(error, CallError::Timeout { timeout: TIMEOUT, written: true, cause: None });
    assert_eq!(failure(&error), ("no reply within 200ms".to_owned(), Outcome::Unknown));
    client.close().await;
    fake.finish().await;
}

/// The request is larger than what fits into the sockets on the way, so it is cut off.
#[tokio::test]
async fn the_broker_stops_reading() {
    let (tell, call_has_failed) = oneshot::channel();
    let fake = Fake::new(|stream| async {
        let mut wire = subscribed(stream).await;
        // So large a body goes on a channel that it is lent.
        hear(&mut wire, 2, "channel.open").await;
        wire.send(2, channel::OpenOk {}).await;
        hear(&mut wire, 2, "basic.consume").await;
        wire.send(2, consume_ok()).await;
        call_has_failed.await.unwrap();
        wire.hang_up();
    })
    .await;
    let client = Client::connect(&fake.url()).await.unwrap();
    // Time enough to begin.
    let timeout = Duration::from_millis(1500);
    let call = client.request("queue").body(vec![0; 16 << 20]).timeout(timeout).send();
    let error = within(BOUND, call).await.unwrap_err();
    assert_eq!(error, CallError::Timeout { timeout, written: true, cause: None });
    assert_eq!(failure(&error), ("no reply within 1.5s".to_owned(), Outcome::Unknown));
    tell.send(()).unwrap();
    fake.finish().await;
}

#[tokio::test]
async fn a_call_waits_for_the_end_of_an_alarm_in_vain() {
    let fake = Fake::new(|stream| async { hear_goodbye(blocked(stream).await).await }).await;
    let client = Client::connect(&fake.url()).await.unwrap();
    let call = client.request("queue").timeout(TIMEOUT).send();
    let error = within(BOUND, call).await.unwrap_err();
    assert_eq!(error, CallError::Timeout { timeout: TIMEOUT, written: false, cause: None });
    let words = "no reply within 200ms; the request was never sent";
    assert_eq!(failure(&error), (words.to_owned(), Outcome::NotExecuted));
    client.close().await;
    fake.finish().await;
}

/// The call need not wait for the broker to agree.
#[tokio::test]
async fn the_client_is_closed_during_a_call() {
    let (heard, request) = oneshot::channel();
    let (tell, call_has_failed) = oneshot::channel();
    let fake = Fake::new(|stream| async {
        let mut wire = subscribed(stream).await;
        hear_request(&mut wire).await;
        heard.send(()).unwrap();
        call_has_failed.await.unwrap();
        hear_goodbye(wire).await;
    })
    .await;
    let client = Client::connect(&fake.url()).await.unwrap();
    let call = async {
        let error = within(BOUND, client.call("queue", "hello")).await.unwrap_err();
        assert_eq!(error, CallError::Closed { written: true });
        assert_eq!(failure(&error), ("the client is closed".to_owned(), Outcome::Unknown));
        tell.send(()).unwrap();
    };
    tokio::join!(call, async {
        request.await.unwrap();
        client.close().await;
    });
    fake.finish().await;
}

#[tokio::test]
async fn the_client_is_closed_before_a_call_was_sent() {
    let fake = Fake::new(|stream| async { hear_goodbye(blocked(stream).await).await }).await;
    let client = Client::connect(&fake.url()).await.unwrap();
    let (result, ()) = tokio::join!(client.call("queue", "hello"), client.close());
    let error = result.unwrap_err();
    assert_eq!(error, CallError::Closed { written: false });
    assert_eq!(failure(&error), ("the client is closed".to_owned(), Outcome::NotExecuted));
    fake.finish().await;
}

#[tokio::test]
async fn a_client_does_not_show_its_password() {
    let fake = Fake::new(|stream| async { hear_goodbye(subscribed(stream).await).await }).await;
    let builder = Client::builder(fake.url());
    let shown_builder = format!("{builder:?}");
    let client = builder.connect().await.unwrap();
    for shown in [shown_builder, format!("{client:?}")] {
        assert!(shown.starts_with("Client") && !shown.contains(PASSWORD), "{shown}");
    }
    client.close().await;
    fake.finish().await;
}

/// A broker that takes no requests for now.
async fn blocked(stream: tokio::net::TcpStream) -> crate::support::wire::Wire {
    let mut wire = until_consume(stream).await;
    let reason = ShortStr::from_static("low on memory");
    wire.send(0, connection::Blocked { reason }).await;
    wire.send(1, consume_ok()).await;
    wire
}

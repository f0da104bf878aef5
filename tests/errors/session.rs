//! Connections that end while calls are under way, or while a server waits for requests.

use std::time::Duration;

use leveret::connection::ConnectionError;
use leveret::{CallError, Client, Outcome, Reconnect, Request, Server, SessionError};
use leveret_codec::{BasicProperties, ReplyCode, ShortStr, basic, channel, connection, queue};

use super::seen::{failure, lost, text, within};
use crate::fake::{
    Fake, consume_ok, hear, hear_request, subscribed, until_channel_open, until_consume,
};

const LOST: &str = "the connection was lost: the peer closed the socket";

/// Of one connection, with which it ends.
async fn once(url: String) -> Client {
    Client::builder(url).reconnect(Reconnect::never()).connect().await.unwrap()
}

#[tokio::test]
async fn the_connection_is_lost_during_a_call() {
    let fake = Fake::new(|stream| async {
        let mut wire = subscribed(stream).await;
        hear_request(&mut wire).await;
        wire.hang_up();
    })
    .await;
    let client = once(fake.url()).await;
    let cause = lost("the peer closed the socket");

    let error = client.call("queue", "hello").await.unwrap_err();
    assert_eq!(error, CallError::Disconnected { written: true, cause: cause.clone() });
    assert_eq!(failure(&error), (LOST.to_owned(), Outcome::Unknown));

    // From now on a call need not wait to know.
    let again = within(Duration::from_millis(100), client.call("queue", "hello"));
    let error = again.await.unwrap_err();
    assert_eq!(error, CallError::Disconnected { written: false, cause });
    assert_eq!(failure(&error), (LOST.to_owned(), Outcome::NotExecuted));
    fake.finish().await;
}

#[tokio::test]
async fn the_connection_is_reset_during_a_call() {
    let fake = Fake::new(|stream| async {
        let mut wire = subscribed(stream).await;
        hear_request(&mut wire).await;
        wire.into_stream().set_zero_linger().unwrap();
    })
    .await;
    let client = once(fake.url()).await;
    let error = client.call("queue", "hello").await.unwrap_err();
    let (text, outcome) = failure(&error);
    assert!(text.starts_with("the connection was lost: Connection reset by peer"), "{text}");
    assert_eq!(outcome, Outcome::Unknown);
    fake.finish().await;
}

/// A call that the broker's alarm has held back was not sent, and may be made again.
#[tokio::test]
async fn the_connection_is_lost_before_a_call_was_sent() {
    let (hang_up, told) = tokio::sync::oneshot::channel();
    let fake = Fake::new(|stream| async {
        let mut wire = until_consume(stream).await;
        wire.send(0, blocked()).await;
        wire.send(1, consume_ok()).await;
        told.await.unwrap();
        wire.hang_up();
    })
    .await;
    let client = once(fake.url()).await;
    assert_eq!(client.blocked().as_deref(), Some("low on memory"));
    let call = client.call("queue", "hello");
    let (result, ()) = tokio::join!(call, async { hang_up.send(()).unwrap() });
    let error = result.unwrap_err();
    assert_eq!(failure(&error), (LOST.to_owned(), Outcome::NotExecuted));
    fake.finish().await;
}

#[tokio::test]
async fn an_operator_closes_the_connection_during_a_call() {
    let fake = Fake::new(|stream| async {
        let mut wire = subscribed(stream).await;
        hear_request(&mut wire).await;
        let reply_code = ReplyCode::CONNECTION_FORCED;
        let reply_text = ShortStr::from_static("CONNECTION_FORCED - maintenance");
        wire.send(0, connection::Close { reply_code, reply_text, ..Default::default() }).await;
        hear(&mut wire, 0, "connection.close-ok").await;
        wire.expect_end().await;
    })
    .await;
    let client = once(fake.url()).await;
    let error = client.call("queue", "hello").await.unwrap_err();
    let closed = ConnectionError::ClosedByPeer {
        code: ReplyCode::CONNECTION_FORCED,
        text: "CONNECTION_FORCED - maintenance".to_owned(),
        class_id: 0,
        method_id: 0,
    };
    assert_eq!(error, CallError::Disconnected { written: true, cause: closed.into() });
    let words = "the broker closed the connection: 320 \
                 CONNECTION_FORCED - maintenance";
    assert_eq!(failure(&error), (words.to_owned(), Outcome::Unknown));
    fake.finish().await;
}

#[tokio::test]
async fn the_broker_breaks_the_protocol_during_a_call() {
    const WORDS: &str = "basic.deliver for a consumer that does not exist";
    let fake = Fake::new(|stream| async {
        let mut wire = subscribed(stream).await;
        hear_request(&mut wire).await;
        let consumer_tag = ShortStr::from_static("somebody else");
        let deliver = basic::Deliver { consumer_tag, ..Default::default() };
        wire.send_content(1, deliver, BasicProperties::default(), b"hello").await;
        let told = format!("COMMAND_INVALID - {WORDS}");
        wire.expect_connection_close(ReplyCode::COMMAND_INVALID, &told, (0, 0)).await;
    })
    .await;
    let client = once(fake.url()).await;
    let error = client.call("queue", "hello").await.unwrap_err();
    let (code, text) = (ReplyCode::COMMAND_INVALID, WORDS.to_owned());
    let cause = ConnectionError::ProtocolViolation { code, text }.into();
    assert_eq!(error, CallError::Disconnected { written: true, cause });
    let words = format!("the peer broke the AMQP protocol (503 COMMAND_INVALID): {WORDS}");
    assert_eq!(failure(&error), (words, Outcome::Unknown));
    fake.finish().await;
}

#[tokio::test]
async fn the_broker_is_silent_for_two_heartbeats() {
    let fake = Fake::new(|stream| async {
        let mut wire = subscribed(stream).await;
        hear_request(&mut wire).await;
        wire.expect_end().await;
    })
    .await;
    let url = format!("{}/%2f?heartbeat=1", fake.url());
    let client = once(url).await;
    let error = client.call("queue", "hello").await.unwrap_err();
    let CallError::Disconnected { written: true, cause: SessionError::Connection(cause) } = &error
    else {
        panic!("{error:?}")
    };
    // A machine with other things to do may look a little later.
    let ConnectionError::HeartbeatTimeout { seconds: seconds @ 2..=5 } = cause else {
        panic!("{cause:?}")
    };
    let words =
        format!("the peer has been silent for {seconds} s, twice the heartbeat: taken for dead");
    assert_eq!(failure(&error), (words, Outcome::Unknown));
    fake.finish().await;
}

/// The connection ends with the runtime that it was made in, and a client may outlive that.
#[test]
fn the_runtime_of_the_client_has_ended() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let client = first.block_on(async {
        let fake = Fake::new(|stream| async { subscribed(stream).await.expect_end().await }).await;
        once(fake.url()).await
    });
    drop(first);

    let call = async { within(Duration::from_millis(100), client.call("queue", "hello")).await };
    let error = runtime().block_on(call).unwrap_err();
    let reason = "the task that drives the connection has ended, with its runtime perhaps";
    assert_eq!(error, CallError::Disconnected { written: false, cause: lost(reason) });
    let words = format!("the connection was lost: {reason}");
    assert_eq!(failure(&error), (words, Outcome::NotExecuted));
}

#[tokio::test]
async fn a_server_learns_that_its_connection_is_lost() {
    let (hang_up, told) = tokio::sync::oneshot::channel();
    let fake = Fake::new(|stream| async {
        let mut wire = until_channel_open(stream).await;
        wire.send(1, channel::OpenOk {}).await;
        hear(&mut wire, 1, "queue.declare").await;
        hear(&mut wire, 1, "basic.qos").await;
        hear(&mut wire, 1, "basic.consume").await;
        wire.send(1, queue::DeclareOk::default()).await;
        wire.send(1, basic::QosOk {}).await;
        wire.send(1, consume_ok()).await;
        told.await.unwrap();
        wire.hang_up();
    })
    .await;
    let server = Server::builder(fake.url())
        .reconnect(Reconnect::never())
        .handle("queue", |request: Request| async { Ok(request.into_body()) })
        .start()
        .await
        .unwrap();
    hang_up.send(()).unwrap();
    let error: SessionError = server.stopped().await.unwrap_err();
    assert_eq!(error, lost("the peer closed the socket"));
    assert_eq!(text(&error), LOST);
    assert_eq!(server.shutdown().await, Err(error));
    fake.finish().await;
}

fn blocked() -> connection::Blocked {
    connection::Blocked { reason: ShortStr::from_static("low on memory") }
}

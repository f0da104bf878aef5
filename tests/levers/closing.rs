//! What a broker says when something is wrong: alarms, cancelled consumers, closed channels and
//! connections, and nonsense.

use std::time::Duration;

use leveret::connection::ConnectionError;
use leveret::{CallError, Client, ReplyCode, SessionError};

use super::{Stage, client, echo, patiently, url_of_alice};

#[tokio::test]
async fn an_alarm_holds_up_who_publishes() {
    let stage = Stage::new().await;
    let url = url_of_alice(&stage.broker);
    let idle = Client::builder(&url).connection_name("idle").connect().await.unwrap();
    stage.broker.block("low on memory");
    // Nobody is told who does not publish.
    assert_eq!((stage.client.blocked(), stage.server.blocked()), (None, None));
    // The first message arrives, and so does its reply.
    stage.client.call("echo", "first").await.unwrap();
    assert_eq!(stage.client.blocked().as_deref(), Some("low on memory"));
    assert_eq!(idle.blocked(), None);
    // Nothing more does.
    let limit = Duration::from_millis(20);
    let error = stage.client.request("echo").timeout(limit).send().await.unwrap_err();
    assert!(matches!(error, CallError::Timeout { .. }), "{error:?}");
    assert_eq!(stage.broker.stats().published, 2);
    // The server's acknowledgement comes after its reply.
    assert_eq!(stage.broker.stats().unacknowledged, 1);
    let waiting = stage.call("second");

    stage.broker.unblock();
    assert_eq!(patiently(waiting).await.unwrap().unwrap(), "second");
    assert_eq!((stage.client.blocked(), stage.server.blocked()), (None, None));
    stage.until(|broker| broker.stats().unacknowledged == 0).await;
    let lines = stage.of_client().transcript().to_string();
    assert_eq!(lines.matches("client <- 0 connection.blocked").count(), 1, "{lines}");
    assert_eq!(lines.matches("client <- 0 connection.unblocked").count(), 1, "{lines}");
    let lines = stage.broker.connection("idle").unwrap().transcript().to_string();
    assert!(!lines.contains("client <- 0 connection.blocked"), "{lines}");
    assert!(!lines.contains("client <- 0 connection.unblocked"), "{lines}");
}

#[tokio::test]
async fn an_alarm_that_nobody_noticed_is_over_without_a_word() {
    let stage = Stage::new().await;
    stage.broker.block("low on disk");
    stage.broker.unblock();
    stage.client.call("echo", "hello").await.unwrap();
    assert!(!stage.of_client().frames().iter().any(|frame| {
        matches!(frame.method_name(), Some("connection.blocked" | "connection.unblocked"))
    }));
}

#[tokio::test]
async fn consumers_are_cancelled_and_the_queue_stays() {
    let stage = Stage::new().await;
    assert_eq!(stage.broker.cancel_consumers("nobody"), 0);
    assert_eq!(stage.broker.cancel_consumers("echo"), 1);
    stage
        .until(|broker| {
            let frames = broker.connection("server").unwrap().frames();
            frames.iter().any(|frame| frame.method_name() == Some("basic.cancel"))
        })
        .await;
    assert!(stage.broker.queue("echo").is_some());
    let lines = stage.of_server().transcript().to_string();
    assert!(
        lines.contains("client <- 1 basic.cancel \"") && lines.contains(" nowait\n"),
        "{lines}"
    );
}

#[tokio::test]
async fn a_queue_is_deleted() {
    let stage = Stage::new().await;
    assert!(!stage.broker.delete_queue("nobody"));
    stage.of_server().stall_writes();
    assert!(stage.broker.delete_queue("echo"));
    assert_eq!(stage.broker.queue("echo"), None);
    let error = patiently(stage.call("hello")).await.unwrap().unwrap_err();
    assert!(matches!(error, CallError::Unroutable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_channel_is_closed_with_a_code() {
    let stage = Stage::new().await;
    let connection = stage.of_client();
    stage.of_server().stall_reads();
    let call = stage.call("hello");
    stage.until(|broker| broker.stats().delivered == 1).await;
    assert!(!connection.close_channel(2, ReplyCode::PRECONDITION_FAILED, "not open"));
    assert!(connection.close_channel(1, ReplyCode::PRECONDITION_FAILED, "because of a test"));
    assert!(!connection.close_channel(1, ReplyCode::PRECONDITION_FAILED, "again"));
    match patiently(call).await.unwrap().unwrap_err() {
        CallError::ChannelClosed { code, text, .. } => {
            assert_eq!(code, ReplyCode::PRECONDITION_FAILED);
            assert_eq!(text, "PRECONDITION_FAILED - because of a test");
        }
        other => panic!("{other:?}"),
    }
    // The connection goes on.
    stage.of_server().resume_reads();
    assert_eq!(patiently(stage.call("again")).await.unwrap().unwrap(), "again");
}

#[tokio::test]
async fn a_connection_is_closed_with_a_code() {
    let stage = Stage::new().await;
    stage.of_client().close(ReplyCode::CONNECTION_FORCED, "because of a test");
    match patiently(stage.client.closed()).await.unwrap_err() {
        SessionError::Connection(ConnectionError::ClosedByPeer { code, text, .. }) => {
            assert_eq!(code, ReplyCode::CONNECTION_FORCED);
            assert_eq!(text, "CONNECTION_FORCED - because of a test");
        }
        other => panic!("{other:?}"),
    }
    stage.until(|broker| broker.stats().connections_open == 1).await;
    let lines = stage.of_client().transcript().to_string();
    assert!(lines.ends_with("client -> 0 connection.close-ok\n"), "{lines}");
}

#[tokio::test]
async fn a_broker_shuts_down_in_order() {
    let stage = Stage::new().await;
    stage.broker.close_connections(ReplyCode::CONNECTION_FORCED, "broker shuts down");
    for error in [stage.client.closed().await, stage.server.stopped().await] {
        let error = error.unwrap_err().to_string();
        assert!(error.contains("CONNECTION_FORCED - broker shuts down"), "{error}");
    }
    stage.until(|broker| broker.stats().connections_open == 0).await;
    let _server = echo(&stage.broker).await;
    client(&stage.broker).await.call("echo", "hello").await.unwrap();
}

#[tokio::test]
async fn nonsense_is_sent_as_it_is() {
    let stage = Stage::new().await;
    assert!(stage.of_client().send_raw(b"\x01\x00\x01\x00\x00\x00\x04nonsense"));
    let error = patiently(stage.client.closed()).await.unwrap_err();
    assert!(
        matches!(error, SessionError::Connection(ConnectionError::ProtocolViolation { .. })),
        "{error:?}"
    );
    stage.until(|broker| !broker.connection("client").unwrap().is_open()).await;
    let transcript = stage.of_client().transcript();
    assert_eq!(transcript.undecodable.len(), 1);
    assert!(transcript.to_string().contains("client -> 0 connection.close 501"), "{transcript}");
    assert!(!stage.of_client().send_raw(b"nobody hears it"));
}

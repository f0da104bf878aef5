//! What can be wrong with a socket: it is cut, it stalls, it is slow, there is none.

use std::time::Duration;

use leveret::broker::Broker;
use leveret::{CallError, Client, ConnectError, Outcome};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Stage, client, patiently};

const HEADER: &[u8] = b"AMQP\0\0\x09\x01";

/// All that the broker sends to a client who sends nothing but the header.
async fn heard(broker: &Broker) -> usize {
    let mut stream = TcpStream::connect(broker.address()).await.unwrap();
    // The broker may be gone before it.
    let _ = stream.write_all(HEADER).await;
    let mut octets = Vec::new();
    let _ = patiently(stream.read_to_end(&mut octets)).await;
    octets.len()
}

#[tokio::test]
async fn a_connection_is_dropped_at_once() {
    let stage = Stage::new().await;
    // The server is held up, so the reply cannot come before the drop.
    stage.of_server().stall_reads();
    let call = stage.call("hello");
    stage.until(|broker| broker.stats().delivered == 1).await;
    stage.of_client().drop_now();
    let error = patiently(call).await.unwrap().unwrap_err();
    assert!(matches!(error, CallError::Disconnected { written: true, .. }), "{error:?}");
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert!(!stage.of_client().is_open());
    assert!(stage.of_server().is_open());
}

#[tokio::test]
async fn all_connections_are_dropped_and_new_ones_are_not() {
    let stage = Stage::new().await;
    stage.broker.drop_connections();
    // It shows at once in what the broker holds, and soon at the other ends.
    assert_eq!(stage.broker.queue("echo").unwrap().consumers, 0);
    assert_eq!(stage.broker.stats().connections_open, 0);
    patiently(stage.client.closed()).await.unwrap_err();
    patiently(stage.server.stopped()).await.unwrap_err();
    client(&stage.broker).await.close().await;
}

#[tokio::test]
async fn exactly_so_many_octets_are_sent() {
    let broker = Broker::start().await.unwrap();
    for octets in [0, 1, 7, 100, 333] {
        broker.next_connection().drop_after_sending(octets);
        assert_eq!(heard(&broker).await as u64, octets);
    }
}

/// Wherever a client's connection is cut, it says so.
#[tokio::test]
async fn a_client_is_cut_off_at_any_octet() {
    let broker = Broker::start().await.unwrap();
    // The whole of a connection, to know how long it is.
    Client::connect(&broker.url()).await.unwrap().close().await;
    let sent = broker.stats().octets_sent;
    let close_ok = 12;
    for octets in (0..sent - close_ok).step_by(17) {
        broker.next_connection().drop_after_sending(octets);
        let error = patiently(Client::connect(&broker.url())).await.unwrap_err();
        assert!(matches!(error, ConnectError::Session { .. }), "at {octets}: {error}");
    }
    Client::connect(&broker.url()).await.unwrap().close().await;
}

#[tokio::test]
async fn nothing_is_answered_after_so_many_octets_have_come() {
    let broker = Broker::start().await.unwrap();
    broker.next_connection().drop_after_receiving(HEADER.len() as u64);
    assert_eq!(heard(&broker).await, 0);
    // No octet more is taken, even if it is there.
    broker.next_connection().drop_after_receiving(5);
    assert_eq!(heard(&broker).await, 0);
    assert_eq!(broker.stats().octets_received, HEADER.len() as u64 + 5);
}

#[tokio::test]
async fn a_request_arrives_and_its_client_is_gone() {
    let stage = Stage::new().await;
    let sizes = |stage: &Stage| stage.broker.stats().octets_received;
    // A return comes from the client's connection alone.
    let before = sizes(&stage);
    stage.client.call("nobody", "hello").await.unwrap_err();
    let request = sizes(&stage) - before;
    // "echo" is two octets shorter than "nobody".
    stage.of_client().drop_after_receiving(request - 2);
    let error = patiently(stage.call("hello")).await.unwrap().unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown, "{error:?}");
    stage.until(|broker| broker.stats().acknowledged == 1).await;
    let delivered = stage.of_server().frames();
    assert!(delivered.iter().any(|frame| frame.method_name() == Some("basic.deliver")));
}

#[tokio::test]
async fn connections_are_refused_one_by_one() {
    let broker = Broker::start().await.unwrap();
    broker.next_connection().refuse();
    broker.next_connection().refuse();
    broker.next_connection().drop_after_sending(9);
    for octets in [0, 0, 9] {
        assert_eq!(heard(&broker).await, octets);
    }
    Client::connect(&broker.url()).await.unwrap().close().await;
    assert_eq!(broker.stats().connections_accepted, 2);
}

#[tokio::test(start_paused = true)]
async fn a_connection_begins_late() {
    let broker = Broker::start().await.unwrap();
    broker.next_connection().delay(Duration::from_secs(15));
    let mut stream = broker.connect();
    stream.write_all(HEADER).await.unwrap();
    let early = timeout(Duration::from_secs(14), stream.read_u8()).await;
    assert!(early.is_err(), "{early:?}");
    let late = timeout(Duration::from_secs(2), stream.read_u8()).await;
    assert!(matches!(late, Ok(Ok(1))), "{late:?}");
    // The broker's patience with it has only begun.
    assert_eq!(broker.stats().connections_open, 1);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_would_begin_late_is_dropped_at_once() {
    let broker = Broker::start().await.unwrap();
    broker.next_connection().delay(Duration::from_secs(15));
    let mut stream = broker.connect();
    broker.drop_connections();
    let end = timeout(Duration::from_secs(1), stream.read_u8()).await;
    assert!(matches!(end, Ok(Err(_))), "{end:?}");
}

#[tokio::test]
async fn reading_stalls_and_goes_on() {
    let stage = Stage::new().await;
    stage.of_client().stall_reads();
    let limit = Duration::from_millis(20);
    let error = stage.client.request("echo").timeout(limit).send().await.unwrap_err();
    assert!(matches!(error, CallError::Timeout { written: true, .. }), "{error:?}");
    assert_eq!(stage.broker.stats().published, 0);
    let call = stage.call("after that");
    stage.of_client().resume_reads();
    assert_eq!(patiently(call).await.unwrap().unwrap(), "after that");
}

#[tokio::test]
async fn sending_stalls_and_goes_on() {
    let stage = Stage::new().await;
    stage.of_client().stall_writes();
    let call = stage.call("hello");
    // The server is done with it, and the reply is on its way.
    stage.until(|broker| broker.stats().acknowledged == 1).await;
    assert_eq!((stage.broker.stats().published, stage.broker.stats().delivered), (2, 1));
    assert!(!call.is_finished());
    stage.of_client().resume_writes();
    assert_eq!(patiently(call).await.unwrap().unwrap(), "hello");
}

#[tokio::test]
async fn a_connection_stalls_from_its_beginning() {
    let broker = Broker::start().await.unwrap();
    for reads in [true, false] {
        let next = broker.next_connection();
        let next = if reads { next.stall_reads() } else { next.stall_writes() };
        let _ = next;
        let limit = Duration::from_millis(20);
        let error = Client::builder(broker.url()).connect_timeout(limit).connect().await;
        assert!(matches!(error, Err(ConnectError::TimedOut { .. })), "{error:?}");
    }
    broker.next_connection().stall_writes();
    let url = broker.url();
    let client = tokio::spawn(async move { Client::connect(&*url).await });
    patiently(
        broker.until(|broker| {
            broker.connections().len() == 3 && broker.stats().octets_received == 16
        }),
    )
    .await;
    broker.connections().last().unwrap().resume_writes();
    patiently(client).await.unwrap().unwrap().close().await;
}

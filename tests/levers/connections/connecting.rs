//! Several connections come to be.

use std::time::Duration;

use leveret::broker::Broker;
use leveret::{Client, ConnectError, Queue, Request, Server};
use tokio::io::BufStream;

use super::{client_of, echoes, server_of, until_open};
use crate::patiently;

/// The one that does not come up is lost when the others are there.
#[tokio::test]
async fn all_connections_of_a_client_come_up_or_none_stays() {
    for number in 0..3 {
        let broker = one_of_which_is_lost(number, 3).await;
        let error = patiently(client_of(&broker, 3).connect()).await.unwrap_err();
        assert!(matches!(error, ConnectError::Session { .. }), "{error}");
        until_open(&broker, 0).await;
        assert_eq!(broker.stats().connections_accepted, 3, "made at the same time");
    }
}

#[tokio::test]
async fn all_connections_of_a_server_come_up_or_none_stays() {
    for (number, accepted) in [(0, 2), (1, 2), (2, 4), (3, 4)] {
        let broker = one_of_which_is_lost(number, 4).await;
        let builder = server_of(&broker, 2).separate_reply_connection();
        let echo = |request: Request| async move { Ok(request.into_body()) };
        let error = patiently(builder.handle("echo", echo).start()).await.err().unwrap();
        assert!(matches!(error, ConnectError::Session { .. }), "{error}");
        until_open(&broker, 0).await;
        assert_eq!(broker.stats().connections_accepted, accepted, "those for replies come first");
    }
}

/// A broker that loses one of its first connections, after a while.
async fn one_of_which_is_lost(number: usize, connections: usize) -> Broker {
    let broker = Broker::start().await.unwrap();
    let plans: Vec<_> = (0..connections).map(|_| broker.next_connection()).collect();
    plans[number].delay(Duration::from_millis(50)).drop_after_sending(1);
    broker
}

#[tokio::test]
async fn each_connection_begins_at_another_address() {
    let brokers = [Broker::start().await.unwrap(), Broker::start().await.unwrap()];
    let url = format!("amqp://{},{}", brokers[0].address(), brokers[1].address());
    let open = || brokers.each_ref().map(|broker| broker.stats().connections_open);
    let client = Client::builder(&url).connections(3).connect().await.unwrap();
    assert_eq!(open(), [2, 1]);
    let server = Server::builder(&url)
        .connections(2)
        .separate_reply_connection()
        .handle("echo", |request: Request| async move { Ok(request.into_body()) })
        .start()
        .await
        .unwrap();
    assert_eq!(open(), [4, 3]);
    // The same queue at both, so it does not matter where a call goes.
    for _ in 0..6 {
        echoes(&client).await;
    }
    client.close().await;
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_address_without_a_broker_has_its_connections_go_to_the_next() {
    let broker = Broker::start().await.unwrap();
    let url = format!("amqp://{},127.0.0.1:1", broker.address());
    let client = Client::builder(&url).connections(2).connect().await.unwrap();
    assert_eq!(broker.stats().connections_open, 2);
    client.close().await;
    let builder = Client::builder("amqp://127.0.0.1:1,127.0.0.1:2").connections(2);
    let error = patiently(builder.connect()).await.unwrap_err();
    assert!(matches!(&error, ConnectError::NoAddress(errors) if errors.len() == 2), "{error}");
}

/// As one does that encrypts, or that has a buffer.
#[tokio::test]
async fn a_stream_that_holds_back_what_is_written_is_flushed() {
    let broker = Broker::start().await.unwrap();
    let server = server_of(&broker, 1)
        .handle("echo", |request: Request| async move { Ok(request.into_body()) })
        .start_over(BufStream::new(broker.connect()));
    let server = patiently(server).await.unwrap();
    let client = client_of(&broker, 1).connect_over(BufStream::new(broker.connect()));
    let client = patiently(client).await.unwrap();
    echoes(&client).await;
    client.close().await;
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_stream_is_one_connection() {
    let broker = Broker::start().await.unwrap();
    let text = "a stream is one connection, and not 2: connect to the broker's address";
    let error = client_of(&broker, 2).connect_over(broker.connect()).await.unwrap_err();
    assert_eq!(error.to_string(), text);
    let builder = server_of(&broker, 2)
        .handle("echo", |request: Request| async move { Ok(request.into_body()) });
    let error = builder.start_over(broker.connect()).await.unwrap_err();
    assert_eq!(error.to_string(), text);
    client_of(&broker, 1).connect_over(broker.connect()).await.unwrap().close().await;
}

#[tokio::test]
async fn an_exclusive_queue_is_that_of_a_single_connection() {
    let broker = Broker::start().await.unwrap();
    let of = |connections| {
        let echo = |request: Request| async move { Ok(request.into_body()) };
        server_of(&broker, connections).handle(Queue::new("mine").exclusive(), echo).start()
    };
    let error = patiently(of(2)).await.err().unwrap();
    assert!(error.to_string().contains("RESOURCE_LOCKED"), "{error}");
    until_open(&broker, 0).await;
    patiently(of(1)).await.unwrap().shutdown().await.unwrap();
}

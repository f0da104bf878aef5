//! What a test can see: connections, their frames, and numbers.

use std::sync::{Arc, Mutex};

use bytes::BytesMut;
use leveret::broker::{Broker, ConnectionHandle, Direction};
use leveret::{Client, Queue};
use leveret_codec::Frame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Stage, patiently};

#[tokio::test]
async fn connections_are_known_by_their_names() {
    let stage = Stage::new().await;
    let names = |broker: &Broker| -> Vec<_> {
        broker.connections().iter().map(|it| (it.id(), it.connection_name().unwrap())).collect()
    };
    assert_eq!(names(&stage.broker), [(1, "server".into()), (2, "client".into())]);
    let connection = stage.of_client();
    assert_eq!(connection.user().as_deref(), Some("alice"));
    assert_eq!(connection.virtual_host().as_deref(), Some("shop"));
    assert!(connection.client_properties().get("capabilities").is_some());
    assert!(connection.is_open());

    // It is known after its end as well.
    stage.client.close().await;
    stage.until(|broker| !broker.connection("client").unwrap().is_open()).await;
    assert_eq!(connection.user().as_deref(), Some("alice"));
    assert_eq!(names(&stage.broker).len(), 2);
}

/// Article and protocol in one: what a call is on the wire.
#[tokio::test]
async fn the_frames_of_a_call_are_there_in_order() {
    let stage = Stage::new().await;
    assert_eq!(stage.client.call("echo", "hello").await.unwrap().text(), Ok("hello"));
    stage.client.close().await;
    stage.until(|broker| !broker.connection("client").unwrap().is_open()).await;

    let frames = stage.of_client().frames();
    let line = |direction: Direction| match direction {
        Direction::FromClient => "->",
        Direction::ToClient => "<-",
    };
    let methods: Vec<String> = frames
        .iter()
        .filter_map(|frame| Some(format!("{} {}", line(frame.direction), frame.method_name()?)))
        .collect();
    assert_eq!(
        methods,
        [
            "<- connection.start",
            "-> connection.start-ok",
            "<- connection.tune",
            "-> connection.tune-ok",
            "-> connection.open",
            "<- connection.open-ok",
            "-> channel.open",
            "<- channel.open-ok",
            "-> basic.consume",
            "<- basic.consume-ok",
            "-> basic.publish",
            "<- basic.deliver",
            "-> connection.close",
            "<- connection.close-ok",
        ]
    );
    let transcript = stage.of_client().transcript();
    assert_eq!((transcript.dropped, &*transcript.undecodable), (0, &[][..]));
    let text = transcript.to_string();
    for line in [
        "client -> 1 basic.consume \"amq.rabbitmq.reply-to\" as \"\" no-ack",
        "client -> 1 basic.publish \"\"/\"echo\" mandatory\n\
         client -> 1 header of a body of 5 octets, ",
        "client -> 1 body of 5 octets\n",
        "client <- 1 body of 5 octets\n",
    ] {
        assert!(text.contains(line), "no {line:?} in:\n{text}");
    }
    assert!(text.contains("response: Secret(***)") && !text.contains("sesame"), "{text}");
}

#[tokio::test]
async fn nothing_is_recorded_unless_asked_for() {
    let broker = Broker::start().await.unwrap();
    let client = Client::builder(broker.url()).connection_name("client").connect().await.unwrap();
    let connection = broker.connection("client").unwrap();
    assert_eq!(connection.frames(), []);
    assert!(broker.stats().frames_received >= 5);
    client.close().await;
}

#[tokio::test]
async fn what_passes_is_counted() {
    let stage = Stage::new().await;
    for _ in 0..3 {
        stage.client.call("echo", "hello").await.unwrap();
    }
    stage.client.call("nobody", "hello").await.unwrap_err();
    stage.until(|broker| broker.stats().acknowledged == 3).await;
    let stats = stage.broker.stats();
    assert_eq!((stats.connections_accepted, stats.connections_open), (2, 2));
    // Each request, each reply.
    assert_eq!((stats.published, stats.delivered, stats.returned), (7, 6, 1));
    assert_eq!((stats.queues, stats.ready, stats.unacknowledged), (1, 0, 0));

    // What was recorded is what was counted.
    let frames: Vec<_> =
        stage.broker.connections().iter().flat_map(ConnectionHandle::frames).collect();
    let from_clients =
        frames.iter().filter(|frame| frame.direction == Direction::FromClient).count();
    assert_eq!(stats.frames_received, from_clients as u64);
    assert_eq!(stats.frames_sent, (frames.len() - from_clients) as u64);

    stage.client.close().await;
    stage.server.shutdown().await.unwrap();
    stage.broker.until(|broker| broker.stats().connections_open == 0).await;
    assert_eq!(stage.broker.stats().published, 7);
}

#[tokio::test]
async fn a_queue_tells_what_it_holds() {
    let broker = Broker::start().await.unwrap();
    assert_eq!(broker.queue("slow"), None);
    let server = leveret::Server::builder(broker.url())
        .prefetch(2)
        .handle(Queue::new("slow"), |_: leveret::Request| std::future::pending::<Result<(), _>>())
        .shutdown_timeout(std::time::Duration::ZERO)
        .start()
        .await
        .unwrap();
    let client = Client::connect(&broker.url()).await.unwrap();
    let calls: Vec<_> = (0..5)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.call("slow", "").await })
        })
        .collect();
    let held = |broker: &Broker| {
        let queue = broker.queue("slow").unwrap();
        (queue.ready, queue.unacknowledged, queue.consumers)
    };
    patiently(broker.until(|broker| held(broker) == (3, 2, 1))).await;
    let stats = broker.stats();
    assert_eq!((stats.queues, stats.ready, stats.unacknowledged), (1, 3, 2));

    server.shutdown().await.unwrap_err();
    patiently(broker.until(|broker| held(broker) == (5, 0, 0))).await;
    client.close().await;
    for call in calls {
        call.await.unwrap().unwrap_err();
    }
}

#[tokio::test]
async fn a_connection_needs_no_socket() {
    let broker = Broker::start().await.unwrap();
    let mut stream = broker.connect();
    stream.write_all(b"AMQP\0\0\x09\x01").await.unwrap();
    let mut head = [0; 11];
    patiently(stream.read_exact(&mut head)).await.unwrap();
    assert_eq!((&head[..3], &head[7..]), (&[1, 0, 0][..], &[0, 10, 0, 10][..]));
    drop(stream);
    patiently(broker.until(|broker| broker.stats().connections_open == 0)).await;
}

#[tokio::test]
async fn octets_are_counted_by_connection() {
    let stage = Stage::new().await;
    let octets =
        |connection: &ConnectionHandle| (connection.octets_received(), connection.octets_sent());
    let (server, client) = (octets(&stage.of_server()), octets(&stage.of_client()));
    let stats = stage.broker.stats();
    assert_eq!(server.0 + client.0, stats.octets_received);
    assert_eq!(server.1 + client.1, stats.octets_sent);
    assert!(stage.client.call("nobody", "hello").await.is_err());
    let more = octets(&stage.of_client());
    assert!(more.0 > client.0 && more.1 > client.1, "{client:?} {more:?}");
    assert_eq!(octets(&stage.of_server()), server);
}

/// All of them, in their order, and then the end.
#[tokio::test]
async fn octets_are_seen_as_they_pass() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let own = Arc::clone(&seen);
    let broker = Broker::builder()
        .record_frames()
        .on_octets(move |connection, direction, octets| {
            own.lock().unwrap().push((connection, direction, octets.to_vec()));
        })
        .start()
        .await
        .unwrap();
    let first = Client::connect(broker.url()).await.unwrap();
    let second = Client::builder(broker.url()).connection_name("second").connect().await.unwrap();
    assert!(second.call("nobody", "hello").await.is_err());
    second.close().await;
    let ends = [(2, Direction::FromClient, vec![]), (2, Direction::ToClient, vec![])];
    patiently(broker.until(|_| seen.lock().unwrap().ends_with(&ends))).await;
    first.close().await;

    let seen = seen.lock().unwrap().clone();
    for direction in [Direction::FromClient, Direction::ToClient] {
        let mut octets: BytesMut = seen
            .iter()
            .filter(|(connection, way, _)| (*connection, *way) == (2, direction))
            .flat_map(|(_, _, octets)| octets)
            .collect();
        if direction == Direction::FromClient {
            assert_eq!(octets.split_to(8), b"AMQP\x00\x00\x09\x01"[..]);
        }
        let mut frames = Vec::new();
        while let Some(frame) = Frame::decode(&mut octets, 131_072).unwrap() {
            frames.push(frame);
        }
        assert!(octets.is_empty(), "{octets:?}");
        let all = broker.connection("second").unwrap().frames();
        let recorded = all.into_iter().filter(|frame| frame.direction == direction);
        assert_eq!(frames, recorded.map(|frame| frame.frame).collect::<Vec<_>>());
        assert!(frames.len() > 5, "{frames:?}");
    }
}

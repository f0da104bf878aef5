//! No socket at all, a broker that is full, and messages that turn in circles.

use leveret::broker::Broker;
use leveret::{CallError, Client, Queue, Request, Server};

use super::patiently;

const URL: &str = "amqp://guest:guest@nowhere";

#[tokio::test]
async fn client_and_server_meet_without_a_socket() {
    let broker = Broker::start().await.unwrap();
    let server = Server::builder(URL)
        .handle("echo", |request: Request| async move { Ok(request.into_body()) })
        .start_over(broker.connect())
        .await
        .unwrap();
    let client = Client::builder(URL).connect_over(broker.connect()).await.unwrap();
    for size in [0, 1, 1_000_000] {
        let body = vec![0x5a; size];
        assert_eq!(client.call("echo", body.clone()).await.unwrap().body, body);
    }
    client.close().await;
    server.shutdown().await.unwrap();
}

/// What nobody takes fills the broker, which holds back who publishes until somebody does.
#[tokio::test]
async fn a_full_broker_blocks_publishers_until_there_is_room() {
    let broker = Broker::builder().memory_limit(10_000).start().await.unwrap();
    let queue = || Queue::new("slow");
    let echo = |request: Request| async move { Ok(request.into_body()) };
    Server::builder(broker.url())
        .handle(queue(), echo)
        .start()
        .await
        .unwrap()
        .shutdown()
        .await
        .unwrap();

    let client = Client::connect(broker.url()).await.unwrap();
    let calls: Vec<_> = (0..3u8)
        .map(|number| {
            let client = client.clone();
            tokio::spawn(async move { client.call("slow", vec![number; 6_000]).await })
        })
        .collect();
    let blocked = async {
        while client.blocked().is_none() {
            tokio::task::yield_now().await;
        }
    };
    patiently(blocked).await;
    assert_eq!(client.blocked().as_deref(), Some("low on memory"));
    let late = client.request("slow").timeout(std::time::Duration::from_millis(50)).send().await;
    assert!(matches!(late, Err(CallError::Timeout { .. })), "{late:?}");

    let server = Server::builder(broker.url()).handle(queue(), echo).start().await.unwrap();
    for (number, call) in (0..3u8).zip(calls) {
        let reply = patiently(call).await.unwrap().unwrap();
        assert_eq!(reply.body, vec![number; 6_000]);
    }
    assert_eq!(client.blocked(), None);
    client.close().await;
    server.shutdown().await.unwrap();
}

/// A client that does not read gets no more than a little; the rest waits in the queue, for others.
#[tokio::test]
async fn a_client_that_does_not_read_is_not_sent_everything() {
    let broker = Broker::start().await.unwrap();
    let stage = Server::builder(broker.url())
        .connection_name("deaf")
        .prefetch(0)
        .handle("queue", |request: Request| async move { Ok(request.into_body()) })
        .start()
        .await
        .unwrap();
    broker.connection("deaf").unwrap().stall_writes();

    let client = Client::connect(broker.url()).await.unwrap();
    let calls: Vec<_> = (0..40)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.call("queue", vec![0; 100_000]).await })
        })
        .collect();
    patiently(broker.until(|broker| broker.stats().published == 40)).await;
    let waiting = broker.queue("queue").unwrap().ready;
    assert!((20..=35).contains(&waiting), "{waiting} of 4 MB wait, and about one is sent");

    broker.connection("deaf").unwrap().resume_writes();
    for call in calls {
        assert_eq!(patiently(call).await.unwrap().unwrap().body.len(), 100_000);
    }
    client.close().await;
    stage.shutdown().await.unwrap();
}

/// Two queues lead to each other and keep nothing: what goes in dies, and the broker does not.
#[tokio::test]
async fn a_circle_of_dead_letters_ends() {
    let broker = Broker::start().await.unwrap();
    let to = |name: &'static str, other: &'static str| {
        Queue::new(name)
            .argument("x-message-ttl", 0)
            .argument("x-dead-letter-exchange", "")
            .argument("x-dead-letter-routing-key", other)
    };
    let nothing = |_: Request| async move { Ok(()) };
    let server = Server::builder(broker.url())
        .handle(to("one", "two"), nothing)
        .handle(to("two", "one"), nothing)
        .start()
        .await
        .unwrap();
    server.shutdown().await.unwrap();

    let client = Client::connect(broker.url()).await.unwrap();
    let call = client.request("one").timeout(std::time::Duration::from_millis(50)).send();
    assert!(matches!(call.await, Err(CallError::Timeout { .. })));
    for queue in ["one", "two"] {
        assert_eq!(broker.queue(queue).unwrap().ready, 0, "{queue}");
    }
    client.close().await;
}

/// Whatever makes room ends the alarm.
#[tokio::test]
async fn a_queue_that_is_deleted_makes_room() {
    let broker = Broker::builder().memory_limit(10_000).start().await.unwrap();
    let echo = |request: Request| async move { Ok(request.into_body()) };
    let server = Server::builder(broker.url()).handle("full", echo).start().await.unwrap();
    server.shutdown().await.unwrap();
    let server = Server::builder(broker.url()).handle("free", echo).start().await.unwrap();
    let client = Client::connect(broker.url()).await.unwrap();
    // One to fill it, and one more to be blocked.
    let lost = [20_000, 1].map(|size| {
        let client = client.clone();
        tokio::spawn(async move { client.call("full", vec![0; size]).await })
    });
    let blocked = async {
        while client.blocked().is_none() {
            tokio::task::yield_now().await;
        }
    };
    patiently(blocked).await;
    let waits = client.call("free", "hello");
    assert!(broker.delete_queue("full"));
    assert_eq!(patiently(waits).await.unwrap().body, "hello");
    lost.iter().for_each(tokio::task::JoinHandle::abort);
    client.close().await;
    server.shutdown().await.unwrap();
}

//! Queues that are lost, gone or shared.

use std::time::Duration;

use leveret::{CallError, Client, Queue, Request, ShortStr};
use leveret_codec::queue as queue_method;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::support::broker::{Broker, unique};
use crate::support::service::{client, echo, echo_server, end, queue, server};

const PATIENCE: Duration = Duration::from_secs(10);

/// Calls until the queue is there.
async fn call_until_routed(client: &Client, name: &str) -> leveret::Reply {
    let calls = async {
        loop {
            match client.call(name, "hello").await {
                Err(CallError::Unroutable { .. }) => tokio::task::yield_now().await,
                result => return result.unwrap(),
            }
        }
    };
    timeout(PATIENCE, calls).await.unwrap()
}

/// The broker cancels the consumer. The server makes the queue and its consumer anew; a cancel-ok
/// would be a 503 up to RabbitMQ 4.2.
#[tokio::test]
async fn item_38_a_deleted_queue_is_declared_and_consumed_again() {
    let broker = Broker::shared().await;
    let (server, name) = echo_server("deleted").await;
    let client = client().await;
    client.call(&name, "before").await.unwrap();

    let mut wire = broker.channel().await;
    let delete =
        queue_method::Delete { queue: ShortStr::try_from(&*name).unwrap(), ..Default::default() };
    wire.call::<queue_method::DeleteOk>(1, delete).await;
    wire.close().await;

    assert_eq!(call_until_routed(&client, &name).await.body, "hello");
    assert_eq!(server.stats().cancelled_by_broker, 1);
    end(client, server).await;
}

/// The server goes without a word, and the broker gives its request to another.
#[tokio::test]
async fn item_36_a_server_that_dies_leaves_its_request_to_another() {
    let _broker = Broker::shared().await;
    let (name, queue) = queue("dies");
    let (started, mut starts) = mpsc::unbounded_channel();
    // A runtime of its own, so that it can be taken away under the server.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let first = runtime
        .spawn(async move {
            server()
                .handle(queue, move |_: Request| {
                    let started = started.clone();
                    async move {
                        started.send(())?;
                        std::future::pending::<()>().await;
                        Ok(())
                    }
                })
                .start()
                .await
                .unwrap()
        })
        .await
        .unwrap();
    let client = client().await;
    let call = tokio::spawn({
        let (client, name) = (client.clone(), name.clone());
        async move { client.call(name, "do it").await.unwrap() }
    });
    starts.recv().await.unwrap();
    runtime.shutdown_background();
    let stopped = timeout(PATIENCE, first.stopped()).await.unwrap().unwrap_err();
    assert!(stopped.to_string().contains("its runtime"), "{stopped}");

    let second = server()
        .handle(Queue::new(&name).passive(), |request: Request| async move {
            Ok(format!("redelivered: {}", request.redelivered))
        })
        .start()
        .await
        .unwrap();
    assert_eq!(call.await.unwrap().text(), Ok("redelivered: true"));
    end(client, second).await;
}

/// Queues are durable unless told otherwise: RabbitMQ 4.3 deprecates those that are neither durable
/// nor exclusive, and still makes them.
#[tokio::test]
async fn item_40_queues_are_durable_unless_told() {
    let broker = Broker::shared().await;
    let (durable, name) = echo_server("durable").await;
    let mut wire = broker.channel().await;
    let queue = ShortStr::try_from(&*name).unwrap();
    wire.send(1, queue_method::Declare { queue, ..Default::default() }).await;
    let close: leveret_codec::channel::Close = wire.expect(1).await;
    let text = close.reply_text.to_string();
    assert!(text.contains("inequivalent arg 'durable'"), "{text}");
    wire.hang_up();
    durable.shutdown().await.unwrap();

    let transient = unique("transient").to_string();
    for queue in [
        Queue::new(&transient).durable(false).auto_delete(),
        Queue::new(unique("exclusive").to_string()).durable(false).exclusive(),
    ] {
        server().handle(queue, echo).start().await.unwrap().shutdown().await.unwrap();
    }
}

/// Two servers of one queue, each working on one request at a time, share the work.
#[tokio::test]
async fn item_34_servers_share_a_queue() {
    let _broker = Broker::shared().await;
    let (name, queue) = queue("shared");
    let first = server().prefetch(1).handle(queue.clone(), echo).start().await.unwrap();
    let second = server().prefetch(1).handle(queue, echo).start().await.unwrap();
    let client = client().await;
    for _ in 0..20 {
        client.call(&name, "x").await.unwrap();
    }
    assert_eq!((first.stats().requests, second.stats().requests), (10, 10));
    client.close().await;
    first.shutdown().await.unwrap();
    second.shutdown().await.unwrap();
}

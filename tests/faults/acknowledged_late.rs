//! A handler takes longer than the broker waits for its acknowledgement.

use std::sync::Arc;
use std::time::Duration;

use leveret::{Client, Queue, Request, Server};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::broker::Cluster;

const PATIENCE: Duration = Duration::from_secs(60);

/// How long the broker waits, and how long the handler takes.
const LIMITS: &str = "application:set_env(rabbit, consumer_timeout, 3000), \
     application:set_env(rabbit, channel_tick_interval, 500), \
     application:set_env(rabbit, quorum_tick_interval, 500).";
const LONG: Duration = Duration::from_secs(5);
const DEFAULTS: &str = "application:set_env(rabbit, consumer_timeout, 1800000), \
     application:set_env(rabbit, channel_tick_interval, 60000), \
     application:set_env(rabbit, quorum_tick_interval, 5000).";

/// The broker delivers the request again, by closing the channel or, from 4.3 on, by cancelling the
/// consumer. The first handler's reply arrives all the same, its acknowledgement is not sent, and
/// neither the connection nor the other queues of the server are harmed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a broker to disturb: cargo xtask faults"]
async fn a_handler_that_is_too_slow_for_the_broker_answers_its_caller() {
    let cluster = Cluster::own();
    let (node, url) = (&cluster.nodes[0], cluster.url(0));
    let limits = node.set_limits(LIMITS, DEFAULTS).await;

    let first_has_ended = Arc::new(Semaphore::new(0));
    let ended = Arc::clone(&first_has_ended);
    let slow = move |request: Request| {
        let ended = Arc::clone(&ended);
        async move {
            if request.redelivered {
                let _permit = ended.acquire().await?;
                return Ok("again");
            }
            sleep(LONG).await;
            ended.add_permits(1);
            Ok("the first time")
        }
    };
    let queue = Queue::new("leveret.late").argument("x-queue-type", "quorum");
    let server = Server::builder(&url)
        .handle(queue, slow)
        .handle("leveret.beside", |request: Request| async move { Ok(request.into_body()) })
        .start()
        .await
        .unwrap();
    let client = Client::connect(&url).await.unwrap();
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.request("leveret.late").timeout(PATIENCE).send().await }
    });
    let mut beside = 0;
    while !call.is_finished() {
        let reply = client.request("leveret.beside").body("unharmed").timeout(LONG).send().await;
        assert_eq!(reply.unwrap().body, "unharmed");
        beside += 1;
    }
    assert!(beside > 10, "{beside} calls beside it");
    assert_eq!(call.await.unwrap().unwrap().text(), Ok("the first time"));

    let stats = || server.stats();
    timeout(PATIENCE, async {
        while stats().running > 0 {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
    assert!(stats().redelivered >= 1, "{:?}", stats());
    assert!(stats().cancelled_by_broker + stats().channels_closed >= 1, "{:?}", stats());
    assert_eq!(stats().disconnects, 0, "{:?}", stats());
    assert_eq!(client.stats().disconnects, 0);
    client.close().await;
    server.shutdown().await.unwrap();
    node.ctl(&["delete_queue", "leveret.late"]).await;
    node.ctl(&["delete_queue", "leveret.beside"]).await;
    limits.apply().await;
}

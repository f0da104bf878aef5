//! Many calls at a time, and calls that nobody waits for any more.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use leveret::{CallError, Client, Fault, Outcome, Request};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::support::service::{Random, client, echo_server, end, queue, server};

const TASKS: u64 = 200;
const CALLS_A_TASK: u64 = 50;

/// Answers with the body after a time that differs from request to request, so that replies come
/// in another order than their requests.
async fn echo_after_a_while(request: Request) -> Result<bytes::Bytes, Fault> {
    static SEED: AtomicU64 = AtomicU64::new(1);
    let mut random = Random(SEED.fetch_add(1, Ordering::Relaxed));
    sleep(Duration::from_micros(random.below(20_000))).await;
    Ok(request.into_body())
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_calls_from_200_tasks_get_their_own_replies() {
    let (name, queue) = queue("many");
    let server = server().handle(queue, echo_after_a_while).prefetch(256).start().await.unwrap();
    let client = client().await;
    call_from_tasks(&client, &name, TASKS, CALLS_A_TASK).await;

    let stats = client.stats();
    assert_eq!((stats.calls, stats.replies), (TASKS * CALLS_A_TASK, TASKS * CALLS_A_TASK));
    assert_eq!((stats.pending, stats.late_replies, stats.unknown_replies), (0, 0, 0));
    assert_eq!(server.stats().requests, TASKS * CALLS_A_TASK);
    end(client, server).await;
}

/// Each of so many tasks makes so many calls, one after the other, and each gets its own reply.
pub(crate) async fn call_from_tasks(client: &Client, name: &str, tasks: u64, calls_a_task: u64) {
    let mut set = JoinSet::new();
    for task in 0..tasks {
        let (client, name) = (client.clone(), name.to_owned());
        set.spawn(async move {
            for call in 0..calls_a_task {
                let body = format!("call {call} of task {task}");
                let reply = client.call(&name, body.clone()).await.unwrap();
                assert_eq!(reply.text(), Ok(&*body));
            }
        });
    }
    while let Some(result) = set.join_next().await {
        result.unwrap();
    }
}

/// One call in ten is dropped at a moment between "not sent yet" and "the reply is there".
#[tokio::test(flavor = "multi_thread")]
async fn dropped_calls_leave_nothing_behind() {
    let (name, queue) = queue("dropped");
    let server = server().handle(queue, echo_after_a_while).prefetch(256).start().await.unwrap();
    let client = client().await;

    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let (client, name) = (client.clone(), name.clone());
        tasks.spawn(async move {
            let mut random = Random(task);
            for call in 0..CALLS_A_TASK {
                let body = format!("call {call} of task {task}");
                let patience = match random.below(10) {
                    0 => Duration::from_micros(random.below(25_000)),
                    _ => Duration::from_secs(30),
                };
                if let Ok(reply) = timeout(patience, client.call(&name, body.clone())).await {
                    assert_eq!(reply.unwrap().text(), Ok(&*body));
                }
            }
        });
    }
    while let Some(result) = tasks.join_next().await {
        result.unwrap();
    }

    let stats = client.stats();
    assert!(stats.dropped > TASKS * CALLS_A_TASK / 40, "{stats:?}");
    assert_eq!(stats.replies + stats.dropped, stats.calls);
    assert_eq!((stats.pending, stats.waiting), (0, 0));

    // The replies to dropped calls come, are counted, and disturb nobody. The server answers
    // everything before it ends, and what it has sent is there before the reply to a last call.
    let server_requests = server.stats().requests;
    server.shutdown().await.unwrap();
    assert!(server_requests <= stats.calls);
    let late = client.stats().late_replies;
    assert!(late <= stats.dropped, "{late} late replies to {} dropped calls", stats.dropped);
    client.close().await;
}

#[tokio::test]
async fn item_33_a_call_to_a_queue_that_does_not_exist_fails_at_once() {
    let client = client().await;
    let began = Instant::now();
    let error = client.call("leveret-test.nowhere", "hello").await.unwrap_err();
    let took = began.elapsed();

    assert_eq!(
        error.to_string(),
        "no queue takes the request: there is no queue \"leveret-test.nowhere\": 312 NO_ROUTE"
    );
    assert_eq!(error.outcome(), Outcome::NotExecuted);
    assert!(took < Duration::from_millis(100), "it took {took:?}");
    assert_eq!(client.stats().pending, 0);
    client.close().await;
}

/// A reply that comes when its caller has given up is counted and dropped, also a second one.
#[tokio::test]
async fn item_24_a_late_reply_is_counted_and_dropped() {
    let (name, queue) = queue("late");
    let (go, wait) = tokio::sync::watch::channel(false);
    let server = server()
        .handle(queue, move |request: Request| {
            let mut wait = wait.clone();
            async move {
                if request.body == "slow" {
                    wait.wait_for(|go| *go).await?;
                }
                Ok(request.into_body())
            }
        })
        .start()
        .await
        .unwrap();
    let client = client().await;

    let call = client.request(&name).body("slow").timeout(Duration::from_millis(200)).send();
    let error = call.await.unwrap_err();
    assert!(matches!(error, CallError::Timeout { written: true, .. }), "{error:?}");
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert_eq!(client.stats().late_replies, 0);

    // The server answers the slow request, then one more; replies of one channel keep their order.
    go.send(true).unwrap();
    while client.stats().late_replies == 0 {
        assert_eq!(client.call(&name, "quick").await.unwrap().body, "quick");
    }
    assert_eq!(client.stats().late_replies, 1);
    assert_eq!(client.stats().unknown_replies, 0);
    end(client, server).await;
}

#[tokio::test]
async fn a_call_on_its_own_channel_gives_the_channel_back() {
    let (server, name) = echo_server("own-channel").await;
    let client = client().await;
    // More calls in turn than the connection has channels.
    for round in 0..2100 {
        let body = format!("round {round}");
        let call = client.request(&name).body(body.clone()).own_channel().send();
        assert_eq!(call.await.unwrap().text(), Ok(&*body));
    }
    // And many at a time beside the shared one.
    let mut tasks = JoinSet::new();
    for task in 0..100 {
        let (client, name) = (client.clone(), name.clone());
        tasks.spawn(async move {
            let body = format!("task {task}");
            let mut request = client.request(&name).body(body.clone());
            if task % 2 == 0 {
                request = request.own_channel();
            }
            assert_eq!(request.send().await.unwrap().text(), Ok(&*body));
        });
    }
    while let Some(result) = tasks.join_next().await {
        result.unwrap();
    }
    assert_eq!(client.stats().pending, 0);
    end(client, server).await;
}

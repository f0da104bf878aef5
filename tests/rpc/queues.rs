//! Servers and their queues: several, as they are, declared with arguments, limited, dead-lettered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use leveret::{CallError, Queue, Request};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::support::service::{client, echo, echo_server, end, queue, server};

#[tokio::test]
async fn one_server_serves_several_queues() {
    let (upper, upper_queue) = queue("upper");
    let (lower, lower_queue) = queue("lower");
    let server = server()
        .handle(upper_queue, |request: Request| async move { Ok(request.text()?.to_uppercase()) })
        .handle(lower_queue, |request: Request| async move { Ok(request.text()?.to_lowercase()) })
        .start()
        .await
        .unwrap();
    let client = client().await;
    let (upper, lower) = tokio::join!(client.call(upper, "Hare"), client.call(lower, "Hare"));
    assert_eq!((upper.unwrap().text(), lower.unwrap().text()), (Ok("HARE"), Ok("hare")));
    end(client, server).await;
}

#[tokio::test]
async fn a_queue_that_exists_is_served_as_it_is() {
    let (first, name) = echo_server("existing").await;
    first.shutdown().await.unwrap();

    let second = server().handle(Queue::new(&name).passive(), echo).start().await.unwrap();
    let client = client().await;
    assert_eq!(client.call(&name, "still here").await.unwrap().body, "still here");
    end(client, second).await;
}

#[tokio::test]
async fn a_quorum_queue_is_declared_and_served() {
    let (name, queue) = queue("quorum");
    let queue = queue.argument("x-queue-type", "quorum");
    let server = server().handle(queue, echo).start().await.unwrap();
    let client = client().await;
    assert_eq!(client.call(&name, "hello").await.unwrap().body, "hello");
    end(client, server).await;
}

/// No more handlers run than the prefetch allows, and as many as that do.
#[tokio::test(flavor = "multi_thread")]
async fn item_34_prefetch_limits_the_handlers_that_run() {
    const PREFETCH: usize = 5;
    let (name, queue) = queue("prefetch");
    let running = Arc::new(AtomicUsize::new(0));
    let gate = Arc::new(Semaphore::new(0));
    let (started, mut starts) = mpsc::unbounded_channel();
    let handler_gate = Arc::clone(&gate);
    let server = server()
        .prefetch(5)
        .handle(queue, move |request: Request| {
            let (running, gate) = (Arc::clone(&running), Arc::clone(&handler_gate));
            let started = started.clone();
            async move {
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                started.send(now)?;
                gate.acquire().await?.forget();
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(request.into_body())
            }
        })
        .start()
        .await
        .unwrap();
    let client = client().await;

    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let (client, name) = (client.clone(), name.clone());
        calls.spawn(async move { client.call(name, "x").await });
    }
    let mut most = 0;
    for _ in 0..PREFETCH {
        most = most.max(starts.recv().await.unwrap());
    }
    assert_eq!(most, PREFETCH, "they run at the same time");
    for _ in PREFETCH..20 {
        // Each that is let go makes room for exactly one.
        gate.add_permits(1);
        most = most.max(starts.recv().await.unwrap());
    }
    gate.add_permits(PREFETCH);
    while let Some(result) = calls.join_next().await {
        result.unwrap().unwrap();
    }
    assert_eq!(most, PREFETCH);
    end(client, server).await;
}

/// The caller learns of the panic, the server survives, and the request is kept for inspection.
#[tokio::test]
async fn a_panic_becomes_a_fault_and_a_dead_letter() {
    let (dead, dead_queue) = queue("dead");
    let (name, live_queue) = queue("panics");
    let live_queue = live_queue
        .argument("x-dead-letter-exchange", "")
        .argument("x-dead-letter-routing-key", leveret::LongStr::try_from(&*dead).unwrap());
    let (letters, mut dead_letters) = mpsc::unbounded_channel();
    let server = server()
        .handle(dead_queue, move |request: Request| {
            let letters = letters.clone();
            async move { Ok(letters.send(request)?) }
        })
        .handle(live_queue, |request: Request| async move {
            assert_ne!(request.body, "boom", "this request is explosive");
            Ok(request.into_body())
        })
        .start()
        .await
        .unwrap();
    let client = client().await;

    let CallError::Fault(fault) = client.call(&name, "boom").await.unwrap_err() else {
        panic!("no fault")
    };
    assert_eq!(fault.code(), "panic");
    assert!(fault.message().contains("this request is explosive"), "{fault}");

    let letter = dead_letters.recv().await.unwrap();
    assert_eq!(letter.body, "boom");
    assert_eq!(client.call(&name, "calm").await.unwrap().body, "calm");
    assert_eq!(server.stats().panics, 1);
    end(client, server).await;
}

/// A request that waited in its queue for longer than its caller did is not run.
#[tokio::test]
async fn item_37_a_request_whose_caller_has_given_up_is_not_run() {
    let (first, name) = echo_server("expired").await;
    first.shutdown().await.unwrap();
    let client = client().await;
    let call = client.request(&name).body("old").timeout(Duration::from_millis(100)).send();
    let error = call.await.unwrap_err();
    assert!(matches!(error, CallError::Timeout { .. }), "{error:?}");

    let server = server().handle(Queue::new(&name).passive(), echo).start().await.unwrap();
    assert_eq!(client.call(&name, "new").await.unwrap().body, "new");
    assert_eq!(server.stats().requests, 1);
    end(client, server).await;
}

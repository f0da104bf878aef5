//! Beginning and end of clients and servers.

use std::time::Duration;

use leveret::{CallError, Outcome, Queue, Request, SessionError};
use tokio::sync::{Notify, mpsc};

use crate::support::service::{client, echo, echo_server, queue, server};

/// Running handlers finish and their replies arrive; what has not begun is left to others.
#[tokio::test]
async fn shutdown_finishes_what_runs_and_leaves_the_rest() {
    let (name, queue) = queue("shutdown");
    let (started, mut starts) = mpsc::unbounded_channel();
    let release: &'static Notify = Box::leak(Box::default());
    let first = server()
        .prefetch(1)
        .handle(queue, move |request: Request| {
            let started = started.clone();
            async move {
                started.send(())?;
                release.notified().await;
                Ok(format!("first did {}", request.text()?))
            }
        })
        .start()
        .await
        .unwrap();
    let client = client().await;
    let call = |body: &'static str| {
        let (client, name) = (client.clone(), name.clone());
        tokio::spawn(async move { client.call(name, body).await.unwrap() })
    };
    let running = call("running");
    starts.recv().await.unwrap();
    let waiting = call("waiting");

    let shutdown = tokio::spawn(first.shutdown());
    // A second server takes what the first has not begun.
    let second = server()
        .handle(Queue::new(&name).passive(), |request: Request| async move {
            Ok(format!("second did {}", request.text()?))
        })
        .start()
        .await
        .unwrap();
    assert_eq!(waiting.await.unwrap().text(), Ok("second did waiting"));
    release.notify_one();
    assert_eq!(running.await.unwrap().text(), Ok("first did running"));
    shutdown.await.unwrap().unwrap();
    client.close().await;
    second.shutdown().await.unwrap();
}

/// A handler that does not end is aborted, and its request goes to another server.
#[tokio::test]
async fn item_36_shutdown_is_bounded_and_the_request_is_redelivered() {
    let (name, queue) = queue("bounded");
    let (started, mut starts) = mpsc::unbounded_channel();
    let first = server()
        .shutdown_timeout(Duration::from_millis(100))
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
        .unwrap();
    let client = client().await;
    let call = tokio::spawn({
        let (client, name) = (client.clone(), name.clone());
        async move { client.call(name, "again").await.unwrap() }
    });
    starts.recv().await.unwrap();
    let aborted = first.shutdown().await.unwrap_err();
    assert_eq!(aborted, SessionError::HandlersAborted { handlers: 1, replies: 0 });

    let second = server()
        .handle(Queue::new(&name).passive(), |request: Request| async move {
            Ok(format!("redelivered: {}", request.redelivered))
        })
        .start()
        .await
        .unwrap();
    assert_eq!(call.await.unwrap().text(), Ok("redelivered: true"));
    assert_eq!(second.stats().redelivered, 1);
    client.close().await;
    second.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_closed_client_says_so() {
    let (server, name) = echo_server("closed").await;
    let client = client().await;
    client.call(&name, "before").await.unwrap();
    client.close().await;
    let error = client.call(&name, "after").await.unwrap_err();
    assert_eq!(error, CallError::Closed { written: false });
    assert_eq!(error.outcome(), Outcome::NotExecuted);
    client.close().await;
    server.shutdown().await.unwrap();
}

/// Without `close`, too, the connection ends in good order: the broker's log shows it.
#[tokio::test]
async fn dropping_the_last_clone_closes_the_connection() {
    let (server, name) = echo_server("drop").await;
    let first = client().await;
    let second = first.clone();
    drop(first);
    assert_eq!(second.call(&name, "still open").await.unwrap().body, "still open");
    drop(second);

    // The server, dropped, ends too, and its queue goes to the next one.
    drop(server);
    let server = server_on(&name).await;
    let client = client().await;
    assert_eq!(client.call(&name, "next").await.unwrap().body, "next");
    client.close().await;
    server.shutdown().await.unwrap();
}

async fn server_on(name: &str) -> leveret::Server {
    server().handle(Queue::new(name).passive(), echo).start().await.unwrap()
}

#[tokio::test]
async fn item_2_the_broker_introduces_itself() {
    let client = client().await;
    let properties = client.server_properties();
    assert_eq!(properties.get("product").unwrap().as_str(), Some("RabbitMQ"));
    let version = properties.get("version").unwrap();
    assert!(version.as_str().unwrap().starts_with(['3', '4']), "{version:?}");
    client.close().await;
}

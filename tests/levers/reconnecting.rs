//! Clients and servers that outlive their connections, as their users see them.

use std::sync::Arc;
use std::time::Duration;

use leveret::broker::Broker;
use leveret::{
    CallError, Client, ConnectionState, Outcome, Queue, Reconnect, Request, Retry, Server,
    ServerBuilder, SessionError,
};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use super::patiently;

async fn client(broker: &Broker) -> Client {
    Client::builder(broker.url()).connection_name("client").connect().await.unwrap()
}

async fn echo(broker: &Broker) -> Server {
    Server::builder(broker.url())
        .connection_name("server")
        .handle(Queue::new("echo"), |request: Request| async move { Ok(request.into_body()) })
        .start()
        .await
        .unwrap()
}

async fn until_connected(state: &mut watch::Receiver<ConnectionState>) {
    patiently(state.wait_for(|state| *state == ConnectionState::Connected)).await.unwrap();
}

async fn until_lost(state: &mut watch::Receiver<ConnectionState>) {
    let is_lost = |state: &ConnectionState| matches!(state, ConnectionState::Reconnecting { .. });
    patiently(state.wait_for(is_lost)).await.unwrap();
}

/// For what shows at this end alone.
async fn until(condition: impl Fn() -> bool) {
    patiently(async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// A server whose handlers tell that they began, and end when they are told to.
struct Slow {
    server: Server,
    begun: mpsc::UnboundedReceiver<bool>,
    go: Arc<Semaphore>,
}

impl Slow {
    async fn start(broker: &Broker) -> Self {
        Self::configured(Server::builder(broker.url())).await
    }

    async fn configured(builder: ServerBuilder) -> Self {
        let (tell, begun) = mpsc::unbounded_channel();
        let go = Arc::new(Semaphore::new(0));
        let wait = Arc::clone(&go);
        let handler = move |request: Request| {
            let (tell, wait) = (tell.clone(), Arc::clone(&wait));
            async move {
                tell.send(request.redelivered)?;
                wait.acquire().await?.forget();
                Ok(request.into_body())
            }
        };
        let builder = builder.connection_name("server");
        let server = builder.handle("slow", handler).start().await.unwrap();
        Self { server, begun, go }
    }
}

#[tokio::test]
async fn calls_go_on_after_both_ends_have_lost_their_connections() {
    let broker = Broker::start().await.unwrap();
    let (client, server) = (client(&broker).await, echo(&broker).await);
    let (mut of_client, mut of_server) = (client.connection_state(), server.connection_state());
    assert_eq!(*of_client.borrow(), ConnectionState::Connected);
    for count in 1..=5 {
        broker.drop_connections();
        until_lost(&mut of_client).await;
        until_lost(&mut of_server).await;
        // A call need not wait for that: it does so by itself.
        let reply = patiently(client.call("echo", "hello")).await;
        // The queue is there before the server is.
        assert_eq!(reply.unwrap().body, "hello");
        until_connected(&mut of_server).await;
        assert_eq!((client.stats().disconnects, server.stats().disconnects), (count, count));
    }
    client.close().await;
    assert_eq!(*of_client.borrow(), ConnectionState::Closed { cause: None });
    server.shutdown().await.unwrap();
    assert_eq!(*of_server.borrow(), ConnectionState::Closed { cause: None });
}

#[tokio::test]
async fn calls_under_way_fail_at_once_and_say_that_they_may_have_run() {
    let broker = Broker::start().await.unwrap();
    let (client, mut slow) = (client(&broker).await, Slow::start(&broker).await);
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.call("slow", "hello").await }
    });
    assert_eq!(patiently(slow.begun.recv()).await, Some(false));
    broker.connection("client").unwrap().drop_now();
    let error = patiently(call).await.unwrap().unwrap_err();
    assert!(matches!(error, CallError::Disconnected { written: true, .. }), "{error:?}");
    assert_eq!(error.outcome(), Outcome::Unknown);
    slow.go.add_permits(9);
    slow.server.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_handler_that_ends_on_another_connection_still_answers_its_caller() {
    let broker = Broker::start().await.unwrap();
    let (client, mut slow) = (client(&broker).await, Slow::start(&broker).await);
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.call("slow", "hello").await }
    });
    assert_eq!(patiently(slow.begun.recv()).await, Some(false));
    let mut state = slow.server.connection_state();
    broker.connection("server").unwrap().drop_now();
    until_lost(&mut state).await;
    until_connected(&mut state).await;
    assert_eq!(patiently(slow.begun.recv()).await, Some(true), "the broker delivers it again");
    slow.go.add_permits(9);
    assert_eq!(patiently(call).await.unwrap().unwrap().body, "hello");
    patiently(broker.until(|broker| broker.stats().unacknowledged == 0)).await;
    slow.server.shutdown().await.unwrap();
    until(|| client.stats().late_replies == 1).await;
}

#[tokio::test]
async fn a_retry_hides_the_loss() {
    let broker = Broker::start().await.unwrap();
    let (client, mut slow) = (client(&broker).await, Slow::start(&broker).await);
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.request("slow").body("hello").retry(Retry::Unknown).send().await }
    });
    assert_eq!(patiently(slow.begun.recv()).await, Some(false));
    broker.connection("client").unwrap().drop_now();
    assert_eq!(patiently(slow.begun.recv()).await, Some(false), "another request");
    slow.go.add_permits(9);
    assert_eq!(patiently(call).await.unwrap().unwrap().body, "hello");
    assert_eq!(client.stats().retries, 1);
}

#[tokio::test]
async fn the_next_address_takes_over() {
    let [one, other] = [Broker::start().await.unwrap(), Broker::start().await.unwrap()];
    let url = format!("amqp://{},{}", one.address(), other.address());
    let client = Client::connect(&url).await.unwrap();
    let server = echo(&other).await;
    assert_eq!(other.stats().connections_open, 1, "the server's alone");
    let mut state = client.connection_state();
    drop(one);
    until_lost(&mut state).await;
    assert_eq!(patiently(client.call("echo", "hello")).await.unwrap().body, "hello");
    client.close().await;
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_address_without_a_broker_is_passed_over_and_all_of_them_are_named() {
    let broker = Broker::start().await.unwrap();
    let url = format!("amqp://127.0.0.1:1,{}", broker.address());
    Client::connect(&url).await.unwrap().close().await;
    let error = Client::connect("amqp://127.0.0.1:1,127.0.0.1:2").await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("none of 2 addresses will do: cannot reach 127.0.0.1:1: "), "{text}");
    assert!(text.contains("; cannot reach 127.0.0.1:2: "), "{text}");
}

#[tokio::test]
async fn a_client_drains() {
    let broker = Broker::start().await.unwrap();
    let (client, mut slow) = (client(&broker).await, Slow::start(&broker).await);
    let call = |client: &Client| {
        let client = client.clone();
        tokio::spawn(async move { client.call("slow", "hello").await })
    };
    let first = call(&client);
    patiently(slow.begun.recv()).await;
    let draining = tokio::spawn({
        let client = client.clone();
        async move { client.drain(Duration::from_secs(60)).await }
    });
    loop {
        match client.call("nobody", "hello").await {
            Err(CallError::Unroutable { .. }) => {}
            Err(CallError::Closed { written: false }) => break,
            other => panic!("{other:?}"),
        }
    }
    slow.go.add_permits(9);
    assert_eq!(patiently(first).await.unwrap().unwrap().body, "hello");
    assert_eq!(patiently(draining).await.unwrap(), 0);
}

#[tokio::test]
async fn a_client_drains_no_longer_than_it_is_to() {
    let broker = Broker::start().await.unwrap();
    let (client, mut slow) = (client(&broker).await, Slow::start(&broker).await);
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.call("slow", "hello").await }
    });
    patiently(slow.begun.recv()).await;
    assert_eq!(patiently(client.drain(Duration::from_millis(50))).await, 1);
    let error = patiently(call).await.unwrap().unwrap_err();
    assert_eq!(error, CallError::Closed { written: true });
    slow.go.add_permits(9);
}

/// A server that owes nothing ends without its broker; one that owes a reply tries to send it.
#[tokio::test]
async fn a_server_without_its_broker_shuts_down_in_time() {
    let broker = Broker::start().await.unwrap();
    let idle = echo(&broker).await;
    let (client, mut slow) = (client(&broker).await, Slow::start(&broker).await);
    let call = tokio::spawn(async move { client.call("slow", "hello").await });
    patiently(slow.begun.recv()).await;
    let mut states = [idle.connection_state(), slow.server.connection_state()];
    drop(broker);
    for state in &mut states {
        until_lost(state).await;
    }
    patiently(call).await.unwrap().unwrap_err();
    patiently(idle.shutdown()).await.unwrap();
    slow.go.add_permits(9);
    let stats = slow.server.stats();
    assert!(stats.running + stats.held == 1, "{stats:?}");
}

#[tokio::test]
async fn nothing_is_left_of_calls_that_were_dropped_while_there_was_no_broker() {
    let broker = Broker::start().await.unwrap();
    let client = client(&broker).await;
    let mut state = client.connection_state();
    drop(broker);
    until_lost(&mut state).await;
    let mut calls = JoinSet::new();
    for _ in 0..100 {
        let client = client.clone();
        calls.spawn(async move { client.call("echo", "hello").await });
    }
    until(|| client.stats().calls == 100).await;
    assert_eq!(client.stats().waiting, 100);
    calls.shutdown().await;
    let stats = client.stats();
    assert_eq!((stats.pending, stats.waiting, stats.dropped), (0, 0, 100));
    patiently(client.close()).await;
}

#[tokio::test]
async fn one_that_is_not_to_reconnect_ends() {
    let broker = Broker::start().await.unwrap();
    let builder = Client::builder(broker.url()).reconnect(Reconnect::never());
    let client = builder.connect().await.unwrap();
    broker.drop_connections();
    patiently(client.closed()).await.unwrap_err();
    let state = client.connection_state();
    assert!(matches!(*state.borrow(), ConnectionState::Closed { cause: Some(_) }));
}

// ---------------------------------------------------------------------- two connections

/// A server whose replies have a connection of their own.
async fn slow_with_two_connections(broker: &Broker) -> Slow {
    let builder = Server::builder(broker.url()).separate_reply_connection();
    Slow::configured(builder.shutdown_timeout(Duration::from_millis(100))).await
}

/// The first reply is what makes the broker stop reading. With one connection, its acknowledgement
/// waits behind it for the end of the alarm; with two, it does not.
#[tokio::test]
async fn an_alarm_holds_up_replies_and_with_a_second_connection_nothing_else() {
    for has_two in [false, true] {
        let broker = Broker::start().await.unwrap();
        let client = client(&broker).await;
        let mut slow = match has_two {
            true => slow_with_two_connections(&broker).await,
            false => Slow::start(&broker).await,
        };
        let mut calls = JoinSet::new();
        for _ in 0..2 {
            let client = client.clone();
            calls.spawn(async move { client.call("slow", "hello").await });
            patiently(slow.begun.recv()).await.unwrap();
        }
        broker.block("low on memory");
        slow.go.add_permits(1);
        let server = &slow.server;
        until(|| server.blocked().is_some()).await;
        slow.go.add_permits(1);
        if has_two {
            // The first reply was written; the second waits, and its request with it.
            patiently(broker.until(|broker| broker.stats().unacknowledged == 1)).await;
            assert_eq!(slow.server.stats().running, 1);
        } else {
            until(|| server.stats().running == 0).await;
            assert_eq!(broker.stats().unacknowledged, 2);
        }
        broker.unblock();
        while let Some(call) = patiently(calls.join_next()).await {
            assert_eq!(call.unwrap().unwrap().body, "hello");
        }
        patiently(broker.until(|broker| broker.stats().unacknowledged == 0)).await;
        slow.server.shutdown().await.unwrap();
        client.close().await;
        patiently(broker.until(|broker| broker.stats().connections_open == 0)).await;
    }
}

#[tokio::test]
async fn a_server_ends_in_time_while_its_replies_are_held_up() {
    let broker = Broker::start().await.unwrap();
    let client = client(&broker).await;
    let mut slow = slow_with_two_connections(&broker).await;
    let mut calls = JoinSet::new();
    for _ in 0..2 {
        let client = client.clone();
        calls.spawn(async move { client.call("slow", "hello").await });
        patiently(slow.begun.recv()).await.unwrap();
    }
    broker.block("low on memory");
    slow.go.add_permits(1);
    patiently(broker.until(|broker| broker.stats().unacknowledged == 1)).await;
    slow.go.add_permits(1);
    let error = patiently(slow.server.shutdown()).await.unwrap_err();
    assert_eq!(error, SessionError::HandlersAborted { handlers: 1, replies: 0 });
    patiently(broker.until(|broker| broker.stats().unacknowledged == 0)).await;
    assert_eq!(broker.queue("slow").unwrap().ready, 1, "it is for another server");
}

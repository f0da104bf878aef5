//! Several connections of one client or server: what is lost with one of them, and what is not.

use std::sync::Arc;
use std::time::Duration;

use leveret::broker::{Broker, ConnectionHandle};
use leveret::{
    CallError, Client, ClientBuilder, ConnectError, ConnectionState, Reconnect, Reply, Request,
    Server, ServerBuilder, SessionError,
};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinHandle, yield_now};

use super::patiently;

fn client_of(broker: &Broker, connections: usize) -> ClientBuilder {
    Client::builder(broker.url()).connection_name("client").connections(connections)
}

fn server_of(broker: &Broker, connections: usize) -> ServerBuilder {
    Server::builder(broker.url()).connection_name("server").connections(connections)
}

/// Those that are open, oldest first.
fn open(broker: &Broker, name: &str) -> Vec<ConnectionHandle> {
    let is_it =
        |it: &ConnectionHandle| it.is_open() && it.connection_name().as_deref() == Some(name);
    broker.connections().into_iter().filter(is_it).collect()
}

async fn until(condition: impl Fn() -> bool) {
    patiently(async {
        while !condition() {
            yield_now().await;
        }
    })
    .await;
}

async fn until_open(broker: &Broker, connections: usize) {
    patiently(broker.until(|broker| broker.stats().connections_open == connections)).await;
}

/// A broker, and a server of "held", whose handlers tell that they began and end when they are told
/// to, and of "echo".
struct Stage {
    broker: Broker,
    server: Server,
    begun: mpsc::UnboundedReceiver<()>,
    go: Arc<Semaphore>,
}

impl Stage {
    async fn new() -> Self {
        Self::configured(|builder| builder).await
    }

    async fn configured(configure: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let broker = Broker::start().await.unwrap();
        let (tell, begun) = mpsc::unbounded_channel();
        let go = Arc::new(Semaphore::new(0));
        let wait = Arc::clone(&go);
        let held = move |request: Request| {
            let (tell, wait) = (tell.clone(), Arc::clone(&wait));
            async move {
                tell.send(())?;
                wait.acquire().await?.forget();
                Ok(request.into_body())
            }
        };
        let builder = configure(server_of(&broker, 1)).handle("held", held);
        let echo = |request: Request| async move { Ok(request.into_body()) };
        let server = builder.handle("echo", echo).start().await.unwrap();
        Self { broker, server, begun, go }
    }

    async fn client(&self, connections: usize) -> Client {
        client_of(&self.broker, connections).connect().await.unwrap()
    }

    /// Makes a call that is held, and waits for its handler to begin.
    async fn hold(&mut self, client: &Client) -> JoinHandle<Result<Reply, CallError>> {
        let client = client.clone();
        let call = tokio::spawn(async move { client.call("held", "hello").await });
        patiently(self.begun.recv()).await.unwrap();
        call
    }
}

async fn echoes(client: &Client) {
    let call = client.request("echo").body("hello").timeout(Duration::from_secs(5)).send();
    assert_eq!(call.await.unwrap().body, "hello");
}

// ---------------------------------------------------------------------- clients

#[tokio::test]
async fn while_one_connection_is_away_new_calls_go_on_the_others() {
    let stage = Stage::new().await;
    let client = stage.client(2).await;
    let mut state = client.connection_state();
    assert_eq!(*state.borrow_and_update(), ConnectionState::Connected);

    // Its next one is not ready for as long as the test lasts.
    stage.broker.next_connection().stall_writes();
    open(&stage.broker, "client")[0].drop_now();
    until(|| client.stats().disconnects == 1).await;
    for _ in 0..10 {
        echoes(&client).await;
    }
    assert!(!state.has_changed().unwrap(), "calls can be made all the time");
    assert_eq!(client.stats().waiting, 0);

    stage.broker.drop_connections();
    let is_lost = |state: &ConnectionState| matches!(state, ConnectionState::Reconnecting { .. });
    patiently(state.wait_for(is_lost)).await.unwrap();
    patiently(state.wait_for(|state| *state == ConnectionState::Connected)).await.unwrap();
    client.close().await;
    assert_eq!(*state.borrow(), ConnectionState::Closed { cause: None });
}

#[tokio::test]
async fn only_the_calls_of_a_lost_connection_fail() {
    let mut stage = Stage::new().await;
    let client = stage.client(2).await;
    let calls = [stage.hold(&client).await, stage.hold(&client).await];
    open(&stage.broker, "client")[0].drop_now();
    until(|| client.stats().failures == 1).await;
    stage.go.add_permits(2);
    let mut results = Vec::new();
    for call in calls {
        results.push(patiently(call).await.unwrap());
    }
    results.sort_by_key(Result::is_err);
    assert_eq!(results[0].as_ref().unwrap().body, "hello");
    let error = results[1].as_ref().unwrap_err();
    assert!(matches!(error, CallError::Disconnected { written: true, .. }), "{error:?}");
}

#[tokio::test]
async fn a_lost_connection_has_its_part_of_the_calls_again_when_it_is_back() {
    let mut stage = Stage::new().await;
    let client = stage.client(2).await;
    open(&stage.broker, "client")[0].drop_now();
    until_open(&stage.broker, 2).await;
    until_open(&stage.broker, 3).await;
    // It is back when it gets a call: the other has one.
    let first = stage.hold(&client).await;
    let published = || open(&stage.broker, "client").iter().map(octets).min();
    let before = published();
    patiently(async {
        while published() == before {
            echoes(&client).await;
        }
    })
    .await;
    stage.go.add_permits(1);
    patiently(first).await.unwrap().unwrap();
}

fn octets(connection: &ConnectionHandle) -> u64 {
    connection.octets_received()
}

/// Each connection is told by what it publishes.
#[tokio::test]
async fn a_client_is_blocked_when_all_its_connections_are() {
    let stage = Stage::configured(ServerBuilder::separate_reply_connection).await;
    let client = stage.client(2).await;
    let state = client.connection_state();
    stage.broker.block("low on memory");
    echoes_unanswered(&client).await;
    until(|| blocked(&stage.broker) == 1).await;
    assert_eq!((client.blocked(), &*state.borrow()), (None, &ConnectionState::Connected));
    echoes_unanswered(&client).await;
    until(|| client.blocked().as_deref() == Some("low on memory")).await;
    let reason = "low on memory".to_owned();
    until(|| *state.borrow() == ConnectionState::Blocked { reason: reason.clone() }).await;
    stage.broker.unblock();
    until(|| client.blocked().is_none()).await;
    echoes(&client).await;
}

fn blocked(broker: &Broker) -> usize {
    open(broker, "client").iter().filter(|connection| connection.is_blocked()).count()
}

/// Sends a request to nobody, which the broker says of even where it blocks the connection.
async fn echoes_unanswered(client: &Client) {
    let error = patiently(client.call("nobody", "hello")).await.unwrap_err();
    assert!(matches!(error, CallError::Unroutable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_client_drains_all_its_connections() {
    let mut stage = Stage::new().await;
    let client = stage.client(3).await;
    let calls = [stage.hold(&client).await, stage.hold(&client).await];
    let draining = tokio::spawn({
        let client = client.clone();
        async move { client.drain(Duration::from_secs(60)).await }
    });
    // The one without a call is closed at once, and the others take no more.
    until_open(&stage.broker, 1 + 2).await;
    let error = client.call("echo", "hello").await.unwrap_err();
    assert_eq!(error, CallError::Closed { written: false });
    assert_eq!(client.stats().pending, 2);
    stage.go.add_permits(2);
    for call in calls {
        assert_eq!(patiently(call).await.unwrap().unwrap().body, "hello");
    }
    assert_eq!(patiently(draining).await.unwrap(), 0);
    until_open(&stage.broker, 1).await;
}

#[tokio::test]
async fn a_drain_that_ends_too_late_counts_the_calls_of_all_connections() {
    let mut stage = Stage::new().await;
    let client = stage.client(2).await;
    let calls = [stage.hold(&client).await, stage.hold(&client).await];
    assert_eq!(patiently(client.drain(Duration::from_millis(50))).await, 2);
    for call in calls {
        let error = patiently(call).await.unwrap().unwrap_err();
        assert_eq!(error, CallError::Closed { written: true });
    }
    until_open(&stage.broker, 1).await;
    stage.go.add_permits(2);
}

#[tokio::test]
async fn all_connections_go_with_the_last_clone() {
    let stage = Stage::new().await;
    let client = stage.client(3).await;
    until_open(&stage.broker, 1 + 3).await;
    drop(client);
    until_open(&stage.broker, 1).await;
}

#[tokio::test]
async fn a_client_is_of_no_more_use_when_all_its_connections_are_lost() {
    let stage = Stage::new().await;
    let builder = client_of(&stage.broker, 2).reconnect(Reconnect::never());
    let client = builder.connect().await.unwrap();
    open(&stage.broker, "client")[0].drop_now();
    until(|| client.stats().disconnects == 1).await;
    for _ in 0..4 {
        echoes(&client).await;
    }
    open(&stage.broker, "client")[0].drop_now();
    patiently(client.closed()).await.unwrap_err();
    let state = client.connection_state();
    until(|| matches!(*state.borrow(), ConnectionState::Closed { cause: Some(_) })).await;
}

#[tokio::test]
async fn a_client_that_is_closed_after_it_lost_a_connection_was_closed_by_its_user() {
    let stage = Stage::new().await;
    let builder = client_of(&stage.broker, 2).reconnect(Reconnect::never());
    let client = builder.connect().await.unwrap();
    open(&stage.broker, "client")[0].drop_now();
    until(|| client.stats().disconnects == 1).await;
    client.close().await;
    patiently(client.closed()).await.unwrap();
    let error = client.call("echo", "hello").await.unwrap_err();
    assert_eq!(error, CallError::Closed { written: false });
    let state = client.connection_state();
    until(|| *state.borrow() == ConnectionState::Closed { cause: None }).await;
}

// ---------------------------------------------------------------------- connecting

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

// ---------------------------------------------------------------------- servers

#[tokio::test]
async fn a_server_goes_on_with_the_connections_that_it_has() {
    let stage = Stage::configured(|builder| builder.connections(2)).await;
    let client = stage.client(1).await;
    let state = stage.server.connection_state();
    stage.broker.next_connection().stall_writes();
    open(&stage.broker, "server")[0].drop_now();
    until(|| stage.server.stats().disconnects == 1).await;
    for _ in 0..10 {
        echoes(&client).await;
    }
    assert!(!state.has_changed().unwrap(), "requests are served all the time");
    client.close().await;
    patiently(stage.server.shutdown()).await.unwrap();
}

#[tokio::test]
async fn a_server_has_stopped_when_all_its_connections_are_lost() {
    let configure = |builder: ServerBuilder| builder.connections(2).reconnect(Reconnect::never());
    let stage = Stage::configured(configure).await;
    let client = stage.client(1).await;
    open(&stage.broker, "server")[0].drop_now();
    until(|| stage.server.stats().disconnects == 1).await;
    echoes(&client).await;
    open(&stage.broker, "server")[0].drop_now();
    patiently(stage.server.stopped()).await.unwrap_err();
}

/// Also where one of the connections has nothing to do for it.
#[tokio::test]
async fn a_server_of_several_connections_ends_in_good_order() {
    let configure = |builder: ServerBuilder| builder.connections(3).prefetch(1);
    let mut stage = Stage::configured(configure).await;
    let client = stage.client(1).await;
    let calls = [stage.hold(&client).await, stage.hold(&client).await];
    let shutdown = tokio::spawn(stage.server.shutdown());
    until_open(&stage.broker, 1 + 2).await;
    stage.go.add_permits(2);
    for call in calls {
        assert_eq!(patiently(call).await.unwrap().unwrap().body, "hello");
    }
    patiently(shutdown).await.unwrap().unwrap();
    until_open(&stage.broker, 1).await;
}

/// All within one timeout, and not each within its own.
#[tokio::test]
async fn handlers_of_all_connections_are_aborted_at_the_same_time() {
    for has_reply_connection in [false, true] {
        let mut stage = Stage::configured(|builder| {
            let builder = builder.connections(2).prefetch(1);
            let builder = builder.shutdown_timeout(Duration::from_millis(100));
            if has_reply_connection { builder.separate_reply_connection() } else { builder }
        })
        .await;
        let client = stage.client(1).await;
        let calls = [stage.hold(&client).await, stage.hold(&client).await];
        let error = patiently(stage.server.shutdown()).await.unwrap_err();
        assert_eq!(error, SessionError::HandlersAborted { handlers: 2, replies: 0 });
        until_open(&stage.broker, 1).await;
        assert_eq!(stage.broker.queue("held").unwrap().ready, 2, "they are for another server");
        // Nothing of them is left here.
        until(|| Arc::strong_count(&stage.go) == 1).await;
        calls.iter().for_each(JoinHandle::abort);
    }
}

#[tokio::test]
async fn all_connections_go_with_a_server_that_is_dropped() {
    let configure = |builder: ServerBuilder| builder.connections(2).separate_reply_connection();
    let stage = Stage::configured(configure).await;
    until_open(&stage.broker, 4).await;
    drop(stage.server);
    until_open(&stage.broker, 0).await;
}

/// The connections for replies are made first, so they are the oldest.
#[tokio::test]
async fn what_cannot_send_its_replies_takes_no_more_requests() {
    let stage = Stage::configured(|builder| {
        builder.connections(2).separate_reply_connection().reconnect(Reconnect::never())
    })
    .await;
    let client = stage.client(1).await;
    open(&stage.broker, "server")[0].drop_now();
    until_open(&stage.broker, 1 + 2).await;
    for _ in 0..4 {
        echoes(&client).await;
    }
    open(&stage.broker, "server")[0].drop_now();
    patiently(stage.server.stopped()).await.unwrap_err();
    until_open(&stage.broker, 1).await;
}

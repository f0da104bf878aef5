//! Clients and servers of several connections: who gets which call.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use leveret::{CallError, Client, ConnectionState, Reply, Request, Server, ServerBuilder};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::calls::call_from_tasks;
use crate::support::service::{client, echo, end, queue, server, url};

const CONNECTIONS: usize = 3;

/// The longest that a test waits for a handler to begin.
const PATIENCE: Duration = Duration::from_secs(10);

async fn client_of(connections: usize) -> Client {
    let builder = Client::builder(url()).connection_name("leveret test").connections(connections);
    builder.connect().await.unwrap()
}

/// A server that tells the reply address of each request, which is another for each connection of a
/// client's. Requests of an empty body are held until they are let go.
struct Held {
    server: Server,
    name: String,
    begun: mpsc::UnboundedReceiver<String>,
    go: Arc<Semaphore>,
}

impl Held {
    async fn start(builder: ServerBuilder) -> Self {
        let (name, queue) = queue("connections");
        let (tell, begun) = mpsc::unbounded_channel();
        let go = Arc::new(Semaphore::new(0));
        let wait = Arc::clone(&go);
        let handler = move |request: Request| {
            let (tell, wait) = (tell.clone(), Arc::clone(&wait));
            async move {
                tell.send(request.properties.reply_to.clone().unwrap_or_default().to_string())?;
                if request.body.is_empty() {
                    wait.acquire().await?.forget();
                }
                Ok(request.into_body())
            }
        };
        let server = builder.handle(queue, handler).start().await.unwrap();
        Self { server, name, begun, go }
    }

    /// Makes a call that is held. Where it came from, once it is there.
    async fn hold(&mut self, client: &Client) -> (String, JoinHandle<Result<Reply, CallError>>) {
        let (client, name) = (client.clone(), self.name.clone());
        let call = tokio::spawn(async move { client.call(name, "").await });
        (timeout(PATIENCE, self.begun.recv()).await.unwrap().unwrap(), call)
    }

    /// Makes a call that is answered at once. Where it came from.
    async fn call(&mut self, client: &Client) -> String {
        assert_eq!(client.call(&self.name, "quick").await.unwrap().body, "quick");
        self.begun.recv().await.unwrap()
    }
}

#[tokio::test]
async fn calls_under_way_are_spread_evenly() {
    let mut held = Held::start(server()).await;
    let client = client_of(CONNECTIONS).await;
    let (mut calls, mut counts) = (Vec::new(), HashMap::<String, usize>::new());
    for _ in 0..2 * CONNECTIONS {
        let (from, call) = held.hold(&client).await;
        *counts.entry(from).or_default() += 1;
        calls.push(call);
    }
    assert_eq!(counts.len(), CONNECTIONS, "{counts:?}");
    assert!(counts.values().all(|count| *count == 2), "{counts:?}");
    held.go.add_permits(calls.len());
    for call in calls {
        call.await.unwrap().unwrap();
    }
    end(client, held.server).await;
}

#[tokio::test]
async fn calls_go_where_fewest_are_under_way() {
    let mut held = Held::start(server()).await;
    let client = client_of(2).await;
    let (busy, call) = held.hold(&client).await;
    for _ in 0..10 {
        assert_ne!(held.call(&client).await, busy);
    }
    // When they are equal again, each has its turn.
    held.go.add_permits(1);
    call.await.unwrap().unwrap();
    let [one, other] = [held.call(&client).await, held.call(&client).await];
    assert_ne!(one, other);
    end(client, held.server).await;
}

/// A call is counted as long as somebody waits for it.
#[tokio::test]
async fn a_call_that_is_dropped_is_no_load() {
    let mut held = Held::start(server()).await;
    let client = client_of(2).await;
    let (left, call) = held.hold(&client).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    let (one, first) = held.hold(&client).await;
    let (other, second) = held.hold(&client).await;
    assert_ne!(one, other, "one of them is {left}");
    held.go.add_permits(3);
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
    end(client, held.server).await;
}

#[tokio::test]
async fn a_single_connection_has_a_single_reply_address() {
    let mut held = Held::start(server()).await;
    for client in [client().await, client_of(0).await] {
        let (one, call) = held.hold(&client).await;
        assert_eq!(held.call(&client).await, one);
        held.go.add_permits(1);
        call.await.unwrap().unwrap();
        client.close().await;
    }
    held.server.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_is_limited_is_limited_for_each_connection() {
    let mut held = Held::start(server()).await;
    let builder = Client::builder(url()).connections(2).max_in_flight(1).fail_when_busy();
    let client = builder.connection_name("leveret test").connect().await.unwrap();
    let (_, first) = held.hold(&client).await;
    let (_, second) = held.hold(&client).await;
    let error = client.call(&held.name, "").await.unwrap_err();
    assert_eq!(error, CallError::Busy { limit: 1 });
    held.go.add_permits(2);
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
    end(client, held.server).await;
}

/// One request at a time for each of them, all from one queue.
#[tokio::test]
async fn each_connection_of_a_server_has_a_prefetch_of_its_own() {
    for builder in [server(), server().separate_reply_connection()] {
        let mut held = Held::start(builder.connections(CONNECTIONS).prefetch(1)).await;
        let client = client().await;
        let mut calls = Vec::new();
        for _ in 0..CONNECTIONS {
            calls.push(held.hold(&client).await.1);
        }
        assert_eq!(held.server.stats().running, CONNECTIONS);
        held.go.add_permits(CONNECTIONS);
        for call in calls {
            call.await.unwrap().unwrap();
        }
        end(client, held.server).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_calls_over_many_connections_get_their_own_replies() {
    const TASKS: u64 = 100;
    const CALLS_A_TASK: u64 = 50;
    let (name, queue) = queue("many-connections");
    let server = server().connections(CONNECTIONS).handle(queue, echo).start().await.unwrap();
    let client = client_of(CONNECTIONS).await;
    call_from_tasks(&client, &name, TASKS, CALLS_A_TASK).await;
    // What they say is what all connections have done.
    let stats = client.stats();
    assert_eq!((stats.calls, stats.replies), (TASKS * CALLS_A_TASK, TASKS * CALLS_A_TASK));
    assert_eq!((stats.pending, stats.late_replies, stats.unknown_replies), (0, 0, 0));
    assert_eq!(server.stats().requests, TASKS * CALLS_A_TASK);
    assert_eq!(*client.connection_state().borrow(), ConnectionState::Connected);
    assert_eq!(*server.connection_state().borrow(), ConnectionState::Connected);
    end(client, server).await;
}

//! One of several connections is lost, and with it the way to the broker that it took.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use leveret::{CallError, Client, Server};
use tokio::io::copy_bidirectional;
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet, yield_now};
use tokio::time::timeout;

use crate::support::broker::Broker;
use crate::support::service::{client, echo, echo_server, end, queue};

const PATIENCE: Duration = Duration::from_secs(10);

/// Calls at a time.
const TASKS: u64 = 16;

/// A way to the broker.
struct Way {
    address: SocketAddr,
    open: AbortHandle,
}

impl Way {
    async fn new(broker: &Arc<Broker>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, broker) = (listener.local_addr().unwrap(), Arc::clone(broker));
        let open = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                let mut far = broker.tcp().await;
                connections.spawn(async move { copy_bidirectional(&mut near, &mut far).await });
            }
        });
        Self { address, open: open.abort_handle() }
    }

    /// Nobody gets through any more, nor has it as the way that he came.
    fn close(&self) {
        self.open.abort();
    }
}

/// Two ways, and the URL that names both.
async fn two_ways() -> ([Way; 2], String) {
    let broker = Arc::new(Broker::shared().await);
    let ways = [Way::new(&broker).await, Way::new(&broker).await];
    let Broker { user, password, virtual_host, .. } = &*broker;
    let host = virtual_host.replace('/', "%2f");
    let [one, other] = ways.each_ref().map(|way| way.address);
    let url = format!("amqp://{user}:{password}@{one},{other}/{host}");
    (ways, url)
}

/// Calls without end, and what came of them.
struct Load {
    tasks: JoinSet<()>,
    book: Arc<Book>,
}

#[derive(Default)]
struct Book {
    replies: AtomicU64,
    disconnected: AtomicU64,
    ends: AtomicBool,
}

impl Load {
    fn begin(client: &Client, name: &str) -> Self {
        let mut load = Self { tasks: JoinSet::new(), book: Arc::default() };
        for task in 0..TASKS {
            let (client, name, book) = (client.clone(), name.to_owned(), Arc::clone(&load.book));
            load.tasks.spawn(async move {
                while !book.ends.load(Ordering::Relaxed) {
                    let body = format!("task {task}");
                    let call = client.request(&name).body(body.clone()).timeout(PATIENCE).send();
                    let count = match call.await {
                        Ok(reply) => {
                            assert_eq!(reply.text(), Ok(&*body));
                            &book.replies
                        }
                        Err(CallError::Disconnected { written: true, .. }) => &book.disconnected,
                        Err(error) => panic!("{error:?}"),
                    };
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        load
    }

    /// Waits for as many replies more.
    async fn flows(&self, replies: u64) {
        let enough = self.book.replies.load(Ordering::Relaxed) + replies;
        until(|| self.book.replies.load(Ordering::Relaxed) >= enough).await;
    }

    /// How many calls were lost with their connection.
    async fn end(mut self) -> u64 {
        self.book.ends.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
        self.book.disconnected.load(Ordering::Relaxed)
    }
}

async fn until(condition: impl Fn() -> bool) {
    let holds = async {
        while !condition() {
            yield_now().await;
        }
    };
    timeout(PATIENCE, holds).await.unwrap();
}

/// Calls go on without a pause; what was under way on the one that is lost fails once.
#[tokio::test]
async fn a_client_that_loses_one_connection_calls_on_the_other() {
    let ([way, _other], url) = two_ways().await;
    let (server, name) = echo_server("one-connection-lost").await;
    let client = Client::builder(&url).connections(2).connect().await.unwrap();
    let state = client.connection_state();
    let load = Load::begin(&client, &name);
    load.flows(200).await;
    way.close();
    until(|| client.stats().disconnects == 1).await;
    load.flows(200).await;
    let lost = load.end().await;
    assert!(lost <= TASKS, "{lost} calls were lost");
    assert!(!state.has_changed().unwrap(), "it was connected all the time");
    assert_eq!(client.stats().disconnects, 1);
    end(client, server).await;
}

/// No call is lost: the other connection gets what the lost one had not answered.
#[tokio::test]
async fn a_server_that_loses_one_connection_answers_on_the_other() {
    let ([way, _other], url) = two_ways().await;
    let (name, queue) = queue("one-consumer-lost");
    let server = Server::builder(&url).connections(2).handle(queue, echo).start().await.unwrap();
    let (client, state) = (client().await, server.connection_state());
    let load = Load::begin(&client, &name);
    load.flows(200).await;
    way.close();
    until(|| server.stats().disconnects == 1).await;
    load.flows(200).await;
    assert_eq!(load.end().await, 0);
    assert!(!state.has_changed().unwrap(), "requests were served all the time");
    end(client, server).await;
}

//! Several connections of one client or server: what is lost with one of them, and what is not.

mod clients;
mod connecting;
mod servers;

use std::sync::Arc;
use std::time::Duration;

use leveret::broker::{Broker, ConnectionHandle};
use leveret::{CallError, Client, ClientBuilder, Reply, Request, Server, ServerBuilder};
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

//! The levers of the broker inside the process: each is pulled under real clients and servers.

#![cfg(feature = "broker")]

mod closing;
mod connections;
mod faults;
mod larger;
mod memory;
mod observing;
mod reconnecting;
mod secrecy;
mod slowness;
mod streams;

use std::time::Duration;

use leveret::broker::{Broker, ConnectionHandle};
use leveret::{Client, Queue, Reconnect, Request, Server};

/// The longest that a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(10);

/// A broker, a server that echoes what comes to the queue "echo", and a client.
struct Stage {
    broker: Broker,
    server: Server,
    client: Client,
}

impl Stage {
    async fn new() -> Self {
        let broker = Broker::builder()
            .user("alice", "open-sesame")
            .virtual_host("shop")
            .record_frames()
            .start()
            .await
            .unwrap();
        let server = echo(&broker).await;
        let client = client(&broker).await;
        Self { broker, server, client }
    }

    fn of_client(&self) -> ConnectionHandle {
        self.broker.connection("client").unwrap()
    }

    fn of_server(&self) -> ConnectionHandle {
        self.broker.connection("server").unwrap()
    }

    /// A call that somebody else waits for.
    fn call(&self, body: &'static str) -> tokio::task::JoinHandle<CallResult> {
        let client = self.client.clone();
        tokio::spawn(async move { client.call("echo", body).await.map(|reply| text(&reply)) })
    }

    async fn until(&self, condition: impl FnMut(&Broker) -> bool) {
        patiently(self.broker.until(condition)).await;
    }
}

type CallResult = Result<String, leveret::CallError>;

/// Of one connection, with which it ends.
async fn client(broker: &Broker) -> Client {
    let url = url_of_alice(broker);
    Client::builder(&url)
        .connection_name("client")
        .reconnect(Reconnect::never())
        .connect()
        .await
        .unwrap()
}

async fn echo(broker: &Broker) -> Server {
    Server::builder(url_of_alice(broker))
        .connection_name("server")
        .reconnect(Reconnect::never())
        .handle(Queue::new("echo"), |request: Request| async move { Ok(request.into_body()) })
        .start()
        .await
        .unwrap()
}

fn url_of_alice(broker: &Broker) -> String {
    format!("amqp://alice:open-sesame@{}/shop", broker.address())
}

fn text(reply: &leveret::Reply) -> String {
    reply.text().unwrap().to_owned()
}

/// Waits, but not for ever.
async fn patiently<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap()
}

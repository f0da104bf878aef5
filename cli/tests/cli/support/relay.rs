//! [`Relay`]: a way to the broker that can be cut.

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::broker::{address, url_at};

pub(crate) struct Relay {
    pub(crate) url: String,
    task: JoinHandle<()>,
}

impl Relay {
    /// For one connection.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = url_at("amqp", &listener.local_addr().unwrap().to_string());
        let task = tokio::spawn(async move {
            let (mut from, _) = listener.accept().await.unwrap();
            let mut to = TcpStream::connect(address()).await.unwrap();
            copy_bidirectional(&mut from, &mut to).await.unwrap();
        });
        Self { url, task }
    }

    /// Both sides find the connection closed, and nobody listens any more.
    pub(crate) fn cut(self) {
        self.task.abort();
    }
}

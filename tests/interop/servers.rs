//! Leveret's client and the servers of others.

use leveret::{Client, ShortStr};
use tokio::task::JoinSet;

use crate::SIZES;
use crate::peer::{Library, Server};
use crate::support::broker::unique;
use crate::support::service::{client, sized_body};

/// Hand-written servers often forget the correlation-id, so each call has a channel of its own.
#[tokio::test]
#[ignore = "needs Python and Node: cargo xtask test"]
async fn aio_pika_without_correlation_id() {
    let peers = Peers { own_channel: true, ..Peers::start(Library::AioPika, &[]).await };
    peers.echo_bodies_of_all_sizes().await;
    peers.echo_text(Some("text/plain")).await;
    peers.add_json().await;
    peers.echo_many_at_a_time().await;
    peers.end().await;
}

#[tokio::test]
#[ignore = "needs Python and Node: cargo xtask test"]
async fn aio_pika_with_correlation_id() {
    let peers = Peers::start(Library::AioPika, &["--correlate"]).await;
    peers.echo_bodies_of_all_sizes().await;
    peers.echo_text(Some("text/plain")).await;
    peers.add_json().await;
    peers.echo_many_at_a_time().await;
    peers.end().await;
}

/// FastStream and Propan choose the content type of a reply by the type of what the handler
/// returns, and octets have none.
#[tokio::test]
#[ignore = "needs Python and Node: cargo xtask test"]
async fn faststream() {
    let peers = Peers::start(Library::FastStream, &[]).await;
    peers.echo_bodies_of_all_sizes().await;
    peers.echo_text(None).await;
    peers.add_json().await;
    peers.echo_many_at_a_time().await;
    peers.end().await;
}

#[tokio::test]
#[ignore = "needs Python and Node: cargo xtask test"]
async fn propan() {
    let peers = Peers::start(Library::Propan, &[]).await;
    peers.echo_bodies_of_all_sizes().await;
    peers.echo_text(None).await;
    peers.add_json().await;
    peers.echo_many_at_a_time().await;
    peers.end().await;
}

#[tokio::test]
#[ignore = "needs Python and Node: cargo xtask test"]
async fn pika() {
    let peers = Peers::start(Library::Pika, &[]).await;
    peers.echo_bodies_of_all_sizes().await;
    peers.echo_text(Some("text/plain")).await;
    peers.add_json().await;
    peers.echo_many_at_a_time().await;
    peers.end().await;
}

#[tokio::test]
#[ignore = "needs Python and Node: cargo xtask test"]
async fn amqplib() {
    let peers = Peers::start(Library::Amqplib, &[]).await;
    peers.echo_bodies_of_all_sizes().await;
    peers.echo_text(Some("text/plain")).await;
    peers.add_json().await;
    peers.echo_many_at_a_time().await;
    peers.end().await;
}

/// Two servers of one library, an echo and one that adds, with a client of ours.
struct Peers {
    client: Client,
    own_channel: bool,
    echo: (Server, String),
    sum: (Server, String),
}

impl Peers {
    async fn start(library: Library, flags: &[&str]) -> Self {
        let (echo, sum) = (unique("echo").to_string(), unique("sum").to_string());
        let flags_of_sum = [flags, &["--json"]].concat();
        let (echo_server, sum_server, client) = tokio::join!(
            Server::start(library, &echo, flags),
            Server::start(library, &sum, &flags_of_sum),
            client(),
        );
        let (echo, sum) = ((echo_server, echo), (sum_server, sum));
        Self { client, own_channel: false, echo, sum }
    }

    async fn echo_bodies_of_all_sizes(&self) {
        for size in SIZES {
            let body = sized_body(size);
            let (reply, _) = self.call(&self.echo.1, body.clone(), None).await;
            assert!(reply == body, "{size} octets came back as {}", reply.len());
        }
    }

    async fn echo_text(&self, content_type: Option<&'static str>) {
        let text = "héllo".as_bytes();
        let reply = self.call(&self.echo.1, text.to_vec(), Some("text/plain")).await;
        assert_eq!(reply, (text.to_vec(), content_type.map(ShortStr::from_static)));
    }

    async fn add_json(&self) {
        let numbers = br#"{"a":20,"b":22}"#.to_vec();
        let (reply, content_type) = self.call(&self.sum.1, numbers, Some("application/json")).await;
        let reply = String::from_utf8(reply).unwrap();
        assert_eq!(reply.replace(' ', ""), r#"{"sum":42}"#);
        assert_eq!(content_type, Some(ShortStr::from_static("application/json")));
    }

    /// Each gets its own reply.
    async fn echo_many_at_a_time(&self) {
        let mut calls = JoinSet::new();
        for number in 0..50 {
            let (client, queue) = (self.client.clone(), self.echo.1.clone());
            let own_channel = self.own_channel;
            calls.spawn(async move {
                let body = format!("call {number}");
                let request = client.request(queue).body(body.clone());
                let request = if own_channel { request.own_channel() } else { request };
                assert_eq!(request.send().await.unwrap().body, body);
            });
        }
        while let Some(result) = calls.join_next().await {
            result.unwrap();
        }
        let stats = self.client.stats();
        assert_eq!((stats.pending, stats.late_replies, stats.unknown_replies), (0, 0, 0));
    }

    /// Body and content type of the reply.
    async fn call(
        &self,
        queue: &str,
        body: Vec<u8>,
        content_type: Option<&str>,
    ) -> (Vec<u8>, Option<ShortStr>) {
        let mut request = self.client.request(queue).body(body);
        if self.own_channel {
            request = request.own_channel();
        }
        if let Some(mime_type) = content_type {
            request = request.content_type(mime_type);
        }
        let reply = request.send().await.unwrap();
        (reply.body.to_vec(), reply.properties.content_type.clone())
    }

    async fn end(self) {
        self.client.close().await;
        tokio::join!(self.echo.0.end(), self.sum.0.end());
    }
}

//! A connection driven by hand, for what neither `leveret` nor its library does: to declare and delete
//! queues, and to be a server that does not send the correlation-id back.

use std::time::Instant as Clock;

use bytes::BytesMut;
use leveret::connection::{Connection, Event};
use leveret::{BasicProperties, Client, FieldTable, FieldValue, Instant, ShortStr};
use leveret_codec::{Method, basic, queue};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::broker::{unique, url};
use super::command::PATIENCE;

pub(crate) struct Admin {
    stream: Box<dyn Stream>,
    connection: Connection,
    input: BytesMut,
    output: BytesMut,
    start: Clock,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A queue without a server, which the broker deletes when it is no longer used.
pub(crate) async fn queue(purpose: &str) -> String {
    let name = unique(purpose);
    Admin::connect().await.declare(&name).await;
    name
}

impl Admin {
    /// Connected, with channel 1 open.
    pub(crate) async fn connect() -> Self {
        let (stream, config) = Client::builder(url()).open().await.unwrap();
        let mut admin = Self {
            stream: Box::new(stream),
            connection: Connection::new(config, Instant::default()),
            input: BytesMut::new(),
            output: BytesMut::new(),
            start: Clock::now(),
        };
        assert_eq!(admin.event().await, Event::Opened);
        admin.connection.open_channel().unwrap();
        assert_eq!(admin.event().await, Event::ChannelOpened { channel: 1 });
        admin
    }

    pub(crate) async fn declare(&mut self, name: &str) {
        let mut arguments = FieldTable::new();
        arguments.insert("x-expires", FieldValue::I32(60_000)).unwrap();
        let queue = ShortStr::try_from(name).unwrap();
        let declare = queue::Declare { queue, durable: true, arguments, ..Default::default() };
        assert!(matches!(self.ask(declare).await, Method::QueueDeclareOk(_)));
    }

    pub(crate) async fn delete(&mut self, name: &str) {
        let queue = ShortStr::try_from(name).unwrap();
        let delete = queue::Delete { queue, ..Default::default() };
        assert!(matches!(self.ask(delete).await, Method::QueueDeleteOk(_)));
    }

    /// Puts a message into a queue, and waits until it is there.
    pub(crate) async fn publish(&mut self, name: &str, body: &str) {
        self.send_to(ShortStr::try_from(name).unwrap(), body.as_bytes());
        // What a channel is asked, it answers in order.
        let question = basic::Qos::default();
        assert!(matches!(self.ask(question).await, Method::BasicQosOk(_)));
    }

    /// Answers one request with its own body, and with no properties at all.
    pub(crate) async fn answer_without_correlation_id(&mut self, name: &str) {
        let queue = ShortStr::try_from(name).unwrap();
        let consume = basic::Consume { queue, no_ack: true, ..Default::default() };
        assert!(matches!(self.ask(consume).await, Method::BasicConsumeOk(_)));
        let Event::Content { content, .. } = self.event().await else { panic!("no request") };
        let reply_to = content.properties.reply_to.clone().expect("a request has a reply-to");
        self.send_to(reply_to, &content.body.unwrap());
        let question = basic::Qos::default();
        assert!(matches!(self.ask(question).await, Method::BasicQosOk(_)));
    }

    fn send_to(&mut self, routing_key: ShortStr, body: &[u8]) {
        let publish = basic::Publish { routing_key, ..Default::default() };
        self.connection.publish(1, &publish, &BasicProperties::default(), body).unwrap();
    }

    async fn ask(&mut self, question: impl Into<Method>) -> Method {
        self.connection.send(1, question).unwrap();
        match self.event().await {
            Event::Method { method, .. } => method,
            other => panic!("{other:?}"),
        }
    }

    async fn event(&mut self) -> Event {
        let now = |start: Clock| Instant::from_start(start.elapsed());
        loop {
            self.connection.poll_transmit(now(self.start), &mut self.output);
            self.stream.write_all_buf(&mut self.output).await.unwrap();
            if let Some(event) = self.connection.poll_event() {
                return event;
            }
            let octets = timeout(PATIENCE, self.stream.read_buf(&mut self.input)).await;
            assert_ne!(octets.expect("the broker answers").unwrap(), 0, "the broker has gone");
            self.connection.handle_input(now(self.start), &mut self.input);
        }
    }
}

//! [`Session`]: an AMQP connection driven by hand, to ask what no client asks.

use std::pin::Pin;
use std::time::Duration;

use bytes::BytesMut;
use leveret::connection::{Connection, Event};
use leveret::{Instant, ReplyCode, ShortStr};
use leveret_codec::{Method, basic, queue};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::common::Common;
use crate::failure::{CONNECT, DISCONNECTED, Failure, UNROUTABLE, USAGE};

pub(crate) struct Session {
    stream: Pin<Box<dyn Stream>>,
    connection: Connection,
    input: BytesMut,
    output: BytesMut,
    start: std::time::Instant,
}

trait Stream: AsyncRead + AsyncWrite {}

impl<S: AsyncRead + AsyncWrite> Stream for S {}

/// What the broker says of a queue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueueState {
    pub(crate) ready: u32,
    pub(crate) consumers: u32,
}

impl Session {
    /// Connects and logs in.
    pub(crate) async fn open(common: &Common) -> Result<Self, Failure> {
        let start = std::time::Instant::now();
        let (stream, config) = common.client().open().await?;
        let mut session = Self {
            stream: Box::pin(stream),
            connection: Connection::new(config, Instant::from_start(start.elapsed())),
            input: BytesMut::new(),
            output: BytesMut::new(),
            start,
        };
        match session.event().await? {
            Event::Opened => Ok(session),
            Event::Closed(Err(error)) => Err(Failure::new(CONNECT, error.to_string())),
            event => Err(unexpected(&event)),
        }
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) async fn open_channel(&mut self) -> Result<u16, Failure> {
        let channel = self.connection.open_channel();
        let channel = channel.map_err(|misuse| Failure::other(misuse.to_string()))?;
        match self.event().await? {
            Event::ChannelOpened { .. } => Ok(channel),
            event => Err(unexpected(&event)),
        }
    }

    /// How long a question takes that costs the broker next to nothing.
    pub(crate) async fn round_trip(&mut self, channel: u16) -> Result<Duration, Failure> {
        let asked = self.start.elapsed();
        self.send(channel, basic::Qos { prefetch_count: 1, ..basic::Qos::default() })?;
        match self.event().await? {
            Event::Method { method: Method::BasicQosOk(_), .. } => {
                Ok(self.start.elapsed().saturating_sub(asked))
            }
            event => Err(unexpected(&event)),
        }
    }

    /// Asks about a queue without declaring it.
    pub(crate) async fn queue(&mut self, channel: u16, name: &str) -> Result<QueueState, Failure> {
        let queue = ShortStr::try_from(name)
            .map_err(|error| Failure::new(USAGE, format!("the queue: {error}")))?;
        self.send(channel, queue::Declare { queue, passive: true, ..queue::Declare::default() })?;
        match self.event().await? {
            Event::Method { method: Method::QueueDeclareOk(found), .. } => {
                Ok(QueueState { ready: found.message_count, consumers: found.consumer_count })
            }
            Event::ChannelClosed { close: Some(close), .. } => {
                let said = close.reply_text.to_string_lossy().into_owned();
                Err(match close.reply_code {
                    ReplyCode::NOT_FOUND => {
                        Failure::new(UNROUTABLE, format!("there is no queue \"{name}\": {said}"))
                            .hint("a server declares it when it starts: is one running?")
                    }
                    _ => Failure::other(format!("queue \"{name}\": {said}")),
                })
            }
            event => Err(unexpected(&event)),
        }
    }

    /// Ends in good order.
    pub(crate) async fn close(mut self) -> Result<(), Failure> {
        self.connection.close(self.now());
        match self.event().await? {
            Event::Closed(_) => Ok(()),
            event => Err(unexpected(&event)),
        }
    }

    fn send(&mut self, channel: u16, method: impl Into<Method>) -> Result<(), Failure> {
        let sent = self.connection.send(channel, method);
        sent.map_err(|misuse| Failure::other(misuse.to_string()))
    }

    fn now(&self) -> Instant {
        Instant::from_start(self.start.elapsed())
    }

    /// The next event, whatever that takes.
    async fn event(&mut self) -> Result<Event, Failure> {
        loop {
            let now = self.now();
            self.connection.poll_transmit(now, &mut self.output);
            // Where that fails, reading tells why.
            let written = async {
                self.stream.write_all_buf(&mut self.output).await?;
                self.stream.flush().await
            };
            if written.await.is_err() {
                self.output.clear();
            }
            match self.connection.poll_event() {
                Some(Event::Blocked { .. } | Event::Unblocked) => continue,
                Some(event) => return Ok(event),
                None => {}
            }
            let timeout = self.connection.poll_timeout();
            let left = timeout.map_or(Duration::MAX, |timeout| timeout.since(now));
            match tokio::time::timeout(left, self.stream.read_buf(&mut self.input)).await {
                Ok(Ok(1..)) => {
                    let now = self.now();
                    self.connection.handle_input(now, &mut self.input);
                }
                Ok(Ok(0)) => self.connection.handle_eof(),
                // What TLS heard, such as that our certificate is refused.
                Ok(Err(error)) if error.kind() == std::io::ErrorKind::InvalidData => {
                    self.connection.handle_transport_refusal(error.to_string());
                }
                Ok(Err(error)) => self.connection.handle_transport_error(error.to_string()),
                Err(_) => self.connection.handle_timeout(self.now()),
            }
        }
    }
}

fn unexpected(event: &Event) -> Failure {
    match event {
        Event::Closed(Err(error)) => Failure::new(DISCONNECTED, error.to_string()),
        other => Failure::other(format!("the broker answered what was not asked: {other:?}")),
    }
}

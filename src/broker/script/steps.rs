//! What scripts do often: the handshake, the reply consumer, requests and deliveries, goodbye.

use bytes::{Bytes, BytesMut};
use leveret_codec::{
    BasicProperties, ContentHeader, FRAME_OVERHEAD, FieldTable, Frame, LongStr, Method, ShortStr,
    basic, channel, confirm, connection, queue,
};

use super::{Dialogue, ScriptError};

/// What the peer says of itself in the handshake: as RabbitMQ does, unless changed.
///
/// ```
/// use leveret::broker::script::Greeting;
///
/// let mut greeting = Greeting::default();
/// greeting.tune.frame_max = 4096;
/// greeting.start.mechanisms = leveret::LongStr::from_static("EXTERNAL");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Greeting {
    /// Properties, login mechanisms, locales.
    pub start: connection::Start,
    /// The limits.
    pub tune: connection::Tune,
}

impl Default for Greeting {
    fn default() -> Self {
        let mut capabilities = FieldTable::new();
        for name in ["direct_reply_to", "consumer_cancel_notify", "connection.blocked"] {
            // Neither too long nor too deep.
            let _ = capabilities.insert(name, true);
        }
        let mut server_properties = FieldTable::new();
        let _ = server_properties.insert("product", "Scripted peer");
        let _ = server_properties.insert("capabilities", capabilities);
        Self {
            start: connection::Start {
                version_major: 0,
                version_minor: 9,
                server_properties,
                mechanisms: LongStr::from_static("AMQPLAIN PLAIN"),
                locales: LongStr::from_static("en_US"),
            },
            tune: connection::Tune { channel_max: 2047, frame_max: 131_072, heartbeat: 60 },
        }
    }
}

/// A message that the other end has published.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Published {
    /// The channel.
    pub channel: u16,
    /// Where it is to go.
    pub method: basic::Publish,
    /// Its properties.
    pub properties: BasicProperties,
    /// Its body.
    pub body: Bytes,
}

/// A consumer that the other end has asked for.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Consumer {
    /// The channel.
    pub channel: u16,
    /// What it asked for.
    pub method: basic::Consume,
    /// The tag that it goes by.
    pub tag: ShortStr,
}

/// # Steps that are taken often
impl Dialogue {
    /// The whole handshake, up to connection.open-ok, as with RabbitMQ.
    ///
    /// # Errors
    /// [`ScriptError`] if the other end does not play along.
    pub async fn handshake(&mut self) -> Result<(), ScriptError> {
        self.handshake_with(Greeting::default()).await
    }

    /// The whole handshake with another greeting.
    ///
    /// # Errors
    /// [`ScriptError`] if the other end does not play along.
    pub async fn handshake_with(&mut self, greeting: Greeting) -> Result<(), ScriptError> {
        let Greeting { start, tune } = greeting;
        self.greet(start).await?;
        self.send(0, tune).await?;
        self.expect::<connection::TuneOk>(0).await?;
        self.expect::<connection::Open>(0).await?;
        self.send(0, connection::OpenOk {}).await
    }

    /// The handshake up to the login, which is left unanswered: the protocol header,
    /// connection.start, connection.start-ok.
    ///
    /// # Errors
    /// [`ScriptError`] if the other end does not play along.
    pub async fn greet(
        &mut self,
        start: connection::Start,
    ) -> Result<connection::StartOk, ScriptError> {
        self.expect_protocol_header().await?;
        self.send(0, start).await?;
        self.expect(0).await
    }

    /// A client opens channel 1 and consumes its replies there, and may.
    ///
    /// # Errors
    /// [`ScriptError`] if the other end does something else.
    pub async fn subscribe(&mut self) -> Result<basic::Consume, ScriptError> {
        self.expect::<channel::Open>(1).await?;
        self.send(1, channel::OpenOk {}).await?;
        let consume = self.expect::<basic::Consume>(1).await?;
        self.send(1, basic::ConsumeOk { consumer_tag: REPLIES }).await?;
        Ok(consume)
    }

    /// Agrees to whatever the other end asks for on the way to a consumer: channels, queues,
    /// prefetch, confirms. That is how servers begin, and clients other than Leveret's.
    ///
    /// # Errors
    /// [`ScriptError`] if it asks for something else.
    pub async fn accept_consumer(&mut self) -> Result<Consumer, ScriptError> {
        loop {
            let what = "something on the way to basic.consume";
            let (channel, method) = match self.next(what).await? {
                Frame::Method { channel, method } => (channel, method),
                other => return Err(self.unexpected(what, other)),
            };
            let answer: Method = match method {
                Method::ChannelOpen(_) => channel::OpenOk {}.into(),
                Method::BasicQos(_) => basic::QosOk {}.into(),
                Method::ConfirmSelect(_) => confirm::SelectOk {}.into(),
                Method::QueueBind(_) => queue::BindOk {}.into(),
                Method::QueueDeclare(declare) => {
                    let queue = if declare.queue.is_empty() { MADE_UP } else { declare.queue };
                    queue::DeclareOk { queue, message_count: 0, consumer_count: 0 }.into()
                }
                Method::BasicConsume(method) => {
                    let tag = Some(method.consumer_tag.clone()).filter(|tag| !tag.is_empty());
                    let tag = tag.unwrap_or(REPLIES);
                    self.send(channel, basic::ConsumeOk { consumer_tag: tag.clone() }).await?;
                    return Ok(Consumer { channel, method, tag });
                }
                other => {
                    return Err(self.unexpected(what, Frame::Method { channel, method: other }));
                }
            };
            self.send(channel, answer).await?;
        }
    }

    /// The next message on channel 1, as a whole.
    ///
    /// # Errors
    /// [`ScriptError`] if something else comes.
    pub async fn expect_publish(&mut self) -> Result<Published, ScriptError> {
        self.expect_publish_on(1).await
    }

    /// The next message on a channel, as a whole.
    ///
    /// # Errors
    /// [`ScriptError`] if something else comes.
    pub async fn expect_publish_on(&mut self, channel: u16) -> Result<Published, ScriptError> {
        let method = self.expect::<basic::Publish>(channel).await?;
        let what = "the message's header";
        let header = match self.next(what).await? {
            Frame::Header { channel: found, header } if found == channel => header,
            other => return Err(self.unexpected(what, other)),
        };
        let ContentHeader { body_size, properties } = header;
        let mut body = BytesMut::new();
        while u64::try_from(body.len()).is_ok_and(|length| length < body_size) {
            let what = "the message's body";
            match self.next(what).await? {
                Frame::Body { channel: found, payload } if found == channel => {
                    body.extend_from_slice(&payload);
                }
                other => return Err(self.unexpected(what, other)),
            }
        }
        Ok(Published { channel, method, properties, body: body.freeze() })
    }

    /// Sends a method that carries content, with the content: basic.deliver, basic.return.
    ///
    /// # Errors
    /// [`ScriptError`] if the other end is gone, or does not read.
    pub async fn send_content(
        &mut self,
        channel: u16,
        method: impl Into<Method>,
        properties: BasicProperties,
        body: impl Into<Bytes>,
    ) -> Result<(), ScriptError> {
        let mut body = body.into();
        let body_size = u64::try_from(body.len()).unwrap_or(u64::MAX);
        self.send(channel, method).await?;
        let header = ContentHeader { body_size, properties };
        self.send_frame(Frame::Header { channel, header }).await?;
        while !body.is_empty() {
            let payload = body.split_to(body.len().min(MAX_PAYLOAD));
            self.send_frame(Frame::Body { channel, payload }).await?;
        }
        Ok(())
    }

    /// Delivers a message on channel 1 to the consumer of this tag.
    ///
    /// # Errors
    /// [`ScriptError`] if the other end is gone, or does not read.
    pub async fn deliver(
        &mut self,
        consumer_tag: ShortStr,
        delivery_tag: u64,
        properties: BasicProperties,
        body: impl Into<Bytes>,
    ) -> Result<(), ScriptError> {
        let deliver = basic::Deliver { consumer_tag, delivery_tag, ..basic::Deliver::default() };
        self.send_content(1, deliver, properties, body).await
    }

    /// Answers a request of a client that was let [`subscribe`](Self::subscribe).
    ///
    /// # Errors
    /// [`ScriptError`] if the other end is gone, or does not read.
    pub async fn reply(
        &mut self,
        request: &Published,
        body: impl Into<Bytes>,
    ) -> Result<(), ScriptError> {
        let correlation_id = request.properties.correlation_id.clone();
        let properties = BasicProperties { correlation_id, ..BasicProperties::default() };
        self.deliver(REPLIES, 1, properties, body).await
    }

    /// The other end closes the connection, and that is all.
    ///
    /// # Errors
    /// [`ScriptError`] if it does something else.
    pub async fn goodbye(mut self) -> Result<(), ScriptError> {
        self.expect::<connection::Close>(0).await?;
        self.send(0, connection::CloseOk {}).await?;
        self.expect_end().await
    }
}

/// The tag of the replies' consumer.
const REPLIES: ShortStr = ShortStr::from_static("replies");

/// The name of a queue that was declared without one.
const MADE_UP: ShortStr = ShortStr::from_static("amq.gen-scripted");

/// What fits into the smallest frame-max that AMQP allows.
const MAX_PAYLOAD: usize = 4096_usize.saturating_sub(FRAME_OVERHEAD as usize);

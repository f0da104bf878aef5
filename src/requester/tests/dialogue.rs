//! What a client does in these tests, and what its broker answers.

use super::*;

/// Of the requester in these tests.
pub(super) const SECRET: u128 = 0x00c0_ffee;

/// The correlation-id of the first call made with it.
pub(super) const FIRST_ID: &str = "670b46fa9dba1e08-0000000000000000";

/// The largest body that the requester takes.
pub(super) const MAX_BODY_SIZE: u64 = 100_000;

/// The shared channel: the first that is opened.
pub(super) const SHARED: u16 = 1;

/// The time that calls have, unless a test says otherwise.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);

pub(super) type Client = Dialogue<Requester>;

/// A request to the queue of that name.
pub(super) fn to(queue: &str) -> Outgoing {
    Outgoing { routing_key: short(queue), body: Bytes::from("body"), ..Outgoing::default() }
}

/// The same, on a channel of its own.
pub(super) fn apart(queue: &str) -> Outgoing {
    Outgoing { own_channel: true, ..to(queue) }
}

/// The properties of a reply to the request that had these.
pub(super) fn answering(request: &Published) -> BasicProperties {
    let correlation_id = request.properties.correlation_id.clone();
    BasicProperties { correlation_id, ..BasicProperties::default() }
}

pub(super) fn delivery(consumer_tag: &str) -> basic::Deliver {
    basic::Deliver {
        consumer_tag: short(consumer_tag),
        delivery_tag: 1,
        redelivered: false,
        exchange: ShortStr::EMPTY,
        routing_key: short("amq.rabbitmq.reply-to.g1h2.key=="),
    }
}

pub(super) fn no_route(queue: &str) -> basic::Return {
    basic::Return {
        reply_code: ReplyCode::NO_ROUTE,
        reply_text: short("NO_ROUTE"),
        exchange: ShortStr::EMPTY,
        routing_key: short(queue),
    }
}

pub(super) fn consume() -> basic::Consume {
    let queue = short("amq.rabbitmq.reply-to");
    basic::Consume { queue, no_ack: true, ..basic::Consume::default() }
}

// ---------------------------------------------------------------------- how far it has come

impl Client {
    /// The connection is open and the shared channel on its way.
    pub(super) fn connected_to(broker: Broker) -> Self {
        Self::open(broker, |now| Requester::new(config(), MAX_BODY_SIZE, SECRET, now))
    }

    /// The broker has let the client subscribe on this channel.
    #[track_caller]
    pub(super) fn subscribe(&mut self, channel: u16, consumer_tag: &str) {
        self.engine_sends(on(channel, channel::Open {}));
        self.broker_sends(on(channel, channel::OpenOk {}));
        self.engine_sends(on(channel, consume()));
        self.confirm_consumer(channel, consumer_tag);
    }

    pub(super) fn confirm_consumer(&mut self, channel: u16, consumer_tag: &str) {
        self.broker_sends(on(channel, basic::ConsumeOk { consumer_tag: short(consumer_tag) }));
    }

    /// The client is subscribed on channel 1 as "shared", and has nothing to send.
    pub(super) fn ready() -> Self {
        Self::ready_at(RABBITMQ)
    }

    pub(super) fn ready_at(broker: Broker) -> Self {
        let mut client = Self::connected_to(broker);
        client.subscribe(SHARED, "shared");
        client.engine_is_silent();
        client
    }
}

// ---------------------------------------------------------------------- what its user does

impl Client {
    #[track_caller]
    pub(super) fn request(&mut self, outgoing: Outgoing, timeout: Duration) -> CallId {
        let now = self.now();
        self.engine.request(now, outgoing, timeout).unwrap()
    }

    /// A call whose request has gone out on the shared channel.
    #[track_caller]
    pub(super) fn call(&mut self, queue: &str) -> (CallId, Published) {
        let id = self.request(to(queue), TIMEOUT);
        (id, self.published(SHARED))
    }

    /// A call whose request has gone out on this channel, which is its own.
    #[track_caller]
    pub(super) fn call_apart(&mut self, queue: &str, channel: u16) -> (CallId, Published) {
        let id = self.request(apart(queue), TIMEOUT);
        self.subscribe(channel, "own");
        (id, self.published(channel))
    }

    pub(super) fn cancel(&mut self, id: CallId) {
        self.engine.cancel(id);
    }

    pub(super) fn close(&mut self) {
        let now = self.now();
        self.engine.close(now);
    }

    pub(super) fn poll(&mut self, id: CallId) -> Poll<Result<Reply, CallError>> {
        self.engine.poll_call(id, &mut Context::from_waker(Waker::noop()))
    }

    #[track_caller]
    pub(super) fn is_pending(&mut self, id: CallId) {
        assert_eq!(self.poll(id), Poll::Pending);
    }

    #[track_caller]
    pub(super) fn fails(&mut self, id: CallId) -> CallError {
        match self.poll(id) {
            Poll::Ready(Err(error)) => error,
            other => panic!("an error is expected, not {other:?}"),
        }
    }

    #[track_caller]
    pub(super) fn gets(&mut self, id: CallId, body: &str) {
        match self.poll(id) {
            Poll::Ready(Ok(reply)) => assert_eq!(reply.text(), Ok(body)),
            other => panic!("the reply {body:?} is expected, not {other:?}"),
        }
    }

    pub(super) fn readiness(&mut self) -> Poll<Result<(), SessionError>> {
        self.engine.readiness()
    }

    /// No call is there any more, nor anything that was made for one.
    #[track_caller]
    pub(super) fn nothing_is_left(&mut self) {
        assert_eq!(self.engine.stats().pending, 0);
        assert_eq!(self.engine.calls.len(), 0, "calls that nobody asked about");
        assert_eq!(self.engine.side_channels.len(), 0, "channels without a call");
        self.engine_is_silent();
    }
}

// ---------------------------------------------------------------------- what its broker does

impl Client {
    /// Answers on the shared channel.
    pub(super) fn reply(&mut self, request: &Published, body: &str) {
        self.delivers(SHARED, "shared", &answering(request), body);
    }

    pub(super) fn delivers(
        &mut self,
        channel: u16,
        consumer_tag: &str,
        properties: &BasicProperties,
        body: &str,
    ) {
        let frames = message(channel, delivery(consumer_tag), properties, body.as_bytes());
        self.broker_sends_at_once(frames);
    }

    /// Sends a request back, as it came.
    pub(super) fn returns(&mut self, channel: u16, request: &Published) {
        let queue = request.method.routing_key.to_string();
        let frames = message(channel, no_route(&queue), &request.properties, &request.body);
        self.broker_sends_at_once(frames);
    }

    /// Closes a channel, and waits for the client to confirm it.
    #[track_caller]
    pub(super) fn closes_channel(&mut self, channel: u16, code: ReplyCode, text: &str) {
        self.broker_sends(on(channel, channel_close(code, text)));
        self.engine_sends(on(channel, channel::CloseOk {}));
    }

    /// The client closes the channel of a call.
    #[track_caller]
    pub(super) fn client_closes_channel(&mut self, channel: u16) {
        self.engine_sends(on(channel, channel_close(ReplyCode::REPLY_SUCCESS, "")));
        self.broker_sends(on(channel, channel::CloseOk {}));
    }

    pub(super) fn blocks(&mut self) {
        self.broker_sends(on(0, connection::Blocked { reason: short("low on memory") }));
    }

    pub(super) fn unblocks(&mut self) {
        self.broker_sends(on(0, connection::Unblocked {}));
    }
}

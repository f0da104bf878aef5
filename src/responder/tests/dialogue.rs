//! What a server does in these tests, and what its broker sends.

use super::*;

/// The largest reply that the responder sends.
pub(super) const MAX_REPLY_SIZE: usize = 10_000;

/// What RabbitMQ 3.10 makes of the reply address of a request.
pub(super) const REPLY_ADDRESS: &str =
    "amq.rabbitmq.reply-to.g1h2AA5yZXBseUAyNzc5NjQyMAAAC1oAAAAAZo4bIw==.+Uvn1EmAp0ZA+oQx2yoQFA==";

/// How long a queue is left alone the first time.
pub(super) const REST: Duration = Duration::from_millis(250);

pub(super) type Server = Dialogue<Responder>;

pub(super) fn queue(name: &str) -> QueueOptions {
    QueueOptions::new(short(name))
}

/// The consumer tag that the broker makes on this channel.
pub(super) fn tag(channel: u16) -> ShortStr {
    short(format!("amq.ctag-{channel}"))
}

/// The properties of a request whose caller waits for a reply.
pub(super) fn asking() -> BasicProperties {
    BasicProperties {
        correlation_id: Some(short("17")),
        reply_to: Some(short(REPLY_ADDRESS)),
        ..BasicProperties::default()
    }
}

pub(super) fn reply(body: &'static str) -> Answer {
    Answer::Reply(Reply::from(body))
}

// ---------------------------------------------------------------------- how far it has come

impl Server {
    /// The connection is open and the channels on their way.
    pub(super) fn connected(queues: &[QueueOptions]) -> Self {
        Self::connected_to(RABBITMQ, queues)
    }

    pub(super) fn connected_to(broker: Broker, queues: &[QueueOptions]) -> Self {
        let queues = queues.to_vec();
        let mut server =
            Self::open(broker, |now| Responder::new(config(), queues.clone(), MAX_REPLY_SIZE, now));
        for (channel, _) in (1..).zip(&queues) {
            server.engine_sends(on(channel, channel::Open {}));
        }
        server.engine_is_silent();
        server
    }

    /// The server consumes from the queues "1", "2" and so on, each on the channel of that number.
    pub(super) fn serving(count: u16) -> Self {
        Self::serving_at(RABBITMQ, count)
    }

    pub(super) fn serving_at(broker: Broker, count: u16) -> Self {
        let queues: Vec<_> = (1..=count).map(|number| queue(&number.to_string())).collect();
        Self::serving_from(broker, &queues)
    }

    pub(super) fn serving_from(broker: Broker, queues: &[QueueOptions]) -> Self {
        let mut server = Self::connected_to(broker, queues);
        for (channel, queue) in (1..).zip(queues) {
            server.broker_sends(on(channel, channel::OpenOk {}));
            server.engine_begins(channel, queue);
            server.broker_confirms(channel);
        }
        assert_eq!(server.readiness(), Poll::Ready(Ok(())));
        server
    }

    /// The server does all that it takes to consume from a queue, at once.
    #[track_caller]
    pub(super) fn engine_begins(&mut self, channel: u16, options: &QueueOptions) {
        let QueueOptions { name, passive, durable, exclusive, auto_delete, arguments, prefetch } =
            options.clone();
        let declare = queue_method::Declare {
            queue: name.clone(),
            passive,
            durable,
            exclusive,
            auto_delete,
            nowait: false,
            arguments,
        };
        self.engine_sends(on(channel, declare));
        let qos = basic::Qos { prefetch_count: prefetch, ..basic::Qos::default() };
        self.engine_sends(on(channel, qos));
        let consume = basic::Consume { queue: name, ..basic::Consume::default() };
        self.engine_sends(on(channel, consume));
        self.engine_is_silent();
    }

    pub(super) fn broker_confirms(&mut self, channel: u16) {
        self.broker_sends(on(channel, queue_method::DeclareOk::default()));
        self.broker_sends(on(channel, basic::QosOk {}));
        self.broker_sends(on(channel, basic::ConsumeOk { consumer_tag: tag(channel) }));
    }

    pub(super) fn readiness(&mut self) -> Poll<Result<(), SessionError>> {
        self.engine.readiness()
    }

    pub(super) fn end(&mut self) -> Poll<Result<(), SessionError>> {
        self.engine.end_result()
    }
}

// ---------------------------------------------------------------------- what is asked and answered

impl Server {
    pub(super) fn delivers(
        &mut self,
        channel: u16,
        delivery_tag: u64,
        properties: &BasicProperties,
        body: &str,
    ) {
        let frames = message(channel, delivery(channel, delivery_tag), properties, body.as_bytes());
        self.broker_sends_at_once(frames);
    }

    /// A request arrives and its handler begins.
    #[track_caller]
    pub(super) fn asked(&mut self, channel: u16, delivery_tag: u64) -> Pending {
        self.delivers(channel, delivery_tag, &asking(), "request");
        self.takes().pending
    }

    #[track_caller]
    pub(super) fn takes(&mut self) -> Arrived {
        self.engine.poll_work(self.now()).expect("a request")
    }

    #[track_caller]
    pub(super) fn has_no_request(&mut self) {
        assert!(self.engine.poll_work(self.now()).is_none());
    }

    pub(super) fn answer(&mut self, pending: Pending, answer: Answer) {
        let now = self.now();
        self.engine.answer(now, pending, answer);
    }

    #[track_caller]
    pub(super) fn engine_acks(&mut self, channel: u16, delivery_tag: u64) {
        self.engine_sends(on(channel, basic::Ack { delivery_tag, multiple: false }));
    }

    /// The server answers on this channel and acknowledges.
    #[track_caller]
    pub(super) fn engine_replies(&mut self, channel: u16, delivery_tag: u64) -> Published {
        let published = self.published(channel);
        self.engine_acks(channel, delivery_tag);
        published
    }

    pub(super) fn shut_down(&mut self) {
        let now = self.now();
        self.engine.shutdown(now);
    }

    #[track_caller]
    pub(super) fn engine_cancels(&mut self, channel: u16) {
        let cancel = basic::Cancel { consumer_tag: tag(channel), nowait: false };
        self.engine_sends(on(channel, cancel));
    }

    pub(super) fn broker_confirms_cancel(&mut self, channel: u16) {
        self.broker_sends(on(channel, basic::CancelOk { consumer_tag: tag(channel) }));
    }

    /// The server gives up the channel of a consumer that was cancelled, leaves its queue alone for a
    /// while, and begins anew.
    #[track_caller]
    pub(super) fn engine_begins_again(
        &mut self,
        channel: u16,
        rest: Duration,
        options: &QueueOptions,
    ) {
        self.engine_sends(on(channel, channel_close(ReplyCode::REPLY_SUCCESS, "")));
        self.broker_sends(on(channel, channel::CloseOk {}));
        self.engine_is_silent();
        self.advance(rest - Duration::from_nanos(1));
        self.engine_is_silent();
        self.advance(Duration::from_nanos(1));
        self.engine_sends(on(channel, channel::Open {}));
        self.broker_sends(on(channel, channel::OpenOk {}));
        self.engine_begins(channel, options);
    }

    /// The queue is gone, or its node.
    pub(super) fn broker_cancels(&mut self, channel: u16) {
        let cancel = basic::Cancel { consumer_tag: tag(channel), nowait: true };
        self.broker_sends(on(channel, cancel));
    }
}

pub(super) fn delivery(channel: u16, delivery_tag: u64) -> basic::Deliver {
    basic::Deliver {
        consumer_tag: tag(channel),
        delivery_tag,
        redelivered: false,
        exchange: ShortStr::EMPTY,
        routing_key: short(channel.to_string()),
    }
}

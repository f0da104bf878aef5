//! Both ends of a connection: the client under test, and a broker that says what a test tells it.

use super::*;

/// Time passes only by [`advance`](Self::advance). What is sent arrives at once.
pub(super) struct Dialogue {
    pub(super) connection: Connection,
    now: Instant,
    /// What the broker has sent and the client not yet taken.
    to_client: BytesMut,
    /// What the client has sent and the test not yet looked at.
    to_broker: BytesMut,
}

pub(super) fn on(channel: u16, method: impl Into<Method>) -> Frame {
    Frame::method(channel, method)
}

pub(super) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) fn lost(reason: &str) -> Result<(), ConnectionError> {
    Err(ConnectionError::Lost { reason: reason.to_owned() })
}

/// What RabbitMQ offers.
pub(super) fn tune() -> connection::Tune {
    connection::Tune { channel_max: 2047, frame_max: 131_072, heartbeat: 60 }
}

pub(super) fn start() -> connection::Start {
    connection::Start {
        version_major: 0,
        version_minor: 9,
        server_properties: FieldTable::EMPTY,
        mechanisms: LongStr::from_static("AMQPLAIN PLAIN ANONYMOUS"),
        locales: LongStr::from_static("en_US"),
    }
}

// ---------------------------------------------------------------------- how far it has come

impl Dialogue {
    /// The client has sent the protocol header.
    pub(super) fn new(config: Config) -> Self {
        // Not zero, so that a forgotten clock shows.
        let now = Instant::from_start(seconds(1000));
        let connection = Connection::new(config, now);
        let mut dialogue =
            Self { connection, now, to_client: BytesMut::new(), to_broker: BytesMut::new() };
        dialogue.client_sends_octets(b"AMQP\x00\x00\x09\x01");
        dialogue
    }

    /// The client has logged in.
    pub(super) fn logged_in(config: Config) -> Self {
        let mut dialogue = Self::new(config);
        dialogue.broker_sends(on(0, start()));
        let Frame::Method { channel: 0, method: Method::ConnectionStartOk(_) } = dialogue.sent()
        else {
            panic!("start-ok");
        };
        dialogue
    }

    /// The client has asked to enter the virtual host.
    pub(super) fn tuned(config: Config, tune: connection::Tune) -> (Self, connection::TuneOk) {
        let mut dialogue = Self::logged_in(config);
        dialogue.broker_sends(on(0, tune));
        let Frame::Method { channel: 0, method: Method::ConnectionTuneOk(tune_ok) } =
            dialogue.sent()
        else {
            panic!("tune-ok");
        };
        let virtual_host = ShortStr::from_static("/");
        dialogue.client_sends(on(0, connection::Open { virtual_host }));
        (dialogue, tune_ok)
    }

    /// The connection is open, with RabbitMQ's limits.
    pub(super) fn open() -> Self {
        Self::open_with(Config::default(), tune())
    }

    pub(super) fn open_with(config: Config, tune: connection::Tune) -> Self {
        let (mut dialogue, _) = Self::tuned(config, tune);
        dialogue.broker_sends(on(0, connection::OpenOk {}));
        dialogue.event(Event::Opened);
        dialogue
    }

    /// The connection is open, and so are its channels 1 to `count`.
    pub(super) fn with_channels(count: u16) -> Self {
        let mut dialogue = Self::open();
        for channel in 1..=count {
            dialogue.open_channel(channel);
        }
        dialogue
    }

    /// Opens the next channel, which has to have this number.
    #[track_caller]
    pub(super) fn open_channel(&mut self, number: u16) {
        assert_eq!(self.connection.open_channel(), Ok(number));
        self.client_sends(on(number, channel::Open {}));
        self.broker_sends(on(number, channel::OpenOk {}));
        self.event(Event::ChannelOpened { channel: number });
    }
}

// ---------------------------------------------------------------------- what the world does

impl Dialogue {
    pub(super) fn broker_sends(&mut self, frame: Frame) {
        let mut octets = BytesMut::new();
        frame.encode(&mut octets);
        self.broker_sends_octets(&octets);
    }

    pub(super) fn broker_sends_octets(&mut self, octets: &[u8]) {
        self.to_client.extend_from_slice(octets);
        self.connection.handle_input(self.now, &mut self.to_client);
    }

    pub(super) fn broker_sends_octets_one_by_one(&mut self, octets: &[u8]) {
        for octet in octets {
            self.broker_sends_octets(&[*octet]);
        }
    }

    pub(super) fn broker_closes_the_socket(&mut self) {
        self.connection.handle_eof();
    }

    pub(super) fn the_socket_fails(&mut self, reason: &str) {
        self.connection.handle_transport_error(reason.to_owned());
    }

    /// Time passes, and every timer in it goes off when it is due.
    #[track_caller]
    pub(super) fn advance(&mut self, duration: Duration) {
        let end = self.now.after(duration);
        while let Some(due) = self.connection.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.connection.handle_timeout(self.now);
            self.transmit();
            let next = self.connection.poll_timeout();
            assert!(next.is_none_or(|next| next > self.now), "a timer that would spin: {next:?}");
        }
        self.now = end;
    }

    pub(super) fn now(&self) -> Instant {
        self.now
    }

    pub(super) fn close(&mut self) {
        self.connection.close(self.now);
    }

    fn transmit(&mut self) {
        self.connection.poll_transmit(self.now, &mut self.to_broker);
    }
}

// ---------------------------------------------------------------------- what the client does

impl Dialogue {
    /// The next frame that the client sends, which must be within frame-max.
    #[track_caller]
    pub(super) fn sent(&mut self) -> Frame {
        self.transmit();
        let max_payload = match self.connection.frame_max() {
            0 => u32::MAX,
            frame_max => frame_max - leveret_codec::FRAME_OVERHEAD,
        };
        match Frame::decode(&mut self.to_broker, max_payload) {
            Ok(Some(frame)) => frame,
            other => panic!("a whole frame is expected, not {other:?}"),
        }
    }

    #[track_caller]
    pub(super) fn client_sends(&mut self, frame: Frame) {
        assert_eq!(self.sent(), frame);
    }

    #[track_caller]
    pub(super) fn client_sends_octets(&mut self, octets: &[u8]) {
        self.transmit();
        assert_eq!(self.to_broker.split_to(octets.len().min(self.to_broker.len())), octets);
    }

    #[track_caller]
    pub(super) fn client_is_silent(&mut self) {
        self.transmit();
        assert_eq!(self.to_broker, b""[..], "nothing is to be sent");
    }

    #[track_caller]
    pub(super) fn event(&mut self, event: Event) {
        assert_eq!(self.connection.poll_event(), Some(event));
    }

    #[track_caller]
    pub(super) fn no_event(&mut self) {
        assert_eq!(self.connection.poll_event(), None);
    }

    /// All events that are waiting.
    pub(super) fn events(&mut self) -> Vec<Event> {
        core::iter::from_fn(|| self.connection.poll_event()).collect()
    }
}

// ---------------------------------------------------------------------- how it ends

impl Dialogue {
    /// The connection is over, for this reason and for good.
    #[track_caller]
    pub(super) fn ends(&mut self, result: Result<(), ConnectionError>) {
        self.event(Event::Closed(result));
        self.has_ended();
    }

    /// The connection is over, with this text.
    #[track_caller]
    pub(super) fn ends_with_text(&mut self, text: &str) {
        match self.connection.poll_event() {
            Some(Event::Closed(Err(error))) => assert_eq!(error.to_string(), text),
            other => panic!("a final error is expected, not {other:?}"),
        }
        self.has_ended();
    }

    /// The socket ends, and the connection with this text.
    #[track_caller]
    pub(super) fn ends_on_eof_with_text(&mut self, text: &str) {
        self.broker_closes_the_socket();
        self.ends_with_text(text);
    }

    /// The peer broke the protocol: it is told so, and so is the user, once. Nothing follows.
    #[track_caller]
    pub(super) fn ends_in_violation(&mut self, code: ReplyCode, text: &str) {
        self.fails_in_violation(code, text);
        self.broker_sends(on(0, connection::CloseOk {}));
        self.has_ended();
    }

    /// As [`ends_in_violation`](Self::ends_in_violation), up to where close-ok is awaited.
    #[track_caller]
    pub(super) fn fails_in_violation(&mut self, code: ReplyCode, text: &str) {
        let reply_text = format!("{} - {text}", code.name().unwrap());
        let close = connection::Close {
            reply_code: code,
            reply_text: ShortStr::try_from(reply_text).unwrap(),
            ..connection::Close::default()
        };
        self.client_sends(on(0, close));
        let error = ConnectionError::ProtocolViolation { code, text: text.to_owned() };
        self.event(Event::Closed(Err(error)));
        assert!(!self.connection.is_finished(), "close-ok is awaited");
        self.is_deaf();
    }

    /// The final event is out and everything done: input, time and commands change nothing.
    #[track_caller]
    pub(super) fn has_ended(&mut self) {
        assert!(self.connection.is_finished());
        self.is_deaf();
        for method in [Method::from(start()), tune().into(), connection::OpenOk {}.into()] {
            self.broker_sends(on(0, method));
        }
        self.broker_sends(on(0, connection::Close::default()));
        self.broker_sends(on(0, connection::CloseOk {}));
        self.broker_closes_the_socket();
        self.the_socket_fails("connection reset by peer");
        assert_eq!(self.connection.poll_timeout(), None);
        self.connection.handle_timeout(self.now);
        self.advance(seconds(1_000_000));
        self.connection.handle_timeout(self.now);
        self.close();
        self.connection.fail(self.now, Violation::new(ReplyCode::NOT_ALLOWED, "too late"));
        self.no_event();
        self.client_is_silent();
        assert!(self.connection.is_finished());
    }

    /// Nothing but close and close-ok is heard any more, and no command is taken.
    #[track_caller]
    fn is_deaf(&mut self) {
        self.broker_sends(Frame::Heartbeat);
        self.broker_sends(on(0, connection::Unblocked {}));
        self.broker_sends(on(1, channel::Flow { active: true }));
        self.broker_sends(on(1, basic::Deliver::default()));
        self.broker_sends(Frame::Header { channel: 1, header: ContentHeader::default() });
        self.broker_sends(on(1, basic::Publish::default()));
        self.broker_sends_octets(b"no frame at all");
        assert_eq!(self.to_client, b""[..], "input is taken, and dropped");

        let empty = BasicProperties::default;
        let publish = self.connection.publish(1, basic::Publish::default(), empty(), b"body");
        assert_eq!(publish, Err(Misuse::NotOpen));
        assert_eq!(self.connection.send(1, basic::Qos::default()), Err(Misuse::NotOpen));
        assert_eq!(self.connection.open_channel(), Err(Misuse::NotOpen));
        assert_eq!(self.connection.close_channel(1), Err(Misuse::NotOpen));
        let update = self.connection.update_secret(Secret::default(), ShortStr::EMPTY);
        assert_eq!(update, Err(Misuse::NotOpen));

        self.no_event();
        self.client_is_silent();
    }
}

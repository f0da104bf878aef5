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

    /// What the client has left unread.
    pub(super) fn unread(&self) -> &[u8] {
        &self.to_client
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

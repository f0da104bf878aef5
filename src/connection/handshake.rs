//! From the protocol header to `connection.open-ok` (AMQP 0-9-1, 2.2.4).

use alloc::string::ToString;

use leveret_codec::{Method, ReplyCode, Secret, ShortStr, connection as method};

use super::config::client_properties;
use super::heartbeat::Heartbeat;
use super::{Connection, ConnectionError, Event, State, Violation};
use crate::Instant;

/// The least frame-max of the specification. RabbitMQ asks for 4096 up to 4.0, 8192 from 4.1.
const FRAME_MIN_SIZE: u32 = 4096;

impl Connection {
    pub(super) fn handle_handshake(
        &mut self,
        now: Instant,
        method: Method,
    ) -> Result<(), Violation> {
        match (self.state, method) {
            (State::ExpectStart, Method::ConnectionStart(start)) => self.handle_start(start),
            (State::ExpectTune, Method::ConnectionSecure(_)) if !self.challenged => {
                // None of our mechanisms needs a second question; who asks gets the same answer.
                self.challenged = true;
                let response = self.config.credentials.response();
                self.transmit_method(0, method::SecureOk { response });
                Ok(())
            }
            (State::ExpectTune, Method::ConnectionTune(tune)) => {
                self.handle_tune(now, &tune);
                Ok(())
            }
            (State::ExpectOpenOk, Method::ConnectionOpenOk(_)) => {
                self.state = State::Open;
                self.deadline = None;
                self.events.push_back(Event::Opened);
                Ok(())
            }
            (_, method) => Err(Violation::out_of_order(&method)),
        }
    }

    fn handle_start(&mut self, start: method::Start) -> Result<(), Violation> {
        let (major, minor) = (start.version_major, start.version_minor);
        if (major, minor) != (0, 9) {
            let text = alloc::format!("connection.start of AMQP {major}-{minor} instead of 0-9");
            return Err(Violation::new(ReplyCode::NOT_IMPLEMENTED, text));
        }
        self.server_properties = start.server_properties.detached();
        let wanted = self.config.credentials.mechanism();
        let offered = start.mechanisms.to_string();
        if !offered.split(' ').any(|mechanism| mechanism == wanted) {
            let offered = self.quote(offered);
            self.finish(Err(ConnectionError::NoMechanism { wanted, offered }));
            return Ok(());
        }
        let response: Secret = self.config.credentials.response();
        self.transmit_method(
            0,
            method::StartOk {
                client_properties: client_properties(&self.config),
                mechanism: ShortStr::from_static(wanted),
                response,
                locale: ShortStr::from_static("en_US"),
            },
        );
        self.state = State::ExpectTune;
        Ok(())
    }

    /// The smaller of both sides' limits, where 0 is no limit. A broker with a limit refuses 0 and
    /// anything above its own, so its limit is the most that is ever answered.
    fn handle_tune(&mut self, now: Instant, tune: &method::Tune) {
        let defaults = super::Config::default();
        self.channel_max =
            negotiate(self.config.channel_max, tune.channel_max).unwrap_or(defaults.channel_max);
        // Without a limit of our own, the peer's is taken as far as we would read.
        self.frame_max = negotiate(self.config.frame_max, tune.frame_max)
            .unwrap_or(defaults.frame_max)
            .min(self.config.frame_max.max(self.config.max_received_frame));
        if self.frame_max < FRAME_MIN_SIZE {
            let frame_max = self.frame_max;
            return self.finish(Err(ConnectionError::FrameMaxTooSmall { frame_max }));
        }
        let heartbeat = Heartbeat::negotiate(self.config.heartbeat, tune.heartbeat);
        self.heartbeat = Heartbeat::new(heartbeat, now);
        self.transmit_method(
            0,
            method::TuneOk { channel_max: self.channel_max, frame_max: self.frame_max, heartbeat },
        );
        let virtual_host = self.config.virtual_host.clone();
        self.transmit_method(0, method::Open { virtual_host });
        self.state = State::ExpectOpenOk;
    }
}

/// `None` if neither side has a limit.
fn negotiate<T: Ord + Default + Copy>(ours: T, theirs: T) -> Option<T> {
    let none = T::default();
    match (ours == none, theirs == none) {
        (true, true) => None,
        (true, false) => Some(theirs),
        (false, true) => Some(ours),
        (false, false) => Some(ours.min(theirs)),
    }
}

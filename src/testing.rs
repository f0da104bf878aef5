//! A broker for tests of the engines: it says what a test tells it, in virtual time.

mod frames;
mod sleeper;

use alloc::vec::Vec;
use core::task::Waker;
use core::time::Duration;

use bytes::{BufMut, BytesMut};
use leveret_codec::{
    BasicProperties, ContentHeader, FRAME_OVERHEAD, FieldTable, Frame, LongStr, Method, ReplyCode,
    basic, connection,
};

use crate::Instant;
use crate::connection::Config;
use crate::engine::Engine;

pub(crate) use self::frames::*;
pub(crate) use self::sleeper::Sleeper;

/// Both ends of a connection: the engine under test, and the broker. Time passes only by
/// [`advance`](Self::advance), and what is sent arrives at once.
pub(crate) struct Dialogue<E> {
    pub(crate) engine: E,
    now: Instant,
    /// What the broker has sent and the engine not yet taken.
    to_engine: BytesMut,
    /// What the engine has sent and the test not yet looked at.
    to_broker: BytesMut,
    /// The address that the engine wants to be connected to.
    wanted: Option<usize>,
}

/// What the broker says of itself in the handshake.
#[derive(Clone, Copy)]
pub(crate) struct Broker {
    pub(crate) direct_reply_to: bool,
    pub(crate) channel_max: u16,
    pub(crate) frame_max: u32,
    pub(crate) heartbeat: u16,
}

pub(crate) const RABBITMQ: Broker =
    Broker { direct_reply_to: true, channel_max: 2047, frame_max: 131_072, heartbeat: 0 };

/// Without heartbeats, which only one test is about.
pub(crate) fn config() -> Config {
    Config { heartbeat: 0, ..Config::default() }
}

/// A message that the engine has published.
#[derive(Debug, PartialEq)]
pub(crate) struct Published {
    pub(crate) method: basic::Publish,
    pub(crate) properties: BasicProperties,
    pub(crate) body: Vec<u8>,
}

// ---------------------------------------------------------------------- what the broker does

impl<E: Engine> Dialogue<E> {
    /// The engine and the broker have shaken hands; the engine has had no time to say more.
    #[track_caller]
    pub(crate) fn open(broker: Broker, engine: impl FnOnce(Instant) -> E) -> Self {
        let mut dialogue = Self::greeted(engine);
        dialogue.shake_hands(broker);
        dialogue
    }

    /// The engine has sent the protocol header.
    #[track_caller]
    pub(crate) fn greeted(engine: impl FnOnce(Instant) -> E) -> Self {
        // Not zero, so that a forgotten clock shows.
        let now = Instant::from_start(seconds(1000));
        let mut dialogue = Self {
            engine: engine(now),
            now,
            to_engine: BytesMut::new(),
            to_broker: BytesMut::new(),
            wanted: None,
        };
        dialogue.transmit();
        assert_eq!(dialogue.to_broker.split(), b"AMQP\x00\x00\x09\x01"[..]);
        dialogue
    }

    /// The engine asks for another connection, to that address, and gets it.
    #[track_caller]
    pub(crate) fn connects_anew(&mut self, address: usize) {
        self.reaches(address);
        self.shake_hands(RABBITMQ);
    }

    /// The engine asks for another connection, to that address, and there is a transport.
    #[track_caller]
    pub(crate) fn reaches(&mut self, address: usize) {
        self.wants_to_connect(address);
        self.engine.handle_connected(self.now);
        self.transmit();
        assert_eq!(self.to_broker.split(), b"AMQP\x00\x00\x09\x01"[..]);
    }

    /// The pause is over: the engine asks to be connected to that address.
    #[track_caller]
    pub(crate) fn wants_to_connect(&mut self, address: usize) {
        assert!(self.engine.is_disconnected(), "the old transport is done with");
        self.discard_sent();
        self.to_engine.clear();
        self.advance(Duration::from_secs(60));
        assert_eq!(self.wanted.take(), Some(address), "the address to connect to");
    }

    #[track_caller]
    pub(crate) fn shake_hands(&mut self, broker: Broker) {
        self.shake_hands_and(broker, None);
    }

    /// With these frames right behind the last of the handshake.
    #[track_caller]
    pub(crate) fn shake_hands_and(
        &mut self,
        broker: Broker,
        more: impl IntoIterator<Item = Frame>,
    ) {
        let Broker { channel_max, frame_max, heartbeat, .. } = broker;
        self.broker_sends(on(0, start(broker)));
        assert!(matches!(self.method(0), Method::ConnectionStartOk(_)));
        self.broker_sends(on(0, connection::Tune { channel_max, frame_max, heartbeat }));
        let tune_ok = connection::TuneOk { channel_max, frame_max, heartbeat };
        self.engine_sends(on(0, tune_ok));
        self.engine_sends(on(0, connection::Open { virtual_host: short("/") }));
        self.broker_sends_at_once([on(0, connection::OpenOk {})].into_iter().chain(more));
    }

    pub(crate) fn broker_sends(&mut self, frame: Frame) {
        self.broker_sends_at_once([frame]);
    }

    /// All of it arrives in one read.
    pub(crate) fn broker_sends_at_once(&mut self, frames: impl IntoIterator<Item = Frame>) {
        frames.into_iter().for_each(|frame| frame.encode(&mut self.to_engine));
        self.engine.handle_input(self.now, &mut self.to_engine);
    }

    /// What need not be a frame that can be read.
    pub(crate) fn broker_sends_octets(&mut self, octets: &[u8]) {
        self.to_engine.put_slice(octets);
        self.engine.handle_input(self.now, &mut self.to_engine);
    }

    pub(crate) fn broker_sends_octet_by_octet(&mut self, frames: impl IntoIterator<Item = Frame>) {
        let mut octets = BytesMut::new();
        frames.into_iter().for_each(|frame| frame.encode(&mut octets));
        for octet in octets {
            self.to_engine.put_u8(octet);
            self.engine.handle_input(self.now, &mut self.to_engine);
        }
    }

    pub(crate) fn broker_closes_the_socket(&mut self) {
        self.engine.handle_eof(self.now);
    }

    pub(crate) fn the_socket_fails(&mut self, reason: &str) {
        self.engine.handle_transport_error(self.now, reason.into());
    }

    /// Time passes, and every timer in it goes off when it is due.
    #[track_caller]
    pub(crate) fn advance(&mut self, duration: Duration) {
        let end = self.now.after(duration);
        while let Some(due) = self.engine.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.engine.handle_timeout(self.now);
            self.wanted = self.engine.poll_connect(self.now).or(self.wanted);
            let next = self.engine.poll_timeout();
            assert!(next.is_none_or(|next| next > self.now), "a timer that would spin: {next:?}");
        }
        self.now = end;
    }

    pub(crate) fn now(&self) -> Instant {
        self.now
    }
}

fn start(broker: Broker) -> connection::Start {
    let mut capabilities = FieldTable::new();
    capabilities.insert("direct_reply_to", broker.direct_reply_to).unwrap();
    let mut server_properties = FieldTable::new();
    server_properties.insert("product", "Warren").unwrap();
    server_properties.insert("capabilities", capabilities).unwrap();
    connection::Start {
        version_major: 0,
        version_minor: 9,
        server_properties,
        mechanisms: LongStr::from_static("PLAIN AMQPLAIN"),
        locales: LongStr::from_static("en_US"),
    }
}

// ---------------------------------------------------------------------- what the engine does

impl<E: Engine> Dialogue<E> {
    /// The driver takes what there is to send.
    pub(crate) fn transmit(&mut self) {
        self.engine.poll_transmit(self.now, &mut self.to_broker);
    }

    /// The next frame that the engine sends, if any, which must be within frame-max.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Option<Frame> {
        self.transmit();
        let max_payload = self.engine.connection().frame_max().saturating_sub(FRAME_OVERHEAD);
        let frame = Frame::decode(&mut self.to_broker, max_payload).expect("frames");
        assert!(frame.is_some() || self.to_broker.is_empty(), "half a frame");
        frame
    }

    #[track_caller]
    pub(crate) fn sent(&mut self) -> Frame {
        self.next().expect("a frame is to be sent")
    }

    #[track_caller]
    pub(crate) fn engine_sends(&mut self, frame: Frame) {
        assert_eq!(self.sent(), frame);
    }

    #[track_caller]
    pub(crate) fn engine_is_silent(&mut self) {
        assert_eq!(self.next(), None, "nothing is to be sent");
    }

    /// Whatever it sends, nobody reads it.
    pub(crate) fn discard_sent(&mut self) {
        self.transmit();
        self.to_broker.clear();
    }

    /// The next frame, which is a method on this channel.
    #[track_caller]
    pub(crate) fn method(&mut self, on: u16) -> Method {
        match self.sent() {
            Frame::Method { channel, method } if channel == on => method,
            other => panic!("a method on channel {on} is expected, not {other:?}"),
        }
    }

    /// The next frames, which are a message published on this channel.
    #[track_caller]
    pub(crate) fn published(&mut self, on: u16) -> Published {
        let Method::BasicPublish(method) = self.method(on) else { panic!("basic.publish") };
        self.rest_of(on, method)
    }

    /// Header and body of a message that has begun.
    #[track_caller]
    pub(crate) fn rest_of(&mut self, on: u16, method: basic::Publish) -> Published {
        let ContentHeader { body_size, properties } = match self.sent() {
            Frame::Header { channel, header } if channel == on => header,
            other => panic!("a header on channel {on} is expected, not {other:?}"),
        };
        let mut body = Vec::new();
        while (body.len() as u64) < body_size {
            match self.sent() {
                Frame::Body { channel, payload } if channel == on => body.extend(payload),
                other => panic!("a body on channel {on} is expected, not {other:?}"),
            }
        }
        Published { method, properties, body }
    }

    /// It has found the broker at fault, says so, and ends.
    #[track_caller]
    pub(crate) fn engine_closes_over(&mut self, text: &str) {
        let text = alloc::format!("COMMAND_INVALID - {text}");
        self.engine_sends(on(0, connection_close(ReplyCode::COMMAND_INVALID, &text)));
        self.engine_is_silent();
        assert!(!self.engine.is_finished(), "close-ok is awaited");
        self.broker_sends(on(0, connection::CloseOk {}));
        assert!(self.engine.is_finished());
    }

    /// It ends in good order.
    #[track_caller]
    pub(crate) fn engine_says_goodbye(&mut self) {
        self.engine_sends(on(0, connection_close(ReplyCode::REPLY_SUCCESS, "bye")));
        self.engine_is_silent();
        assert!(!self.engine.is_finished(), "close-ok is awaited");
        self.broker_sends(on(0, connection::CloseOk {}));
        assert!(self.engine.is_finished());
    }

    /// Does what the driver does after each turn.
    pub(crate) fn wake(&mut self) {
        let mut wake = Vec::new();
        self.engine.take_wakers(&mut wake);
        wake.into_iter().for_each(Waker::wake);
    }
}

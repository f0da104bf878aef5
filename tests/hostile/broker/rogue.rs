//! [`Rogue`]: a client of a broker without sockets, whose attacks cost nothing but the broker's time.

use bytes::BytesMut;
use leveret::broker::{Broker, Node, SessionId, Version};
use leveret::{Instant, LongStr, ShortStr};
use leveret_codec::{Frame, Method, Secret, basic, channel, connection, queue};

use crate::octets::{frames, header, method};

pub(super) const QUEUE: ShortStr = ShortStr::from_static("queue");

/// Logged in, with channel 1 and a queue.
pub(super) struct Rogue {
    node: Node,
    id: SessionId,
}

impl Rogue {
    pub(super) fn new(version: Version) -> Self {
        let mut node = Broker::builder().version(version).without_io();
        let id = node.accept(Instant::default());
        let mut rogue = Self { node, id };
        let start_ok = connection::StartOk {
            mechanism: ShortStr::from_static("PLAIN"),
            response: Secret(LongStr::from_static("\0guest\0guest")),
            ..Default::default()
        };
        let tune_ok = connection::TuneOk { channel_max: 2047, frame_max: 131_072, heartbeat: 0 };
        rogue.say(b"AMQP\x00\x00\x09\x01");
        rogue.say(&method(0, start_ok));
        rogue.say(&method(0, tune_ok));
        rogue.say(&method(0, connection::Open { virtual_host: ShortStr::from_static("/") }));
        rogue.say(&method(1, channel::Open {}));
        rogue.say(&method(1, queue::Declare { queue: QUEUE, ..Default::default() }));
        rogue.hear();
        rogue
    }

    /// All of it comes in one buffer, as it would from a socket.
    pub(super) fn say(&mut self, octets: &[u8]) {
        let mut input = BytesMut::from(octets);
        self.node.handle_input(self.id, Instant::default(), &mut input);
        assert!(input.is_empty(), "the broker reads");
    }

    /// What the broker has to say to it.
    pub(super) fn hear(&mut self) -> BytesMut {
        let mut output = BytesMut::new();
        self.node.poll_transmit(self.id, &mut output);
        output
    }

    /// The same, as frames.
    pub(super) fn hear_frames(&mut self) -> Vec<Frame> {
        let mut output = self.hear();
        let next = || Frame::decode(&mut output, 1 << 20).unwrap();
        std::iter::from_fn(next).collect()
    }

    pub(super) fn hang_up(&mut self) {
        self.node.forget(self.id, Instant::default());
    }

    /// What the queue holds: messages and consumers. The broker is in its senses if it can tell.
    pub(super) fn count(&mut self) -> (u32, u32) {
        self.hear();
        self.say(&method(1, queue::Declare { queue: QUEUE, passive: true, ..Default::default() }));
        match &*self.hear_frames() {
            [Frame::Method { method: Method::QueueDeclareOk(ok), .. }] => {
                (ok.message_count, ok.consumer_count)
            }
            other => panic!("{other:?}"),
        }
    }
}

/// A message without a body for the queue.
pub(super) fn message() -> Vec<u8> {
    let publish = basic::Publish { routing_key: QUEUE, ..Default::default() };
    frames([Frame::method(1, publish), header(1, 0)])
}

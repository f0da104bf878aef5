//! The broker's part of what an engine does, in memory.

use bytes::BytesMut;
use leveret::connection::Config;
use leveret::{Engine, Instant};
use leveret_codec::{
    FieldTable, Frame, LongStr, Method, ShortStr, basic, channel, connection, queue,
};

use crate::message::{CONSUMER_TAG, MAX_PAYLOAD};

/// An engine whose broker does at once what it asks for.
pub(crate) struct Dialogue<E> {
    pub(crate) engine: E,
    pub(crate) now: Instant,
    /// Read into and emptied again, as a driver does.
    pub(crate) input: BytesMut,
    /// What the engine has sent.
    pub(crate) output: BytesMut,
}

impl<E: Engine> Dialogue<E> {
    pub(crate) fn new(engine: impl FnOnce(Config, Instant) -> E) -> Self {
        let now = Instant::default();
        let config = Config { heartbeat: 0, ..Config::default() };
        let (input, output) = (BytesMut::with_capacity(0x1_0000), BytesMut::new());
        let mut dialogue = Self { engine: engine(config, now), now, input, output };
        dialogue.engine.poll_transmit(now, &mut dialogue.output);
        dialogue.output.clear();
        dialogue.greet();
        dialogue.answer_until_silent();
        dialogue
    }

    fn greet(&mut self) {
        let mut capabilities = FieldTable::new();
        let mut server_properties = FieldTable::new();
        capabilities.insert("direct_reply_to", true).expect("a short name");
        server_properties.insert("capabilities", capabilities).expect("a short name");
        let mechanisms = LongStr::from_static("PLAIN");
        let locales = LongStr::from_static("en_US");
        let (version_major, version_minor) = (0, 9);
        let start = connection::Start {
            version_major,
            version_minor,
            server_properties,
            mechanisms,
            locales,
        };
        self.receive(Frame::method(0, start));
    }

    fn receive(&mut self, frame: Frame) {
        frame.encode(&mut self.input);
        self.engine.handle_input(self.now, &mut self.input);
    }

    fn answer_until_silent(&mut self) {
        loop {
            self.engine.poll_transmit(self.now, &mut self.output);
            let Some(frame) = self.sent() else { return };
            let Frame::Method { channel, method } = frame else { panic!("no method: {frame:?}") };
            let answer: Option<Method> = match method {
                Method::ConnectionStartOk(_) => {
                    let (channel_max, frame_max) = (2047, 131_072);
                    Some(connection::Tune { channel_max, frame_max, heartbeat: 0 }.into())
                }
                Method::ConnectionOpen(_) => Some(connection::OpenOk {}.into()),
                Method::ChannelOpen(_) => Some(channel::OpenOk {}.into()),
                Method::QueueDeclare(declare) => {
                    let queue = declare.queue;
                    Some(queue::DeclareOk { queue, ..Default::default() }.into())
                }
                Method::BasicQos(_) => Some(basic::QosOk {}.into()),
                Method::BasicConsume(_) => {
                    Some(basic::ConsumeOk { consumer_tag: CONSUMER_TAG }.into())
                }
                _ => None,
            };
            if let Some(answer) = answer {
                self.receive(Frame::method(channel, answer));
            }
        }
    }

    fn sent(&mut self) -> Option<Frame> {
        Frame::decode(&mut self.output, MAX_PAYLOAD).expect("frames")
    }

    /// The correlation-ids of the messages that the engine has sent. Acknowledgements are read past.
    ///
    /// They are read from a copy: the buffer goes back to the engine, as a driver gives it back.
    pub(crate) fn published(&mut self) -> Vec<ShortStr> {
        let mut published = Vec::new();
        let mut copy = BytesMut::from(&*self.output);
        self.output.clear();
        while let Some(frame) = Frame::decode(&mut copy, MAX_PAYLOAD).expect("frames") {
            if let Frame::Header { header, .. } = frame {
                published.push(header.properties.correlation_id.expect("a correlation-id"));
            }
        }
        published
    }
}

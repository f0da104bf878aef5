//! The broker's part of what an engine does, in memory.

use std::collections::VecDeque;

use bytes::BytesMut;
use leveret::connection::Config;
use leveret::{Engine, Instant};
use leveret_codec::{
    BasicProperties, ContentHeader, FieldTable, Frame, LongStr, Method, ShortStr, basic, channel,
    connection, encode_body, queue,
};

/// RabbitMQ's frame-max, less what is around a payload.
pub(crate) const MAX_PAYLOAD: u32 = 131_072 - 8;

pub(crate) const BODY: [u8; 64] = [0x2a; 64];

/// As long as those that RabbitMQ chooses.
pub(crate) const CONSUMER_TAG: ShortStr = ShortStr::from_static("amq.ctag-0123456789abcdefghijkl");

/// The reply address that RabbitMQ makes of a connection and a channel.
pub(crate) const REPLY_ADDRESS: ShortStr = ShortStr::from_static(
    "amq.rabbitmq.reply-to.g1h3AAtyZXBseUAxMjM0NQAADBkAAAAAZaK1vw==.ZGVhZGJlZWZkZWFkYmVlZg==",
);

/// An engine whose broker does at once what it asks for.
pub(crate) struct Dialogue<E> {
    pub(crate) engine: E,
    pub(crate) now: Instant,
    /// Read into and emptied again, as a driver does.
    pub(crate) input: BytesMut,
    /// What the engine has sent.
    pub(crate) output: BytesMut,
}

/// A request that the engine has published, or a reply.
pub(crate) struct Published {
    pub(crate) correlation_id: ShortStr,
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

    /// The messages in what the engine has sent. Acknowledgements are read past.
    pub(crate) fn published(&mut self) -> VecDeque<Published> {
        let mut published = VecDeque::new();
        while let Some(frame) = self.sent() {
            if let Frame::Header { header, .. } = frame {
                let correlation_id = header.properties.correlation_id.expect("a correlation-id");
                published.push_back(Published { correlation_id });
            }
        }
        published
    }
}

/// What servers send with a reply.
pub(crate) fn reply_properties(correlation_id: ShortStr) -> BasicProperties {
    BasicProperties { correlation_id: Some(correlation_id), ..BasicProperties::default() }
}

/// A message as the broker delivers it on channel 1.
pub(crate) fn delivery(
    out: &mut BytesMut,
    routing_key: ShortStr,
    properties: BasicProperties,
    body: &[u8],
) {
    let deliver = basic::Deliver {
        consumer_tag: CONSUMER_TAG,
        delivery_tag: 1,
        redelivered: false,
        exchange: ShortStr::EMPTY,
        routing_key,
    };
    Frame::method(1, deliver).encode(out);
    let header = ContentHeader { body_size: body.len() as u64, properties };
    Frame::Header { channel: 1, header }.encode(out);
    encode_body(1, body, MAX_PAYLOAD, out);
}

//! The broker's end of an engine, as far as it is honest: a fuzzer that had to find the handshake by
//! itself would be at it for ever.

use bytes::{BufMut, BytesMut};
use leveret::connection::Config;
use leveret_codec::{
    BasicProperties, ContentHeader, FieldTable, Frame, FrameKind, LongStr, Method, RawFrame,
    ShortStr, basic, channel, connection, queue,
};

/// Small, so that limits are met.
pub(crate) fn config() -> Config {
    Config {
        channel_max: 5,
        frame_max: 4096,
        heartbeat: 10,
        max_body_size: 0x1_0000,
        max_received_frame: 0x4000,
        ..Config::default()
    }
}

/// The tag of every consumer.
pub(crate) const CONSUMER_TAG: ShortStr = ShortStr::from_static("consumer");

/// Greeting, limits and welcome, in one read.
pub(crate) fn handshake(frame_max: u32, channel_max: u16, heartbeat: u16) -> BytesMut {
    let mut capabilities = FieldTable::new();
    let mut server_properties = FieldTable::new();
    capabilities.insert("direct_reply_to", true).expect("it is short");
    server_properties.insert("capabilities", capabilities).expect("it is short");
    let start = connection::Start {
        version_major: 0,
        version_minor: 9,
        server_properties,
        mechanisms: LongStr::from_static("PLAIN AMQPLAIN"),
        locales: LongStr::from_static("en_US"),
    };
    encoded([
        Frame::method(0, start),
        Frame::method(0, connection::Tune { channel_max, frame_max, heartbeat }),
        Frame::method(0, connection::OpenOk {}),
    ])
}

pub(crate) fn encoded(frames: impl IntoIterator<Item = Frame>) -> BytesMut {
    let mut octets = BytesMut::new();
    frames.into_iter().for_each(|frame| frame.encode(&mut octets));
    octets
}

/// The frame on one of the first channels, where others are.
pub(crate) fn nearby(mut frame: Frame) -> Frame {
    match &mut frame {
        Frame::Method { channel, .. }
        | Frame::Header { channel, .. }
        | Frame::Body { channel, .. } => *channel %= 4,
        Frame::Heartbeat => {}
    }
    frame
}

/// What an honest broker answers to all that it was asked.
pub(crate) fn answers(asked: &mut Vec<(u16, Method)>) -> BytesMut {
    encoded(asked.drain(..).filter_map(|(channel, asked)| answer(channel, &asked)))
}

/// What an honest broker answers, if anything.
pub(crate) fn answer(channel: u16, asked: &Method) -> Option<Frame> {
    let method: Method = match asked {
        Method::ChannelOpen(_) => channel::OpenOk {}.into(),
        Method::ChannelClose(_) => channel::CloseOk {}.into(),
        Method::ConnectionClose(_) => connection::CloseOk {}.into(),
        Method::QueueDeclare(declare) => {
            queue::DeclareOk { queue: declare.queue.clone(), ..queue::DeclareOk::default() }.into()
        }
        Method::BasicQos(_) => basic::QosOk {}.into(),
        Method::BasicConsume(_) => basic::ConsumeOk { consumer_tag: CONSUMER_TAG }.into(),
        Method::BasicCancel(cancel) => {
            basic::CancelOk { consumer_tag: cancel.consumer_tag.clone() }.into()
        }
        _ => return None,
    };
    Some(Frame::method(channel, method))
}

/// A method with content, in body frames of at most 4,096 octets.
pub(crate) fn content(
    channel: u16,
    method: impl Into<Method>,
    properties: BasicProperties,
    body: &[u8],
) -> BytesMut {
    let header = ContentHeader { body_size: body.len() as u64, properties };
    let mut octets = encoded([Frame::method(channel, method), Frame::Header { channel, header }]);
    leveret_codec::encode_body(channel, body, 4096 - 8, &mut octets);
    octets
}

/// The same with properties that somebody else has written, flags and all.
pub(crate) fn passed_on(
    channel: u16,
    method: impl Into<Method>,
    properties: &[u8],
    body: &[u8],
) -> BytesMut {
    let mut octets = encoded([Frame::method(channel, method)]);
    let mut payload = BytesMut::new();
    payload.put_u32(60 << 16);
    payload.put_u64(body.len() as u64);
    payload.put_slice(properties);
    RawFrame { kind: FrameKind::Header, channel, payload: payload.freeze() }.encode(&mut octets);
    leveret_codec::encode_body(channel, body, 4096 - 8, &mut octets);
    octets
}

//! Messages that arrive: a method, a header, and a body in any number of frames.

use super::*;

fn deliver(tag: &'static str) -> basic::Deliver {
    basic::Deliver { consumer_tag: ShortStr::from_static(tag), ..basic::Deliver::default() }
}

fn properties() -> BasicProperties {
    BasicProperties {
        correlation_id: Some(ShortStr::from_static("7")),
        ..BasicProperties::default()
    }
}

fn header(channel: u16, body_size: u64) -> Frame {
    Frame::Header { channel, header: ContentHeader { body_size, properties: properties() } }
}

fn body(channel: u16, payload: &'static [u8]) -> Frame {
    Frame::Body { channel, payload: Bytes::from_static(payload) }
}

fn content(channel: u16, method: impl Into<Method>, body: impl Into<Bytes>) -> Event {
    let content = Content { method: method.into(), properties: properties(), body: body.into() };
    Event::Content { channel, content }
}

#[test]
fn a_message_without_a_body_is_whole_with_its_header() {
    let mut dialogue = Dialogue::with_channels(1);
    dialogue.broker_sends(on(1, deliver("a")));
    dialogue.no_event();
    dialogue.broker_sends(header(1, 0));
    dialogue.event(content(1, deliver("a"), ""));
    dialogue.no_event();
    // The channel expects a method again.
    dialogue.broker_sends(on(1, basic::QosOk {}));
    dialogue.event(Event::Method { channel: 1, method: basic::QosOk {}.into() });
}

#[test]
fn a_message_in_one_body_frame() {
    let mut dialogue = Dialogue::with_channels(1);
    dialogue.broker_sends(on(1, deliver("a")));
    dialogue.broker_sends(header(1, 5));
    dialogue.no_event();
    dialogue.broker_sends(body(1, b"hello"));
    dialogue.event(content(1, deliver("a"), "hello"));
    dialogue.no_event();
    dialogue.client_is_silent();
}

#[test]
fn a_message_in_many_body_frames_some_of_them_empty() {
    let mut dialogue = Dialogue::with_channels(1);
    dialogue.broker_sends(on(1, deliver("a")));
    dialogue.broker_sends(header(1, 5));
    for piece in [&b""[..], b"he", b"", b"", b"l", b"l"] {
        dialogue.broker_sends(body(1, piece));
        dialogue.no_event();
    }
    dialogue.broker_sends(body(1, b"o"));
    dialogue.event(content(1, deliver("a"), "hello"));
    dialogue.no_event();
}

#[test]
fn messages_come_one_after_the_other() {
    let mut dialogue = Dialogue::with_channels(1);
    for tag in ["a", "b", "c"] {
        dialogue.broker_sends(on(1, deliver(tag)));
        dialogue.broker_sends(header(1, 1));
        dialogue.broker_sends(body(1, tag.as_bytes()));
        dialogue.event(content(1, deliver(tag), tag));
    }
    dialogue.no_event();
}

#[test]
fn returned_and_fetched_messages_too() {
    let mut dialogue = Dialogue::with_channels(1);
    let returned = basic::Return { reply_code: ReplyCode::NO_ROUTE, ..Default::default() };
    let fetched = basic::GetOk { message_count: 3, ..basic::GetOk::default() };
    for method in [Method::from(returned), fetched.into()] {
        dialogue.broker_sends(on(1, method.clone()));
        dialogue.broker_sends(header(1, 1));
        dialogue.broker_sends(body(1, b"x"));
        dialogue.event(content(1, method, "x"));
    }
}

/// Frames of a message are contiguous on their channel only.
#[test]
fn messages_on_two_channels_are_interleaved() {
    let mut dialogue = Dialogue::with_channels(2);
    dialogue.broker_sends(on(1, deliver("a")));
    dialogue.broker_sends(on(2, deliver("b")));
    dialogue.broker_sends(header(2, 4));
    dialogue.broker_sends(Frame::Heartbeat);
    dialogue.broker_sends(header(1, 4));
    dialogue.broker_sends(body(1, b"he"));
    dialogue.broker_sends(body(2, b"yo"));
    dialogue.broker_sends(on(0, connection::Unblocked {}));
    dialogue.event(Event::Unblocked);
    dialogue.no_event();
    dialogue.broker_sends(body(2, b"u!"));
    dialogue.event(content(2, deliver("b"), "you!"));
    dialogue.broker_sends(body(1, b"re"));
    dialogue.event(content(1, deliver("a"), "here"));
    dialogue.no_event();
}

/// Beside a small body, which is copied, one that shares the memory of what was read.
#[test]
fn large_bodies() {
    let frame_max = 131_072;
    for (size, frames) in [(0x3fff, 1), (0x4000, 1), (frame_max - 8, 1), (frame_max - 7, 2)] {
        let octets: Vec<u8> = (0..size).map(|index| (index % 251) as u8).collect();
        let mut dialogue = Dialogue::with_channels(1);
        dialogue.broker_sends(on(1, deliver("a")));
        dialogue.broker_sends(header(1, size as u64));
        let pieces = octets.chunks(frame_max - 8);
        assert_eq!(pieces.len(), frames);
        for piece in pieces {
            dialogue.broker_sends(Frame::Body { channel: 1, payload: piece.to_vec().into() });
        }
        dialogue.event(content(1, deliver("a"), octets));
        dialogue.no_event();
    }
}

/// RabbitMQ does not split methods and content headers.
#[test]
fn a_header_beyond_frame_max() {
    let tune = connection::Tune { frame_max: 4096, ..dialogue::tune() };
    let mut dialogue = Dialogue::open_with(Config::default(), tune);
    dialogue.open_channel(1);
    let mut headers = FieldTable::new();
    headers.insert("large", LongStr::try_from("x".repeat(100_000)).unwrap()).unwrap();
    let properties = BasicProperties { headers: Some(headers), ..BasicProperties::default() };
    let header = ContentHeader { body_size: 0, properties: properties.clone() };
    dialogue.broker_sends(on(1, deliver("a")));
    dialogue.broker_sends(Frame::Header { channel: 1, header });
    let content = Content { method: deliver("a").into(), properties, body: Bytes::new() };
    dialogue.event(Event::Content { channel: 1, content });
}

/// How a message may have been cut off.
const CUTS: [fn(&mut Dialogue); 4] = [
    |_| {},
    |dialogue| dialogue.broker_sends(on(1, deliver("a"))),
    |dialogue| {
        dialogue.broker_sends(on(1, deliver("a")));
        dialogue.broker_sends(header(1, 5));
    },
    |dialogue| {
        dialogue.broker_sends(on(1, deliver("a")));
        dialogue.broker_sends(header(1, 5));
        dialogue.broker_sends(body(1, b"hel"));
    },
];

#[test]
fn the_broker_closes_the_channel_within_a_message() {
    for cut in CUTS {
        let mut dialogue = Dialogue::with_channels(1);
        cut(&mut dialogue);
        dialogue.broker_sends(on(1, channel::Close::default()));
        dialogue.client_sends(on(1, channel::CloseOk {}));
        let close = Some(channel::Close::default());
        dialogue.event(Event::ChannelClosed { channel: 1, close });
        dialogue.no_event();

        // The number is free, and nothing of the message is left behind.
        dialogue.open_channel(1);
        dialogue.broker_sends(on(1, deliver("b")));
        dialogue.broker_sends(header(1, 2));
        dialogue.broker_sends(body(1, b"lo"));
        dialogue.event(content(1, deliver("b"), "lo"));
        dialogue.no_event();
        dialogue.client_is_silent();
    }
}

#[test]
fn we_close_the_channel_within_a_message() {
    for cut in CUTS {
        let mut dialogue = Dialogue::with_channels(1);
        cut(&mut dialogue);
        dialogue.connection.close_channel(1).unwrap();
        dialogue.sent();
        dialogue.broker_sends(body(1, b"lo"));
        dialogue.broker_sends(on(1, channel::CloseOk {}));
        dialogue.event(Event::ChannelClosed { channel: 1, close: None });
        dialogue.open_channel(1);
        dialogue.broker_sends(on(1, basic::QosOk {}));
        dialogue.event(Event::Method { channel: 1, method: basic::QosOk {}.into() });
        dialogue.no_event();
    }
}

#[test]
fn the_connection_closes_within_a_message() {
    for cut in CUTS {
        let mut dialogue = Dialogue::with_channels(1);
        cut(&mut dialogue);
        dialogue.broker_closes_the_socket();
        dialogue.ends(lost("the peer closed the socket"));
    }
}

// ---------------------------------------------------------------------- violations

#[test]
fn a_method_within_a_message() {
    let methods: [Method; 3] =
        [basic::QosOk {}.into(), deliver("b").into(), channel::Flow { active: true }.into()];
    for method in methods {
        let mut dialogue = Dialogue::with_channels(1);
        dialogue.broker_sends(on(1, deliver("a")));
        dialogue.broker_sends(on(1, method.clone()));
        dialogue.ends_in_violation(
            ReplyCode::UNEXPECTED_FRAME,
            "a method where a content header was expected",
        );

        let mut dialogue = Dialogue::with_channels(1);
        dialogue.broker_sends(on(1, deliver("a")));
        dialogue.broker_sends(header(1, 5));
        dialogue.broker_sends(body(1, b"hell"));
        dialogue.broker_sends(on(1, method));
        dialogue.ends_in_violation(
            ReplyCode::UNEXPECTED_FRAME,
            "a method where a content body was expected",
        );
    }
}

#[test]
fn a_header_without_a_method() {
    let text = "a content header where none was expected";
    let mut dialogue = Dialogue::with_channels(1);
    dialogue.broker_sends(header(1, 5));
    dialogue.ends_in_violation(ReplyCode::UNEXPECTED_FRAME, text);

    let mut dialogue = Dialogue::with_channels(1);
    dialogue.broker_sends(on(1, deliver("a")));
    dialogue.broker_sends(header(1, 5));
    dialogue.broker_sends(header(1, 5));
    dialogue.ends_in_violation(ReplyCode::UNEXPECTED_FRAME, text);

    let mut opening = Dialogue::open();
    opening.connection.open_channel().unwrap();
    opening.client_sends(on(1, channel::Open {}));
    opening.broker_sends(header(1, 5));
    opening.ends_in_violation(ReplyCode::UNEXPECTED_FRAME, text);
}

#[test]
fn a_body_without_a_header() {
    let text = "a content body where none was expected";
    for payload in [&b""[..], b"hello"] {
        let mut dialogue = Dialogue::with_channels(1);
        dialogue.broker_sends(body(1, payload));
        dialogue.ends_in_violation(ReplyCode::UNEXPECTED_FRAME, text);

        let mut dialogue = Dialogue::with_channels(1);
        dialogue.broker_sends(on(1, deliver("a")));
        dialogue.broker_sends(body(1, payload));
        dialogue.ends_in_violation(ReplyCode::UNEXPECTED_FRAME, text);

        let mut dialogue = Dialogue::with_channels(1);
        dialogue.broker_sends(on(1, deliver("a")));
        dialogue.broker_sends(header(1, 0));
        dialogue.event(content(1, deliver("a"), ""));
        dialogue.broker_sends(body(1, payload));
        dialogue.ends_in_violation(ReplyCode::UNEXPECTED_FRAME, text);
    }
}

#[test]
fn a_body_longer_than_announced() {
    let mut dialogue = Dialogue::with_channels(1);
    dialogue.broker_sends(on(1, deliver("a")));
    dialogue.broker_sends(header(1, 5));
    dialogue.broker_sends(body(1, b"hel"));
    dialogue.broker_sends(body(1, b"lo!"));
    dialogue.ends_in_violation(
        ReplyCode::FRAME_ERROR,
        "a body frame of 3 octets where 2 were left of the body",
    );
}

#[test]
fn a_body_larger_than_we_take() {
    let config = Config { max_body_size: 5, ..Config::default() };
    let mut dialogue = Dialogue::open_with(config, dialogue::tune());
    dialogue.open_channel(1);
    dialogue.broker_sends(on(1, deliver("a")));
    dialogue.broker_sends(header(1, 5));
    dialogue.broker_sends(body(1, b"hello"));
    dialogue.event(content(1, deliver("a"), "hello"));

    dialogue.broker_sends(on(1, deliver("a")));
    dialogue.broker_sends(header(1, 6));
    dialogue.ends_in_violation(
        ReplyCode::FRAME_ERROR,
        "a body of 6 octets is announced, the limit is 5",
    );
}

#[test]
fn a_body_of_all_the_octets_there_are() {
    let config = Config { max_body_size: u64::MAX, ..Config::default() };
    let mut dialogue = Dialogue::open_with(config, dialogue::tune());
    dialogue.open_channel(1);
    dialogue.broker_sends(on(1, deliver("a")));
    dialogue.broker_sends(header(1, u64::MAX));
    dialogue.broker_sends(body(1, b"hello"));
    dialogue.no_event();
}

#[test]
fn a_body_frame_beyond_frame_max() {
    let tune = connection::Tune { frame_max: 4096, ..dialogue::tune() };
    let mut dialogue = Dialogue::open_with(Config::default(), tune);
    dialogue.open_channel(1);
    dialogue.broker_sends(on(1, deliver("a")));
    dialogue.broker_sends(header(1, 10_000));
    dialogue.broker_sends(Frame::Body { channel: 1, payload: Bytes::from_static(&[0; 4088]) });
    dialogue.client_is_silent();
    dialogue.broker_sends(Frame::Body { channel: 1, payload: Bytes::from_static(&[0; 4089]) });
    dialogue.ends_in_violation(ReplyCode::FRAME_ERROR, "a body frame beyond the frame-max of 4096");
}

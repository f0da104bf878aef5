//! Messages that arrive: a method, a header, and a body in any number of frames.

use super::*;

pub(super) fn deliver(tag: &'static str) -> basic::Deliver {
    basic::Deliver { consumer_tag: ShortStr::from_static(tag), ..basic::Deliver::default() }
}

fn properties() -> BasicProperties {
    BasicProperties {
        correlation_id: Some(ShortStr::from_static("7")),
        ..BasicProperties::default()
    }
}

pub(super) fn header(channel: u16, body_size: u64) -> Frame {
    Frame::Header { channel, header: ContentHeader { body_size, properties: properties() } }
}

pub(super) fn body(channel: u16, payload: &'static [u8]) -> Frame {
    Frame::Body { channel, payload: Bytes::from_static(payload) }
}

pub(super) fn content(channel: u16, method: impl Into<Method>, body: impl Into<Bytes>) -> Event {
    let (origin, properties) = (origin(method), properties().into());
    Event::Content { channel, content: Content { origin, properties, body: Ok(body.into()) } }
}

pub(super) fn origin(method: impl Into<Method>) -> Origin {
    match method.into() {
        Method::BasicDeliver(deliver) => {
            let basic::Deliver { consumer_tag, delivery_tag, redelivered, .. } = deliver;
            let basic::Deliver { exchange, routing_key, .. } = deliver;
            let envelope = Envelope { consumer_tag, exchange, routing_key }.into();
            Origin::Delivery { delivery_tag, redelivered, envelope }
        }
        method => Origin::Other(method.into()),
    }
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

/// What deliveries have in common is kept from one to the next.
#[test]
fn deliveries_in_a_row_that_differ_in_a_single_string() {
    let mut dialogue = Dialogue::with_channels(1);
    let [one, other] = [ShortStr::from_static("one"), ShortStr::from_static("other")];
    let exchange = |exchange| basic::Deliver { exchange, ..deliver("a") };
    let routing_key = |routing_key| basic::Deliver { routing_key, ..deliver("a") };
    for deliver in [
        exchange(one.clone()),
        exchange(other.clone()),
        exchange(other.clone()),
        routing_key(one),
        routing_key(other),
        deliver("a"),
        deliver("b"),
    ] {
        dialogue.broker_sends(on(1, deliver.clone()));
        dialogue.broker_sends(header(1, 0));
        dialogue.event(content(1, deliver, ""));
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

/// A large body is not copied, and nothing smaller keeps the buffer that it was read from.
#[test]
fn what_shares_the_memory_of_what_was_read() {
    let long = || ShortStr::copied(&[b'x'; 255]).unwrap();
    let deliver = basic::Deliver {
        consumer_tag: long(),
        exchange: long(),
        routing_key: long(),
        ..basic::Deliver::default()
    };
    let mut headers = FieldTable::new();
    headers.insert("header", LongStr::copied(&[b'x'; 5000]).unwrap()).unwrap();
    let properties = BasicProperties {
        correlation_id: Some(long()),
        headers: Some(headers),
        ..BasicProperties::default()
    };
    for (size, shares) in [(0, false), (5, false), (5000, false), (0x3fff, false), (0x4000, true)] {
        let header = ContentHeader { body_size: size, properties: properties.clone() };
        let payload = vec![b'x'; usize::try_from(size).unwrap()].into();
        let mut input = BytesMut::new();
        on(1, deliver.clone()).encode(&mut input);
        Frame::Header { channel: 1, header }.encode(&mut input);
        if size > 0 {
            Frame::Body { channel: 1, payload }.encode(&mut input);
        }
        let room = input.capacity();
        let mut connection = Dialogue::with_channels(1).connection;
        connection.handle_input(Instant::default(), &mut input);
        let message = connection.poll_event().unwrap();
        assert!(matches!(message, Event::Content { .. }), "{message:?}");
        assert!(input.is_empty());
        assert_eq!(input.try_reclaim(room), !shares, "a body of {size} octets");
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
    let (origin, properties) = (origin(deliver("a")), properties.into());
    let content = Content { origin, properties, body: Ok(Bytes::new()) };
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

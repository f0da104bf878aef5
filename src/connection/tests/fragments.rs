//! How the octets of a session are cut into reads makes no difference.

use super::dialogue::{start, tune};
use super::*;

/// Everything that a broker sends in a session with a bit of everything, up to `end`.
fn session(end: &[u8]) -> BytesMut {
    let mut octets = BytesMut::new();
    let deliver = basic::Deliver {
        consumer_tag: ShortStr::from_static("t"),
        delivery_tag: 1,
        ..basic::Deliver::default()
    };
    let header = |body_size| ContentHeader {
        body_size,
        properties: BasicProperties {
            correlation_id: Some(ShortStr::from_static("7")),
            ..BasicProperties::default()
        },
    };
    for frame in [
        on(0, start()),
        on(0, tune()),
        Frame::Heartbeat,
        on(0, connection::OpenOk {}),
        on(1, channel::OpenOk {}),
        on(2, channel::OpenOk {}),
        on(1, basic::ConsumeOk { consumer_tag: ShortStr::from_static("t") }),
        on(1, deliver.clone()),
        Frame::Header { channel: 1, header: header(5) },
        Frame::Body { channel: 1, payload: Bytes::from_static(b"he") },
        on(2, channel::Close { reply_code: ReplyCode::NOT_FOUND, ..Default::default() }),
        Frame::Heartbeat,
        Frame::Body { channel: 1, payload: Bytes::new() },
        Frame::Body { channel: 1, payload: Bytes::from_static(b"llo") },
        on(0, connection::Blocked { reason: ShortStr::from_static("low on memory") }),
        on(1, deliver),
        Frame::Header { channel: 1, header: header(0) },
        on(1, channel::Flow { active: false }),
    ] {
        frame.encode(&mut octets);
    }
    octets.put_slice(end);
    octets
}

/// What a session comes to: every event, and every octet that was sent.
#[derive(Debug, PartialEq)]
struct Outcome {
    events: Vec<Event>,
    sent: BytesMut,
}

/// Reads the session in these pieces. Two channels are opened as soon as that can be done.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let now = Instant::default();
    let mut connection = Connection::new(Config::default(), now);
    let mut input = BytesMut::new();
    let mut outcome = Outcome { events: Vec::new(), sent: BytesMut::new() };
    for piece in pieces {
        input.extend_from_slice(piece);
        connection.handle_input(now, &mut input);
        while let Some(event) = connection.poll_event() {
            if event == Event::Opened {
                connection.open_channel().unwrap();
                connection.open_channel().unwrap();
            }
            outcome.events.push(event);
        }
        connection.poll_transmit(now, &mut outcome.sent);
    }
    outcome
}

/// The octets up to and with open-ok, after which the client has to have its say.
fn greeting() -> usize {
    let mut octets = BytesMut::new();
    for frame in [on(0, start()), on(0, tune()), Frame::Heartbeat, on(0, connection::OpenOk {})] {
        frame.encode(&mut octets);
    }
    octets.len()
}

/// Reads the session whole, but for a pause after open-ok.
fn read_whole(session: &[u8]) -> Outcome {
    let (greeting, rest) = session.split_at(greeting());
    read([greeting, rest])
}

/// What ends a session, and how many events it then has.
fn ends() -> [(Vec<u8>, usize); 7] {
    let frame = |frame: Frame| {
        let mut octets = BytesMut::new();
        frame.encode(&mut octets);
        octets.to_vec()
    };
    [
        (Vec::new(), 9),
        (frame(on(0, connection::Close::default())), 10),
        (frame(on(7, basic::QosOk {})), 10),
        (b"no frame".to_vec(), 10),
        (b"\x01\x00\x01\x00\x00\x00\x04\x00\x3c\x00\x0b\xcd and more".to_vec(), 10),
        // Where a frame begins is not known any more, so a close is none.
        ([b"no frame", &frame(on(0, connection::Close::default()))[..]].concat(), 10),
        ([b"no frame", &frame(on(0, connection::CloseOk {}))[..], b"more"].concat(), 10),
    ]
}

#[test]
fn a_session_cut_in_two_anywhere() {
    for (end, events) in ends() {
        let session = session(&end);
        let whole = read_whole(&session);
        assert_eq!(whole.events.len(), events, "{:#?}", whole.events);
        for at in 0..=session.len() {
            let (first, second) = session.split_at(at);
            // With the pause there are three pieces, in which order depends on the cut.
            let outcome = if at < greeting() {
                let (greeting, rest) = second.split_at(greeting() - at);
                read([first, greeting, rest])
            } else {
                let (greeting, rest) = first.split_at(greeting());
                read([greeting, rest, second])
            };
            assert_eq!(outcome, whole, "cut at octet {at}");
        }
    }
}

#[test]
fn a_session_octet_by_octet() {
    for (end, _) in ends() {
        let session = session(&end);
        assert_eq!(read(session.chunks(1)), read_whole(&session));
    }
}

#[test]
fn a_session_in_pieces_of_every_size() {
    for (end, _) in ends() {
        let session = session(&end);
        let whole = read_whole(&session);
        let (greeting, rest) = session.split_at(greeting());
        for size in 1..rest.len() {
            let pieces = greeting.chunks(size).chain(rest.chunks(size));
            assert_eq!(read(pieces), whole, "pieces of {size} octets");
        }
    }
}

/// Frames of all sizes: small ones are read where they lie, larger ones taken out of the buffer, the
/// largest bodies kept as they came, and content headers beyond the limit read past.
fn session_of_all_sizes() -> Vec<u8> {
    let mut octets = BytesMut::new();
    let deliver = basic::Deliver::default();
    // Within the headers, there is what would be frames anywhere else.
    let mut heartbeat = BytesMut::new();
    Frame::Heartbeat.encode(&mut heartbeat);
    let header = |body_size, octets: usize| {
        let mut headers = FieldTable::new();
        let value = LongStr::new(heartbeat.repeat(octets / heartbeat.len())).unwrap();
        headers.insert("large", value).unwrap();
        let properties = BasicProperties { headers: Some(headers), ..BasicProperties::default() };
        Frame::Header { channel: 1, header: ContentHeader { body_size, properties } }
    };
    let body = |octets| Frame::Body { channel: 1, payload: vec![b'x'; octets].into() };
    for frame in [
        on(1, channel::OpenOk {}),
        on(1, deliver.clone()),
        header(40_100, 5000),
        body(4088),
        body(4089),
        Frame::Heartbeat,
        body(31_922),
        body(1),
        on(1, deliver.clone()),
        header(20_000, 0),
        body(20_000),
        on(1, deliver.clone()),
        header(3, 2_000_000),
        body(3),
        on(1, deliver),
        header(5000, 0),
        body(5000),
        Frame::Heartbeat,
        on(1, channel::Close::default()),
    ] {
        frame.encode(&mut octets);
    }
    octets.to_vec()
}

#[test]
fn frames_of_all_sizes_in_pieces() {
    let greeting = &session(&[])[..greeting()];
    let frames = session_of_all_sizes();
    let whole = read([greeting, &frames]);
    assert_eq!(whole.events.len(), 7, "{:#?}", whole.events);
    for size in [1, 7, 4088, 4096, 4097, 16_385, 65_536] {
        let pieces = [greeting].into_iter().chain(frames.chunks(size));
        assert!(read(pieces) == whole, "pieces of {size} octets");
    }
}

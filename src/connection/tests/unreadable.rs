//! Messages that are not taken, and behind which the connection goes on: it is their publishers who
//! are at fault, and not the broker.

use super::content::{body, content, deliver, header, origin};
use super::*;

/// A content header on channel 1 with this table of headers, behind a content type and in front of
/// a correlation-id.
fn header_with(table: &[u8], body_size: u8) -> Vec<u8> {
    let length = u32::try_from(table.len()).unwrap().to_be_bytes();
    let payload = [
        &[0x00, 0x3c, 0, 0, 0, 0, 0, 0, 0, 0, 0, body_size, 0xa4, 0x00][..],
        b"\x04text",
        &length,
        table,
        b"\x017",
    ];
    frame_of_header(&payload.concat())
}

fn frame_of_header(payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [b"\x02\x00\x01", &size[..], payload, b"\xce"].concat()
}

/// The fields of a table that nests so deep, itself included.
fn nested(depth: usize) -> Vec<u8> {
    (1..depth).fold(Vec::new(), |inner, _| {
        let length = u32::try_from(inner.len()).unwrap().to_be_bytes();
        [b"\x01aF", &length[..], &inner].concat()
    })
}

#[track_caller]
fn unreadable(dialogue: &mut Dialogue) -> (BasicProperties, Unreadable) {
    match dialogue.connection.poll_event() {
        Some(Event::Content { channel: 1, content }) => {
            assert_eq!(content.origin, origin(deliver("a")));
            (content.properties.into(), content.body.unwrap_err())
        }
        other => panic!("a message that cannot be read is expected, not {other:?}"),
    }
}

/// The next message on the channel is read as any.
#[track_caller]
fn assert_next_is_read(dialogue: &mut Dialogue) {
    dialogue.no_event();
    dialogue.broker_sends(on(1, deliver("b")));
    dialogue.broker_sends(header(1, 4));
    dialogue.broker_sends(body(1, b"next"));
    dialogue.event(content(1, deliver("b"), "next"));
    dialogue.client_is_silent();
}

#[test]
fn headers_that_are_no_table() {
    let tables: [(&[u8], &str); 6] = [
        (&nested(33), "tables and arrays are nested more than 32 deep"),
        (&nested(5000), "tables and arrays are nested more than 32 deep"),
        (b"\x01az", "a table value has the unknown type 0x7a"),
        (b"\x01a", "a field of 1 octets is cut off, 0 are left"),
        (b"\x05a", "a field of 5 octets is cut off, 1 are left"),
        (b"\x01aS\xff\xff\xff\xff", "a field of 4294967295 octets is cut off, 0 are left"),
    ];
    for (table, problem) in tables {
        for pieces in [&[][..], &["hello"], &["", "he", "", "llo"]] {
            let mut dialogue = Dialogue::with_channels(1);
            dialogue.broker_sends(on(1, deliver("a")));
            let size = pieces.concat().len();
            dialogue.broker_sends_octets(&header_with(table, u8::try_from(size).unwrap()));
            for piece in pieces {
                dialogue.no_event();
                dialogue.broker_sends(body(1, piece.as_bytes()));
            }
            let (properties, error) = unreadable(&mut dialogue);
            let text = error.to_string();
            assert!(
                text.starts_with("its headers cannot be read: content header, octet "),
                "{text}"
            );
            assert!(text.ends_with(problem), "{text}");
            let expected = BasicProperties {
                content_type: Some(ShortStr::from_static("text")),
                correlation_id: Some(ShortStr::from_static("7")),
                ..BasicProperties::default()
            };
            assert_eq!(properties, expected, "all but the headers");
            assert_next_is_read(&mut dialogue);
        }
    }
}

#[test]
fn headers_that_are_just_shallow_enough() {
    let mut dialogue = Dialogue::with_channels(1);
    dialogue.broker_sends(on(1, deliver("a")));
    dialogue.broker_sends_octets(&header_with(&nested(32), 0));
    let Some(Event::Content { content, .. }) = dialogue.connection.poll_event() else {
        panic!("a message")
    };
    assert_eq!(content.body, Ok(Bytes::new()));
    assert!(content.properties.headers.is_some());
}

/// The headers alone are the publisher's; the rest is what the broker makes of it.
#[test]
fn headers_that_hide_a_fault_of_the_broker() {
    let mut table = header_with(&nested(33), 0);
    // The correlation-id is longer than what is left.
    let at = table.len() - 3;
    table[at] = 2;
    let mut dialogue = Dialogue::with_channels(1);
    dialogue.broker_sends(on(1, deliver("a")));
    dialogue.broker_sends_octets(&table);
    dialogue.ends_in_violation(
        ReplyCode::FRAME_ERROR,
        "content header, octet 243: tables and arrays are nested more than 32 deep",
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
    dialogue.broker_sends(body(1, b"hello"));
    dialogue.no_event();
    dialogue.broker_sends(body(1, b"!"));
    let (properties, error) = unreadable(&mut dialogue);
    assert_eq!(properties.correlation_id, Some(ShortStr::from_static("7")));
    assert_eq!(error, Unreadable::BodyTooLarge { size: 6, limit: 5 });
    assert_next_is_read(&mut dialogue);
}

#[test]
fn a_body_that_is_read_past_is_no_longer_than_announced() {
    let config = Config { max_body_size: 5, ..Config::default() };
    let mut dialogue = Dialogue::open_with(config, dialogue::tune());
    dialogue.open_channel(1);
    dialogue.broker_sends(on(1, deliver("a")));
    dialogue.broker_sends(header(1, 6));
    dialogue.broker_sends(body(1, b"hello!!"));
    dialogue.ends_in_violation(
        ReplyCode::FRAME_ERROR,
        "a body frame of 7 octets where 6 were left of the body",
    );
}

/// Nobody has published this: the broker makes it up, and reading past it would never end.
#[test]
fn a_body_larger_than_any_broker_takes() {
    for (body_size, honest) in [(512 << 20, true), ((512 << 20) + 1, false), (u64::MAX, false)] {
        let mut dialogue = Dialogue::with_channels(1);
        dialogue.broker_sends(on(1, deliver("a")));
        dialogue.broker_sends(header(1, body_size));
        if honest {
            dialogue.no_event();
        } else {
            let text = format!(
                "a body of {body_size} octets is announced, and no broker takes more than 536870912"
            );
            dialogue.ends_in_violation(ReplyCode::FRAME_ERROR, &text);
        }
    }
}

// ---------------------------------------------------------------------- larger than a frame may be

/// Large headers, as one frame.
fn oversized(body_size: u64) -> (BytesMut, u32) {
    let mut headers = FieldTable::new();
    headers.insert("large", LongStr::try_from("x".repeat(5000)).unwrap()).unwrap();
    let properties = BasicProperties { headers: Some(headers), ..BasicProperties::default() };
    let mut octets = BytesMut::new();
    let header = ContentHeader { body_size, properties };
    Frame::Header { channel: 1, header }.encode(&mut octets);
    let size = u32::try_from(octets.len() - 8).unwrap();
    (octets, size)
}

/// A connection that takes no frame of more than 4096 octets.
fn narrow() -> Dialogue {
    let config = Config { max_received_frame: 4096, ..Config::default() };
    let tune = connection::Tune { frame_max: 4096, ..dialogue::tune() };
    let mut dialogue = Dialogue::open_with(config, tune);
    dialogue.open_channel(1);
    dialogue
}

#[test]
fn properties_larger_than_we_take() {
    for body_size in [0, 5] {
        let (octets, size) = oversized(body_size);
        for step in [1, 6, 7, 18, 19, 20, octets.len() - 1, octets.len()] {
            let mut dialogue = narrow();
            dialogue.broker_sends(on(1, deliver("a")));
            for piece in octets.chunks(step) {
                dialogue.broker_sends_octets(piece);
                assert!(dialogue.unread().len() < 19, "nothing is kept of what is read past");
            }
            if body_size > 0 {
                dialogue.no_event();
                dialogue.broker_sends(body(1, b"hello"));
            }
            let (properties, error) = unreadable(&mut dialogue);
            assert_eq!(properties, BasicProperties::default());
            assert_eq!(error, Unreadable::PropertiesTooLarge { size, limit: 4088 });
            assert_next_is_read(&mut dialogue);
        }
    }
}

#[test]
fn properties_larger_than_any_broker_passes_on() {
    let mut dialogue = narrow();
    dialogue.broker_sends(on(1, deliver("a")));
    dialogue.broker_sends_octets(b"\x02\x00\x01\x20\x00\x00\x01");
    let text = "frame, octet 3: a payload of 536870913 octets is announced, the limit is 4088";
    dialogue.ends_in_violation(ReplyCode::FRAME_ERROR, text);
}

#[test]
fn properties_larger_than_we_take_on_a_channel_that_we_close() {
    for begun in [false, true] {
        let mut dialogue = narrow();
        if begun {
            dialogue.broker_sends(on(1, deliver("a")));
        }
        dialogue.connection.close_channel(1).unwrap();
        dialogue.sent();
        if !begun {
            dialogue.broker_sends(on(1, deliver("a")));
        }
        dialogue.broker_sends_octets(&oversized(0).0);
        dialogue.broker_sends(on(1, channel::CloseOk {}));
        dialogue.event(Event::ChannelClosed { channel: 1, close: None });
        dialogue.no_event();
    }
}

/// The answer to our close is found behind it, and nothing is told of it.
#[test]
fn properties_larger_than_we_take_on_a_connection_that_we_close() {
    for begun in [false, true] {
        for step in [1, 100, usize::MAX] {
            let mut dialogue = narrow();
            if begun {
                dialogue.broker_sends(on(1, deliver("a")));
            }
            dialogue.close();
            dialogue.sent();
            if !begun {
                dialogue.broker_sends(on(1, deliver("a")));
            }
            let mut octets = oversized(0).0;
            on(0, connection::CloseOk {}).encode(&mut octets);
            for piece in octets.chunks(step) {
                assert!(!dialogue.connection.is_finished());
                dialogue.no_event();
                dialogue.broker_sends_octets(piece);
            }
            assert!(dialogue.connection.is_finished());
            dialogue.event(Event::Closed(Ok(())));
            dialogue.no_event();
        }
    }
}

#[test]
fn what_is_read_past_is_a_frame_all_the_same() {
    let (mut octets, size) = oversized(0);
    *octets.last_mut().unwrap() = 0xcd;
    let mut dialogue = narrow();
    dialogue.broker_sends(on(1, deliver("a")));
    dialogue.broker_sends_octets(&octets);
    let (_, error) = unreadable(&mut dialogue);
    assert_eq!(error, Unreadable::PropertiesTooLarge { size, limit: 4088 });
    let text = "the frame ends in 0xcd instead of 0xce";
    dialogue.ends_in_violation(ReplyCode::FRAME_ERROR, text);

    let (mut octets, _) = oversized(0);
    octets[8] = 0x32;
    let mut dialogue = narrow();
    dialogue.broker_sends(on(1, deliver("a")));
    dialogue.broker_sends_octets(&octets);
    let text = "content header, octet 2: class 50 carries no content";
    dialogue.ends_in_violation(ReplyCode::UNEXPECTED_FRAME, text);
}

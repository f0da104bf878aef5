//! What a broker must not do: the code that it is told, and one final event.
//!
//! Content out of order is in `content_violations`, what goes wrong earlier in `handshake`.

use super::*;

/// The broker sends this on a connection whose channel 1 is open.
#[track_caller]
fn assert_violation(octets: &[u8], code: ReplyCode, text: &str) {
    let mut at_once = Dialogue::with_channels(1);
    at_once.broker_sends_octets(octets);
    at_once.ends_in_violation(code, text);

    let mut one_by_one = Dialogue::with_channels(1);
    for octet in octets {
        assert!(!one_by_one.connection.is_finished());
        one_by_one.broker_sends_octets(&[*octet]);
    }
    one_by_one.ends_in_violation(code, text);
}

#[track_caller]
fn assert_frame_is_violation(frame: &Frame, code: ReplyCode, text: &str) {
    let mut octets = BytesMut::new();
    frame.encode(&mut octets);
    assert_violation(&octets, code, text);
}

fn raw_frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let mut octets = Vec::new();
    octets.put_u8(kind);
    octets.put_u16(channel);
    octets.put_u32(payload.len().try_into().unwrap());
    octets.put_slice(payload);
    octets.put_u8(0xce);
    octets
}

#[test]
fn frames_on_a_channel_that_is_not_open() {
    let text = "a frame on channel 2, which is not open";
    for frame in [
        on(2, channel::OpenOk {}),
        on(2, channel::Close::default()),
        on(2, channel::CloseOk {}),
        on(2, basic::Deliver::default()),
        Frame::Header { channel: 2, header: ContentHeader::default() },
        Frame::Body { channel: 2, payload: Bytes::from_static(b"body") },
    ] {
        assert_frame_is_violation(&frame, ReplyCode::CHANNEL_ERROR, text);
    }
}

#[test]
fn frames_on_a_channel_that_is_closed() {
    let mut dialogue = Dialogue::with_channels(1);
    dialogue.broker_sends(on(1, channel::Close::default()));
    dialogue.client_sends(on(1, channel::CloseOk {}));
    assert_eq!(dialogue.events().len(), 1);
    dialogue.broker_sends(on(1, basic::Deliver::default()));
    let text = "a frame on channel 1, which is not open";
    dialogue.ends_in_violation(ReplyCode::CHANNEL_ERROR, text);
}

#[test]
fn content_on_channel_0() {
    for frame in [
        Frame::Header { channel: 0, header: ContentHeader::default() },
        Frame::Body { channel: 0, payload: Bytes::from_static(b"body") },
    ] {
        assert_frame_is_violation(&frame, ReplyCode::UNEXPECTED_FRAME, "content on channel 0");
    }
}

#[test]
fn methods_that_do_not_exist() {
    let code = ReplyCode::COMMAND_INVALID;
    let text = "method, octet 4: there is no method 60/99 here";
    assert_violation(&raw_frame(1, 1, b"\x00\x3c\x00\x63"), code, text);
    let text = "method, octet 4: there is no method 65535/0 here";
    assert_violation(&raw_frame(1, 0, b"\xff\xff\x00\x00"), code, text);
}

#[test]
fn methods_that_only_a_client_sends() {
    let methods: [Method; 18] = [
        channel::Open {}.into(),
        queue::Declare::default().into(),
        queue::Bind::default().into(),
        queue::Purge::default().into(),
        queue::Delete::default().into(),
        queue::Unbind::default().into(),
        basic::Qos::default().into(),
        basic::Consume::default().into(),
        basic::Publish::default().into(),
        basic::Get::default().into(),
        basic::Reject::default().into(),
        basic::RecoverAsync::default().into(),
        basic::Recover::default().into(),
        confirm::Select::default().into(),
        // These have not been asked for.
        channel::OpenOk {}.into(),
        channel::CloseOk {}.into(),
        channel::FlowOk::default().into(),
        // This belongs to channel 0.
        connection::Blocked::default().into(),
    ];
    for method in methods {
        let text = format!("{} at the wrong moment or from the wrong side", method.name());
        assert_frame_is_violation(&on(1, method), ReplyCode::COMMAND_INVALID, &text);
    }
}

#[test]
fn methods_that_do_not_belong_on_channel_0() {
    let methods: [Method; 12] = [
        connection::Start::default().into(),
        connection::StartOk::default().into(),
        connection::Secure::default().into(),
        connection::SecureOk::default().into(),
        connection::Tune::default().into(),
        connection::TuneOk::default().into(),
        connection::Open::default().into(),
        connection::OpenOk {}.into(),
        connection::CloseOk {}.into(),
        connection::UpdateSecret::default().into(),
        channel::Close::default().into(),
        basic::Deliver::default().into(),
    ];
    for method in methods {
        let text = format!("{} at the wrong moment or from the wrong side", method.name());
        assert_frame_is_violation(&on(0, method), ReplyCode::COMMAND_INVALID, &text);
    }
}

#[test]
fn an_answer_before_the_channel_is_open() {
    let mut dialogue = Dialogue::open();
    dialogue.connection.open_channel().unwrap();
    dialogue.client_sends(on(1, channel::Open {}));
    dialogue.broker_sends(on(1, basic::QosOk {}));
    dialogue.ends_in_violation(
        ReplyCode::COMMAND_INVALID,
        "basic.qos-ok at the wrong moment or from the wrong side",
    );
}

#[test]
fn methods_whose_fields_cannot_be_read() {
    let code = ReplyCode::FRAME_ERROR;
    let text = "method, octet 0: a field of 2 octets is cut off, 1 are left";
    assert_violation(&raw_frame(1, 1, b"\x00"), code, text);
    let text = "basic.consume-ok, octet 5: a field of 9 octets is cut off, 3 are left";
    assert_violation(&raw_frame(1, 1, b"\x00\x3c\x00\x15\x09tag"), code, text);
    let text = "basic.qos-ok, octet 4: 2 octets too many";
    assert_violation(&raw_frame(1, 1, b"\x00\x3c\x00\x0b!!"), code, text);
}

#[test]
fn headers_that_cannot_be_read() {
    let deliver = {
        let mut octets = BytesMut::new();
        on(1, basic::Deliver::default()).encode(&mut octets);
        octets
    };
    let header = |payload: &[u8]| [&*deliver, &raw_frame(2, 1, payload)].concat();

    assert_violation(
        &header(b"\x00\x32\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
        ReplyCode::UNEXPECTED_FRAME,
        "content header, octet 2: class 50 carries no content",
    );
    assert_violation(
        &header(b"\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x10\x00"),
        ReplyCode::FRAME_ERROR,
        "content header, octet 14: a field of 1 octets is cut off, 0 are left",
    );
}

#[test]
fn frames_that_are_none() {
    let code = ReplyCode::FRAME_ERROR;
    assert_violation(b"HTTP", code, "frame, octet 0: 0x48 is no frame type");
    assert_violation(b"\x04", code, "frame, octet 0: 0x04 is no frame type");
    // The version cannot be refused any more.
    assert_violation(b"AMQP\x00\x00\x09\x01", code, "frame, octet 0: 0x41 is no frame type");

    let mut octets = raw_frame(1, 1, b"\x00\x3c\x00\x0b");
    *octets.last_mut().unwrap() = 0xcd;
    assert_violation(&octets, code, "frame, octet 11: the frame ends in 0xcd instead of 0xce");
}

/// The frame is refused by its first seven octets: nobody waits for the rest, or makes room.
#[test]
fn frames_that_are_too_large() {
    assert_violation(
        b"\x03\x00\x01\x00\x01\xff\xf9",
        ReplyCode::FRAME_ERROR,
        "frame, octet 3: a payload of 131065 octets is announced, the limit is 131064",
    );
    // Methods and headers, which the broker does not split, may be larger.
    assert_violation(
        b"\x02\x00\x01\x00\x0f\xff\xf9",
        ReplyCode::FRAME_ERROR,
        "frame, octet 3: a payload of 1048569 octets is announced, the limit is 1048568",
    );
    let mut dialogue = Dialogue::with_channels(1);
    dialogue.broker_sends_octets(b"\x01\x00\x01\x00\x0f\xff\xf8");
    dialogue.client_is_silent();
    dialogue.no_event();
}

#[test]
fn heartbeats_that_are_none() {
    let text = "frame, octet 1: a heartbeat has no payload and belongs to channel 0";
    assert_violation(&raw_frame(8, 1, b"")[..7], ReplyCode::FRAME_ERROR, text);
    assert_violation(&raw_frame(8, 0, b"!")[..7], ReplyCode::FRAME_ERROR, text);
}

/// What came before a violation has been understood, and what comes behind it is dropped.
#[test]
fn frames_before_and_behind_a_violation() {
    let mut octets = BytesMut::new();
    on(1, basic::QosOk {}).encode(&mut octets);
    on(1, basic::Publish::default()).encode(&mut octets);
    on(1, basic::QosOk {}).encode(&mut octets);
    on(2, basic::QosOk {}).encode(&mut octets);
    let mut dialogue = Dialogue::with_channels(1);
    dialogue.broker_sends_octets(&octets);
    dialogue.event(Event::Method { channel: 1, method: basic::QosOk {}.into() });
    dialogue.ends_in_violation(
        ReplyCode::COMMAND_INVALID,
        "basic.publish at the wrong moment or from the wrong side",
    );
}

#[test]
fn what_a_violation_says() {
    let mut dialogue = Dialogue::with_channels(1);
    dialogue.broker_sends(on(2, basic::QosOk {}));
    dialogue.sent();
    dialogue.ends_on_eof_with_text(
        "the peer broke the AMQP protocol (504 CHANNEL_ERROR): a frame on channel 2, which is not \
         open",
    );
}

/// What only the user of the connection understands, such as a delivery for nobody.
#[test]
fn the_user_finds_a_violation() {
    let mut dialogue = Dialogue::with_channels(1);
    let now = dialogue.now();
    let violation = Violation::new(ReplyCode::NOT_ALLOWED, "é".repeat(200));
    dialogue.connection.fail(now, violation);
    let close = connection::Close {
        reply_code: ReplyCode::NOT_ALLOWED,
        // 255 octets hold the name, and 120 whole characters of the text.
        reply_text: ShortStr::try_from(format!("NOT_ALLOWED - {}", "é".repeat(120))).unwrap(),
        ..connection::Close::default()
    };
    dialogue.client_sends(on(0, close));
    dialogue.broker_sends(on(0, connection::CloseOk {}));
    let text = "é".repeat(200);
    dialogue.ends(Err(ConnectionError::ProtocolViolation { code: ReplyCode::NOT_ALLOWED, text }));
}

/// The error has been told; how the socket ends after that is of no interest.
#[test]
fn a_violation_ends_in_one_event_however_the_socket_ends() {
    let ways: [fn(&mut Dialogue); 5] = [
        |dialogue| dialogue.broker_sends(on(0, connection::CloseOk {})),
        Dialogue::broker_closes_the_socket,
        |dialogue| dialogue.the_socket_fails("connection reset by peer"),
        |dialogue| dialogue.advance(seconds(5)),
        |dialogue| {
            // Closes that cross are both answered.
            dialogue.broker_sends(on(0, connection::Close::default()));
            dialogue.client_sends(on(0, connection::CloseOk {}));
            dialogue.broker_closes_the_socket();
        },
    ];
    for way in ways {
        for look_between in [true, false] {
            let mut dialogue = Dialogue::with_channels(1);
            dialogue.broker_sends(on(2, basic::QosOk {}));
            let (code, text) =
                (ReplyCode::CHANNEL_ERROR, "a frame on channel 2, which is not open");
            if look_between {
                dialogue.fails_in_violation(code, text);
                way(&mut dialogue);
                dialogue.has_ended();
            } else {
                dialogue.sent();
                way(&mut dialogue);
                let text = text.to_owned();
                dialogue.ends(Err(ConnectionError::ProtocolViolation { code, text }));
            }
        }
    }
}

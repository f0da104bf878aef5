//! The end of an open connection: ours, the broker's, and that of the socket.

use super::*;

fn bye() -> Frame {
    on(
        0,
        connection::Close {
            reply_code: ReplyCode::REPLY_SUCCESS,
            reply_text: ShortStr::from_static("bye"),
            class_id: 0,
            method_id: 0,
        },
    )
}

fn shutdown() -> connection::Close {
    connection::Close {
        reply_code: ReplyCode::CONNECTION_FORCED,
        reply_text: ShortStr::from_static("CONNECTION_FORCED - broker forced connection closure"),
        class_id: 0,
        method_id: 0,
    }
}

/// An open connection whose user has closed it.
fn closing() -> Dialogue {
    let mut dialogue = Dialogue::with_channels(1);
    dialogue.close();
    dialogue.client_sends(bye());
    dialogue.no_event();
    assert!(!dialogue.connection.is_finished(), "close-ok is awaited");
    dialogue
}

#[test]
fn we_close() {
    let mut dialogue = closing();
    dialogue.broker_sends(on(0, connection::CloseOk {}));
    dialogue.ends(Ok(()));
}

/// RabbitMQ's listener lingers for no time, so its last words may be lost.
#[test]
fn we_close_and_the_socket_ends_without_close_ok() {
    let mut dialogue = closing();
    dialogue.broker_closes_the_socket();
    dialogue.ends(Ok(()));

    let mut dialogue = closing();
    dialogue.the_socket_fails("connection reset by peer");
    dialogue.ends(Ok(()));
}

#[test]
fn we_close_and_nothing_comes() {
    let mut dialogue = closing();
    dialogue.advance(Duration::from_millis(4_999));
    dialogue.no_event();
    assert!(!dialogue.connection.is_finished());
    dialogue.advance(Duration::from_millis(1));
    dialogue.client_is_silent();
    dialogue.ends(Ok(()));
}

#[test]
fn we_close_twice() {
    let mut dialogue = closing();
    dialogue.advance(seconds(4));
    dialogue.close();
    dialogue.client_is_silent();
    dialogue.no_event();
    dialogue.advance(seconds(1));
    dialogue.ends(Ok(()));
}

#[test]
fn what_comes_behind_our_close_is_dropped() {
    let mut dialogue = closing();
    dialogue.broker_sends(on(0, connection::Blocked::default()));
    dialogue.broker_sends(on(1, channel::Close::default()));
    dialogue.broker_sends(on(1, basic::Deliver::default()));
    dialogue.broker_sends(on(1, basic::QosOk {}));
    dialogue.broker_sends(on(9, basic::QosOk {}));
    dialogue.broker_sends_octets(b"\x01\x00\x00\x00\x00\x00\x04\xff\xff\xff\xff\xce");
    dialogue.no_event();
    dialogue.client_is_silent();
    dialogue.broker_sends(on(0, connection::CloseOk {}));
    dialogue.ends(Ok(()));
}

/// Behind octets that are no frame, nobody knows where a frame begins; the answer is still known.
#[test]
fn close_ok_is_found_behind_octets_that_are_no_frame() {
    let mut dialogue = Dialogue::with_channels(1);
    dialogue.broker_sends_octets(b"no frame");
    assert!(matches!(dialogue.sent(), Frame::Method { channel: 0, .. }));
    assert_eq!(dialogue.events().len(), 1);
    dialogue.broker_sends(on(0, connection::Close::default()));
    dialogue.broker_sends_octets_one_by_one(&[0x01; 100]);
    assert!(dialogue.unread().len() < 12, "what is of no use is not kept");
    dialogue.client_is_silent();
    assert!(!dialogue.connection.is_finished());
    dialogue.broker_sends(on(0, connection::CloseOk {}));
    assert!(dialogue.connection.is_finished());
    dialogue.no_event();
}

#[test]
fn what_came_before_our_close_is_not_dropped() {
    let mut dialogue = Dialogue::with_channels(1);
    dialogue.broker_sends(on(1, basic::QosOk {}));
    dialogue.close();
    dialogue.client_sends(bye());
    dialogue.broker_sends(on(0, connection::CloseOk {}));
    dialogue.event(Event::Method { channel: 1, method: basic::QosOk {}.into() });
    dialogue.ends(Ok(()));
}

/// What was published before the close is sent before it.
#[test]
fn close_waits_its_turn() {
    let mut dialogue = Dialogue::with_channels(1);
    dialogue.connection.send(1, basic::Qos::default()).unwrap();
    dialogue.close();
    dialogue.client_sends(on(1, basic::Qos::default()));
    dialogue.client_sends(bye());
    dialogue.client_is_silent();
}

#[test]
fn commands_after_our_close() {
    let mut dialogue = closing();
    let properties = BasicProperties::default();
    let published = dialogue.connection.publish(1, &basic::Publish::default(), &properties, b"x");
    assert_eq!(published, Err(Misuse::NotOpen));
    assert_eq!(dialogue.connection.open_channel(), Err(Misuse::NotOpen));
    assert_eq!(dialogue.connection.close_channel(1), Err(Misuse::NotOpen));
    assert!(!dialogue.connection.may_publish(1));
    dialogue.client_is_silent();
}

#[test]
fn nothing_may_be_published_after_the_end() {
    let mut dialogue = Dialogue::with_channels(1);
    dialogue.broker_closes_the_socket();
    assert!(!dialogue.connection.may_publish(1));
}

#[test]
fn a_violation_behind_our_close_does_not_matter() {
    let mut dialogue = closing();
    let now = dialogue.now();
    dialogue.connection.fail(now, Violation::new(ReplyCode::NOT_ALLOWED, "nobody asked for it"));
    dialogue.client_is_silent();
    dialogue.no_event();
    dialogue.broker_sends(on(0, connection::CloseOk {}));
    dialogue.ends(Ok(()));
}

#[test]
fn the_broker_closes() {
    let mut dialogue = Dialogue::with_channels(1);
    dialogue.broker_sends(on(0, shutdown()));
    dialogue.client_sends(on(0, connection::CloseOk {}));
    dialogue.ends(Err(ConnectionError::ClosedByPeer {
        code: ReplyCode::CONNECTION_FORCED,
        text: "CONNECTION_FORCED - broker forced connection closure".to_owned(),
        class_id: 0,
        method_id: 0,
    }));
}

#[test]
fn what_the_broker_says_when_it_closes() {
    let mut dialogue = Dialogue::open();
    dialogue.broker_sends(on(
        0,
        connection::Close {
            reply_code: ReplyCode::NOT_ALLOWED,
            reply_text: ShortStr::from_static("NOT_ALLOWED - attempt to reuse consumer tag 'T'"),
            class_id: 60,
            method_id: 20,
        },
    ));
    dialogue.client_sends(on(0, connection::CloseOk {}));
    dialogue.ends_with_text(
        "the broker closed the connection: 530 NOT_ALLOWED - attempt to reuse \
         consumer tag 'T'",
    );
}

/// What the broker sent before its close is told before the end, and what is behind it is not.
#[test]
fn the_broker_closes_in_the_middle_of_its_output() {
    let mut octets = BytesMut::new();
    on(1, basic::QosOk {}).encode(&mut octets);
    on(0, shutdown()).encode(&mut octets);
    on(1, basic::QosOk {}).encode(&mut octets);
    octets.put_slice(b"garbage");
    let mut dialogue = Dialogue::with_channels(1);
    dialogue.broker_sends_octets(&octets);
    dialogue.event(Event::Method { channel: 1, method: basic::QosOk {}.into() });
    dialogue.client_sends(on(0, connection::CloseOk {}));
    assert!(matches!(
        dialogue.events()[..],
        [Event::Closed(Err(ConnectionError::ClosedByPeer { .. }))]
    ));
    dialogue.has_ended();
}

/// Both closes are under way at once. Each is answered; it is we who wanted to close.
#[test]
fn closes_cross() {
    let mut dialogue = Dialogue::open();
    dialogue.close();
    dialogue.broker_sends(on(0, shutdown()));
    dialogue.client_sends(bye());
    dialogue.client_sends(on(0, connection::CloseOk {}));
    dialogue.no_event();
    dialogue.broker_sends(on(0, connection::CloseOk {}));
    dialogue.ends(Ok(()));
}

/// Each is answered, until a megabyte of answers has not been read.
#[test]
fn closes_cross_without_end_and_the_answers_are_not_read() {
    let mut dialogue = Dialogue::open();
    dialogue.close();
    dialogue.sent();
    while !dialogue.connection.is_finished() {
        dialogue.broker_sends(on(0, connection::Close::default()));
        assert!(dialogue.connection.transmit_len() < (1 << 20) + 100);
    }
    assert!(dialogue.connection.transmit_len() > 1 << 20);
    assert_eq!(dialogue.events(), [Event::Closed(Ok(()))]);
}

#[test]
fn closes_cross_and_the_broker_ends_the_socket() {
    let mut dialogue = Dialogue::open();
    dialogue.close();
    dialogue.broker_sends(on(0, shutdown()));
    dialogue.client_sends(bye());
    dialogue.client_sends(on(0, connection::CloseOk {}));
    dialogue.the_socket_fails("connection reset by peer");
    dialogue.ends(Ok(()));
}

#[test]
fn the_socket_ends() {
    let mut dialogue = Dialogue::with_channels(1);
    dialogue.broker_closes_the_socket();
    dialogue.ends(lost("the peer closed the socket"));

    let mut dialogue = Dialogue::with_channels(1);
    dialogue.the_socket_fails("connection reset by peer");
    dialogue.ends_with_text("the connection was lost: connection reset by peer");
}

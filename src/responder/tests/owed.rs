//! The server goes while it has no connection, or no channel: what it owes is sent first.

use super::reconnecting::default;
use super::*;

#[test]
fn an_idle_server_ends_at_once_without_a_connection() {
    let mut server = default();
    server.broker_closes_the_socket();
    assert_eq!(server.end(), Poll::Pending);
    server.shut_down();
    assert_eq!(server.end(), Poll::Ready(Ok(())));
    assert!(server.engine.is_finished());
}

#[test]
fn a_server_that_ends_reconnects_for_the_replies_that_are_owed() {
    let mut server = default();
    let [early, late] = [server.asked(1, 1), server.asked(1, 2)];
    server.broker_closes_the_socket();
    server.shut_down();
    server.answer(early, reply("before"));
    assert_eq!(server.end(), Poll::Pending);
    server.connects_anew(1);
    server.opens_channels();
    assert_eq!(server.published(1).body, b"before");
    // It consumes from nothing any more.
    server.engine_is_silent();
    server.answer(late, reply("after"));
    assert_eq!(server.published(1).body, b"after");
    server.engine_says_goodbye();
    assert_eq!(server.end(), Poll::Ready(Ok(())));
}

#[test]
fn what_is_answered_during_the_handshake_is_owed_too() {
    let mut server = default();
    let pending = server.asked(1, 1);
    server.broker_closes_the_socket();
    server.shut_down();
    server.reaches(1);
    server.answer(pending, reply("reply"));
    server.shake_hands(RABBITMQ);
    server.opens_channels();
    assert_eq!(server.published(1).body, b"reply");
    server.engine_says_goodbye();
    assert_eq!(server.end(), Poll::Ready(Ok(())));
}

#[test]
fn a_server_that_owes_nothing_more_does_not_wait_for_the_end_of_the_handshake() {
    let mut server = default();
    let nobody = BasicProperties::default();
    server.delivers(1, 1, &nobody, "request");
    let pending = server.takes().pending;
    server.broker_closes_the_socket();
    server.shut_down();
    server.reaches(1);
    assert_eq!(server.end(), Poll::Pending);
    server.answer(pending, reply("reply"));
    assert_eq!(server.end(), Poll::Ready(Ok(())));
    assert!(server.engine.is_finished());
}

#[test]
fn a_server_whose_connection_is_lost_while_it_ends_does_the_same() {
    let mut server = default();
    let pending = server.asked(1, 1);
    server.shut_down();
    server.broker_closes_the_socket();
    server.connects_anew(1);
    server.opens_channels();
    server.engine_is_silent();
    server.answer(pending, reply("reply"));
    server.published(1);
    server.engine_says_goodbye();
    assert_eq!(server.end(), Poll::Ready(Ok(())));
}

#[test]
fn a_close_waits_for_nothing() {
    let mut server = default();
    let pending = server.asked(1, 1);
    server.broker_closes_the_socket();
    server.answer(pending, reply("reply"));
    let now = server.now();
    server.engine.close(now);
    assert_eq!(server.end(), Poll::Ready(Ok(())));
    let stats = server.engine.stats();
    assert_eq!((stats.held, stats.unsent), (0, 1));
}

#[test]
fn a_close_between_a_violation_and_its_end_ends() {
    let mut server = default();
    server.broker_sends(on(1, basic::QosOk {}));
    assert!(matches!(server.method(0), Method::ConnectionClose(_)));
    let now = server.now();
    server.engine.close(now);
    server.broker_sends(on(0, connection::CloseOk {}));
    assert_eq!(server.end(), Poll::Ready(Ok(())));
    assert!(server.engine.is_finished());
}

#[test]
fn a_reply_that_is_held_has_a_channel_opened_for_it() {
    let mut server = default();
    let pending = server.asked(1, 1);
    for channel in [1, 2] {
        server.loses_channel(channel);
    }
    server.answer(pending, reply("owed"));
    assert_eq!(server.engine.stats().held, 1);
    server.shut_down();
    server.engine_sends(on(1, channel::Open {}));
    server.broker_sends(on(1, channel::OpenOk {}));
    assert_eq!(server.published(1).body, b"owed");
    server.engine_says_goodbye();
    assert_eq!(server.end(), Poll::Ready(Ok(())));
}

#[test]
fn a_channel_that_closes_while_the_server_ends_costs_no_reply() {
    let mut server = Server::serving(1);
    let pending = server.asked(1, 1);
    server.shut_down();
    server.engine_cancels(1);
    server.loses_channel(1);
    server.engine_sends(on(1, channel::Open {}));
    server.answer(pending, reply("owed"));
    server.broker_sends(on(1, channel::OpenOk {}));
    assert_eq!(server.published(1).body, b"owed");
    server.engine_says_goodbye();
}

#[test]
fn the_end_during_a_handshake_does_not_wait_for_the_connect_timeout() {
    let mut server = default();
    server.delivers(1, 1, &BasicProperties::default(), "no reply wanted");
    let pending = server.takes().pending;
    server.shut_down();
    server.broker_closes_the_socket();
    server.wants_to_connect(1);
    let now = server.now();
    server.engine.handle_connected(now);
    server.answer(pending, reply("reply"));
    assert!(server.engine.is_disconnected());
    assert_eq!(server.end(), Poll::Ready(Ok(())));
}

//! What goes wrong with one queue, or one reply, is told of and costs no other anything.

use super::reconnecting::default;
use super::*;
use crate::ConnectionState;

#[test]
fn attempts_that_fail_are_no_connections_lost() {
    let mut server = default();
    server.broker_closes_the_socket();
    for address in [1, 0, 1, 0] {
        server.wants_to_connect(address);
        let now = server.now();
        server.engine.handle_unreachable(now, "refused".to_string());
    }
    assert_eq!(server.engine.stats().disconnects, 1);
}

#[test]
fn a_request_whose_reply_could_not_be_sent_goes_back() {
    let mut server = default();
    let pending = server.asked(1, 1);
    let (letter, settlement) = server.engine.write(pending, reply("lost"));
    assert!(letter.is_some());
    let now = server.now();
    server.engine.settle(now, settlement, Sent::Failed);
    server.engine_sends(on(1, basic::Reject { delivery_tag: 1, requeue: true }));
    server.engine_is_silent();
    assert_eq!((server.engine.stats().running, server.engine.stats().unsent), (0, 1));
}

/// It would be dropped if the broker refuses what was asked before.
#[test]
fn a_reply_does_not_go_behind_a_declaration() {
    let mut server = default();
    let pending = server.asked(1, 1);
    server.broker_closes_the_socket();
    server.connects_anew(1);
    server.opens_channels();
    for _ in 0..6 {
        server.sent();
    }
    server.answer(pending, reply("reply"));
    server.engine_is_silent();
    assert_eq!(server.engine.stats().held, 1);
    server.broker_confirms(2);
    assert_eq!(server.published(2).body, b"reply");
}

#[test]
fn a_queue_that_the_broker_is_silent_about_costs_no_other() {
    let mut server = default();
    server.broker_closes_the_socket();
    server.connects_anew(1);
    server.opens_channels();
    for _ in 0..6 {
        server.sent();
    }
    server.broker_confirms(2);
    assert_eq!(server.engine.connection_state(), ConnectionState::Connected);
    let running = server.asked(2, 1);
    server.advance(seconds(10));
    let cause = SessionError::QueueSilent { queue: "1".to_string() };
    assert_eq!(server.engine.connection_state(), ConnectionState::Unserved { cause });
    server.engine_sends(on(1, channel_close(ReplyCode::REPLY_SUCCESS, "")));
    server.broker_sends(on(1, channel::CloseOk {}));
    server.answer(running, reply("unharmed"));
    server.engine_replies(2, 1);
    server.advance(REST);
    server.engine_sends(on(1, channel::Open {}));
    server.broker_sends(on(1, channel::OpenOk {}));
    server.engine_begins(1, &queue("1"));
    server.broker_confirms(1);
    assert_eq!(server.engine.connection_state(), ConnectionState::Connected);
}

#[test]
fn a_channel_that_was_given_up_is_closed_when_it_is_open() {
    let mut server = default();
    server.loses_channel(1);
    server.advance(REST);
    server.engine_sends(on(1, channel::Open {}));
    server.advance(seconds(10));
    server.engine_is_silent();
    server.broker_sends(on(1, channel::OpenOk {}));
    server.engine_sends(on(1, channel_close(ReplyCode::REPLY_SUCCESS, "")));
}

#[test]
fn a_queue_that_is_refused_is_told_of() {
    let mut server = default();
    server.loses_channel(1);
    let ConnectionState::Unserved { cause } = server.engine.connection_state() else {
        panic!("queue 1 is not served")
    };
    let text =
        "queue \"1\": 406 PRECONDITION_FAILED - delivery acknowledgement on channel timed out";
    assert_eq!(cause.to_string(), text);
}

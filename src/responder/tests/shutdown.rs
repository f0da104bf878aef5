//! The server goes: no new requests, and an answer to those that run.

use super::*;

#[test]
fn an_idle_server_cancels_its_consumers_and_closes() {
    let mut server = Server::serving(2);
    server.shut_down();
    server.engine_cancels(1);
    server.engine_cancels(2);
    server.engine_is_silent();
    server.broker_confirms_cancel(2);
    server.engine_is_silent();
    server.broker_confirms_cancel(1);
    assert_eq!(server.end(), Poll::Pending);
    server.engine_says_goodbye();
    assert_eq!(server.end(), Poll::Ready(Ok(())));
}

#[test]
fn requests_that_run_are_answered_first() {
    let mut server = Server::serving(1);
    let [early, late] = [server.asked(1, 1), server.asked(1, 2)];
    server.shut_down();
    server.engine_cancels(1);
    server.answer(early, reply("before cancel-ok"));
    assert_eq!(server.engine_replies(1, 1).body, b"before cancel-ok");
    server.broker_confirms_cancel(1);
    server.engine_is_silent();
    server.answer(late, reply("after cancel-ok"));
    assert_eq!(server.engine_replies(1, 2).body, b"after cancel-ok");
    server.engine_says_goodbye();
    assert_eq!(server.end(), Poll::Ready(Ok(())));
    assert_eq!(server.engine.stats().running, 0);
}

#[test]
fn a_running_request_of_another_queue_is_waited_for() {
    let mut server = Server::serving(2);
    let pending = server.asked(2, 1);
    server.shut_down();
    for channel in [1, 2] {
        server.engine_cancels(channel);
    }
    for channel in [1, 2] {
        server.broker_confirms_cancel(channel);
    }
    server.engine_is_silent();
    server.answer(pending, Answer::Panic("at last".to_string()));
    server.published(2);
    server.engine_sends(on(2, basic::Reject { delivery_tag: 1, requeue: false }));
    server.engine_says_goodbye();
}

#[test]
fn requests_that_arrive_before_cancel_ok_are_served() {
    let mut server = Server::serving(1);
    server.delivers(1, 1, &asking(), "before shutdown");
    server.shut_down();
    server.engine_cancels(1);
    server.delivers(1, 2, &asking(), "before cancel-ok");
    server.broker_confirms_cancel(1);
    server.engine_is_silent();
    for (delivery_tag, body) in [(1, "before shutdown"), (2, "before cancel-ok")] {
        let Arrived { request, pending, .. } = server.takes();
        assert_eq!(request.text(), Ok(body));
        server.engine_is_silent();
        server.answer(pending, reply("reply"));
        server.engine_replies(1, delivery_tag);
    }
    server.engine_says_goodbye();
}

#[test]
fn shutting_down_twice_is_shutting_down_once() {
    let mut server = Server::serving(1);
    let pending = server.asked(1, 1);
    server.shut_down();
    server.engine_cancels(1);
    server.shut_down();
    server.engine_is_silent();
    server.broker_confirms_cancel(1);
    server.shut_down();
    server.engine_is_silent();
    server.answer(pending, reply("reply"));
    server.engine_replies(1, 1);
    server.engine_says_goodbye();
    server.shut_down();
    server.engine_is_silent();
}

// ---------------------------------------------------------------------- at a bad moment

#[test]
fn while_it_starts() {
    let queues = [queue("1"), queue("2")];
    let mut server = Server::connected(&queues);
    server.shut_down();
    server.engine_is_silent();
    for channel in [1, 2] {
        server.broker_sends(on(channel, channel::OpenOk {}));
        server.engine_begins(channel, &queues[usize::from(channel) - 1]);
        server.broker_confirms(channel);
        server.engine_cancels(channel);
        assert_eq!(server.readiness(), Poll::Pending);
        server.engine_is_silent();
        server.broker_confirms_cancel(channel);
    }
    server.engine_says_goodbye();
    assert_eq!(server.end(), Poll::Ready(Ok(())));
}

#[test]
fn when_some_queues_serve_already() {
    let queues = [queue("1"), queue("2")];
    let mut server = Server::connected(&queues);
    server.broker_sends(on(1, channel::OpenOk {}));
    server.engine_begins(1, &queues[0]);
    server.broker_confirms(1);
    server.shut_down();
    server.engine_cancels(1);
    server.broker_confirms_cancel(1);
    server.engine_is_silent();
    server.broker_sends(on(2, channel::OpenOk {}));
    server.engine_begins(2, &queues[1]);
    server.broker_confirms(2);
    server.engine_cancels(2);
    server.broker_confirms_cancel(2);
    server.engine_says_goodbye();
}

#[test]
fn when_the_broker_cancels_at_the_same_time() {
    let mut server = Server::serving(1);
    let pending = server.asked(1, 1);
    server.shut_down();
    server.engine_cancels(1);
    // The broker sent this before it saw ours; then it answers ours.
    server.broker_cancels(1);
    server.engine_is_silent();
    server.broker_confirms_cancel(1);
    server.engine_is_silent();
    server.answer(pending, reply("reply"));
    // What it had delivered is void, and not acknowledged.
    server.published(1);
    server.engine_says_goodbye();
    assert_eq!(server.end(), Poll::Ready(Ok(())));
}

#[test]
fn when_the_broker_cancels_and_nothing_runs() {
    let mut server = Server::serving(1);
    server.shut_down();
    server.engine_cancels(1);
    let cancel = basic::Cancel { consumer_tag: tag(1), nowait: true };
    let cancel_ok = basic::CancelOk { consumer_tag: tag(1) };
    server.broker_sends_at_once([on(1, cancel), on(1, cancel_ok)]);
    server.engine_says_goodbye();
    assert_eq!(server.end(), Poll::Ready(Ok(())));
}

#[test]
fn while_a_queue_is_declared_again() {
    let mut server = Server::serving(1);
    server.broker_cancels(1);
    server.engine_begins_again(1, REST, &queue("1"));
    server.shut_down();
    server.engine_is_silent();
    server.broker_confirms(1);
    server.engine_cancels(1);
    server.broker_confirms_cancel(1);
    server.engine_says_goodbye();
}

#[test]
fn while_a_queue_is_left_alone() {
    for is_answered_early in [false, true] {
        let mut server = Server::serving(1);
        let pending = server.asked(1, 1);
        server.broker_cancels(1);
        server.engine_sends(on(1, channel_close(ReplyCode::REPLY_SUCCESS, "")));
        server.broker_sends(on(1, channel::CloseOk {}));
        server.shut_down();
        // For the reply that is owed, and for nothing else.
        server.engine_sends(on(1, channel::Open {}));
        if is_answered_early {
            server.answer(pending, reply("reply"));
            server.engine_is_silent();
            server.broker_sends(on(1, channel::OpenOk {}));
        } else {
            server.broker_sends(on(1, channel::OpenOk {}));
            server.engine_is_silent();
            server.answer(pending, reply("reply"));
        }
        server.published(1);
        server.engine_says_goodbye();
        assert_eq!(server.end(), Poll::Ready(Ok(())));
    }
}

#[test]
fn while_a_queue_is_left_alone_and_nothing_runs() {
    let mut server = Server::serving(1);
    server.broker_cancels(1);
    server.engine_sends(on(1, channel_close(ReplyCode::REPLY_SUCCESS, "")));
    server.shut_down();
    server.engine_says_goodbye();
}

#[test]
fn when_the_connection_is_lost() {
    let mut server = Server::serving(1);
    let pending = server.asked(1, 1);
    server.shut_down();
    server.discard_sent();
    server.broker_closes_the_socket();
    let Poll::Ready(Err(SessionError::Connection(ConnectionError::Lost { .. }))) = server.end()
    else {
        panic!("the end");
    };
    server.answer(pending, reply("reply"));
    server.engine_is_silent();
}

#[test]
fn before_the_connection_is_open() {
    let queues = [queue("1")];
    let mut server =
        Server::greeted(|now| Responder::new(config(), queues.clone(), MAX_REPLY_SIZE, now));
    server.shut_down();
    server.shake_hands(RABBITMQ);
    server.engine_sends(on(1, channel::Open {}));
    server.broker_sends(on(1, channel::OpenOk {}));
    server.engine_begins(1, &queues[0]);
    server.broker_confirms(1);
    server.engine_cancels(1);
    server.broker_confirms_cancel(1);
    server.engine_says_goodbye();
}

#[test]
fn without_any_queue() {
    let mut server = Server::connected(&[]);
    assert_eq!(server.readiness(), Poll::Ready(Ok(())));
    server.shut_down();
    server.engine_says_goodbye();
    assert_eq!(server.end(), Poll::Ready(Ok(())));
}

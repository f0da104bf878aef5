//! The broker cancels a consumer, because its queue is gone: the queue is declared anew.

use super::*;

#[test]
fn the_queue_is_declared_and_consumed_from_again() {
    let mut server = Server::serving(2);
    server.broker_cancels(2);
    assert_eq!(server.readiness(), Poll::Pending);
    // No cancel-ok: RabbitMQ up to 4.2 would close the connection over it.
    server.engine_begins_again(2, REST, &queue("2"));
    assert_eq!(server.readiness(), Poll::Pending);
    server.broker_confirms(2);
    assert_eq!(server.readiness(), Poll::Ready(Ok(())));
    assert_eq!(server.engine.stats().cancelled_by_broker, 1);
    let pending = server.asked(2, 9);
    server.answer(pending, reply("reply"));
    server.engine_replies(2, 9);
}

/// RabbitMQ 4.3 cancels a consumer that has not acknowledged in time, and closes the whole connection
/// over an acknowledgement that comes then.
#[test]
fn requests_that_run_are_still_answered_and_not_acknowledged() {
    let mut server = Server::serving(1);
    let early = server.asked(1, 1);
    let late = server.asked(1, 2);
    server.broker_cancels(1);
    server.answer(early, reply("early"));
    server.engine_sends(on(1, channel_close(ReplyCode::REPLY_SUCCESS, "")));
    server.broker_sends(on(1, channel::CloseOk {}));
    server.engine_is_silent();
    server.advance(REST);
    server.engine_sends(on(1, channel::Open {}));
    server.broker_sends(on(1, channel::OpenOk {}));
    assert_eq!(server.published(1).body, b"early");
    server.engine_begins(1, &queue("1"));
    server.broker_confirms(1);
    server.answer(late, reply("late"));
    assert_eq!(server.published(1).body, b"late");
    server.engine_is_silent();
}

#[test]
fn what_has_arrived_is_served_and_what_has_expired_is_not() {
    let options = QueueOptions { prefetch: 2, ..queue("1") };
    let mut server = Server::serving_from(RABBITMQ, core::slice::from_ref(&options));
    let running = [server.asked(1, 1), server.asked(1, 2)];
    server.delivers(1, 3, &asking(), "waits");
    let expiring = BasicProperties { expiration: Some(short("100")), ..asking() };
    server.delivers(1, 4, &expiring, "expires");
    server.broker_cancels(1);
    server.engine_begins_again(1, REST, &options);
    server.broker_confirms(1);
    for running in running {
        server.answer(running, reply("reply"));
        server.published(1);
    }
    let Arrived { request, pending, .. } = server.takes();
    assert_eq!(request.text(), Ok("waits"));
    server.answer(pending, reply("reply"));
    server.published(1);
    server.has_no_request();
    // Nothing stale is acknowledged, nor rejected.
    server.engine_is_silent();
    assert_eq!(server.engine.stats().expired, 1);
}

#[test]
fn a_cancel_of_the_brokers_that_crosses_our_own_voids_what_runs() {
    let mut server = Server::serving(1);
    let pending = server.asked(1, 1);
    server.shut_down();
    server.engine_cancels(1);
    server.broker_cancels(1);
    server.answer(pending, reply("reply"));
    server.published(1);
    server.engine_says_goodbye();
    assert_eq!(server.end(), Poll::Ready(Ok(())));
}

#[test]
fn the_new_consumer_may_have_another_tag() {
    let mut server = Server::serving(1);
    server.broker_cancels(1);
    server.engine_begins_again(1, REST, &queue("1"));
    server.broker_sends(on(1, queue_method::DeclareOk::default()));
    server.broker_sends(on(1, basic::QosOk {}));
    server.broker_sends(on(1, basic::ConsumeOk { consumer_tag: short("new") }));
    let deliver = basic::Deliver { consumer_tag: short("new"), ..delivery(1, 1) };
    server.broker_sends_at_once(message(1, deliver, &asking(), b"request"));
    assert_eq!(server.takes().queue, 0);
    server.shut_down();
    server.engine_sends(on(1, basic::Cancel { consumer_tag: short("new"), nowait: false }));
}

#[test]
fn a_queue_that_goes_again_and_again_rests_longer_each_time() {
    let mut server = Server::serving(1);
    for (count, rest) in (1..).zip([250, 500, 1000, 1000, 1000]) {
        server.broker_cancels(1);
        server.engine_begins_again(1, Duration::from_millis(rest), &queue("1"));
        server.broker_confirms(1);
        assert_eq!(server.engine.stats().cancelled_by_broker, count);
    }
    assert_eq!(server.readiness(), Poll::Ready(Ok(())));
}

#[test]
fn a_queue_that_served_for_long_rests_as_the_first_time() {
    let mut server = Server::serving(1);
    for _ in 0..10 {
        server.advance(seconds(10));
        server.broker_cancels(1);
        server.engine_begins_again(1, REST, &queue("1"));
        server.broker_confirms(1);
    }
    assert_eq!(server.engine.stats().cancelled_by_broker, 10);
}

/// Each consumer has a prefetch of its own, and what the one before it was given still waits.
#[test]
fn requests_of_an_earlier_consumer_do_not_count_against_the_prefetch() {
    let options = QueueOptions { prefetch: 1, ..queue("1") };
    let mut server = Server::serving_from(RABBITMQ, core::slice::from_ref(&options));
    let running = server.asked(1, 1);
    for (delivery_tag, rest) in [(2, 250), (3, 500)] {
        server.broker_cancels(1);
        server.engine_begins_again(1, Duration::from_millis(rest), &options);
        server.broker_confirms(1);
        server.delivers(1, delivery_tag, &asking(), "request");
        server.engine_is_silent();
        server.has_no_request();
    }
    server.answer(running, reply("reply"));
    server.published(1);
    let Arrived { pending: second, .. } = server.takes();
    server.answer(second, reply("of the consumer before"));
    server.published(1);
    let Arrived { pending: third, .. } = server.takes();
    server.answer(third, reply("of this one"));
    server.engine_replies(1, 3);
}

/// A broker that cancels and delivers in turn.
#[test]
fn requests_that_wait_are_bounded_through_cancels() {
    let options = QueueOptions { prefetch: 1, ..queue("1") };
    let mut server = Server::serving_from(RABBITMQ, core::slice::from_ref(&options));
    let _running = server.asked(1, 1);
    for (delivery_tag, rest) in [(2, 250), (3, 500)] {
        server.broker_cancels(1);
        server.engine_begins_again(1, Duration::from_millis(rest), &options);
        server.broker_confirms(1);
        server.delivers(1, delivery_tag, &asking(), "request");
    }
    server.broker_cancels(1);
    server.engine_begins_again(1, seconds(1), &options);
    server.broker_confirms(1);
    server.delivers(1, 4, &asking(), "one too many");
    assert!(matches!(server.method(0), Method::ConnectionClose(_)));
}

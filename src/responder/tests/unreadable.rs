//! Requests that are not taken: none of them may end the server, or it would end the next one too.

use super::*;

/// A request with headers that nobody can read, and a body.
fn delivers_unreadable(server: &mut Server, deliver: basic::Deliver) {
    server.broker_sends(on(1, deliver));
    server.broker_sends_octets(&unreadable_header(1, &short("17"), 7));
    server.broker_sends(Frame::Body { channel: 1, payload: Bytes::from("request") });
}

#[track_caller]
fn engine_rejects(server: &mut Server, delivery_tag: u64) {
    server.engine_sends(on(1, basic::Reject { delivery_tag, requeue: false }));
    server.engine_is_silent();
}

#[test]
fn a_request_that_cannot_be_read_is_rejected_and_the_next_one_served() {
    let mut server = Server::serving(1);
    delivers_unreadable(&mut server, delivery(1, 1));
    server.has_no_request();
    engine_rejects(&mut server, 1);

    let pending = server.asked(1, 2);
    server.answer(pending, reply("reply"));
    server.engine_replies(1, 2);
    let expected = ServerStats { requests: 1, replies: 1, unreadable: 1, ..ServerStats::default() };
    assert_eq!(server.engine.stats(), expected);
}

#[test]
fn a_request_too_large_is_rejected() {
    let config = Config { max_body_size: 6, ..config() };
    let mut server =
        Server::open(RABBITMQ, |now| Responder::new(config, [queue("1")], MAX_REPLY_SIZE, now));
    server.engine_sends(on(1, channel::Open {}));
    server.broker_sends(on(1, channel::OpenOk {}));
    server.engine_begins(1, &queue("1"));
    server.broker_confirms(1);

    server.delivers(1, 1, &asking(), "request");
    server.has_no_request();
    engine_rejects(&mut server, 1);
    server.delivers(1, 2, &asking(), "reques");
    assert_eq!(server.takes().request.text(), Ok("reques"));
}

/// They are settled at once, and so none of those that the broker may have under way.
#[test]
fn any_number_of_them_takes_up_none_of_the_prefetch() {
    let options = QueueOptions { prefetch: 1, ..queue("1") };
    let mut server = Server::serving_from(RABBITMQ, &[options]);
    let pending = server.asked(1, 1);
    for delivery_tag in 2..100 {
        delivers_unreadable(&mut server, delivery(1, delivery_tag));
        engine_rejects(&mut server, delivery_tag);
    }
    assert_eq!(server.engine.stats().unreadable, 98);
    server.answer(pending, reply("reply"));
    server.engine_replies(1, 1);
}

#[test]
fn a_server_that_ends_rejects_them_until_it_has() {
    let mut server = Server::serving(1);
    server.shut_down();
    server.engine_cancels(1);
    delivers_unreadable(&mut server, delivery(1, 1));
    engine_rejects(&mut server, 1);
    server.broker_confirms_cancel(1);
    server.engine_says_goodbye();
    assert_eq!(server.end(), Poll::Ready(Ok(())));
}

#[test]
fn a_message_for_nobody_is_a_violation_whether_it_can_be_read_or_not() {
    let mut server = Server::serving(1);
    delivers_unreadable(&mut server, basic::Deliver { consumer_tag: tag(2), ..delivery(1, 1) });
    server.engine_closes_over("basic.deliver for a consumer that does not exist");
}

/// A broker that delivers them without end, and does not read what becomes of them.
#[test]
fn rejections_that_nobody_reads_do_not_pile_up() {
    let options = QueueOptions { prefetch: 3, ..queue("1") };
    let mut server = Server::serving_from(RABBITMQ, &[options]);
    let _pending = server.asked(1, 1);
    for delivery_tag in 2..=6 {
        delivers_unreadable(&mut server, delivery(1, delivery_tag));
        assert!(server.engine.connection().is_channel_open(1));
    }
    delivers_unreadable(&mut server, delivery(1, 7));
    for delivery_tag in 2..=6 {
        server.engine_sends(on(1, basic::Reject { delivery_tag, requeue: false }));
    }
    server.engine_closes_over("twice as many deliveries as the prefetch of 3");
}

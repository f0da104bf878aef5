//! Acknowledgements of what was answered at once.

use super::*;

impl Server {
    /// Requests arrive, with the delivery tags 1 and so on, and their handlers begin.
    #[track_caller]
    fn asked_at_once<const COUNT: usize>(&mut self) -> [Pending; COUNT] {
        let mut delivery_tag = 0;
        [(); COUNT].map(|()| {
            delivery_tag += 1;
            self.asked(1, delivery_tag)
        })
    }

    #[track_caller]
    fn engine_acks_up_to(&mut self, channel: u16, delivery_tag: u64) {
        self.engine_sends(on(channel, basic::Ack { delivery_tag, multiple: true }));
    }
}

#[test]
fn what_is_answered_at_once_is_acknowledged_at_once_behind_the_replies() {
    let mut server = Server::serving(1);
    let [one, two, three] = server.asked_at_once();
    for pending in [two, three, one] {
        server.answer(pending, reply("reply"));
    }
    for _ in 0..3 {
        server.published(1);
    }
    server.engine_acks_up_to(1, 3);
    server.engine_is_silent();
    // What comes next has nothing to do with them.
    let pending = server.asked(1, 4);
    server.answer(pending, reply("reply"));
    server.engine_replies(1, 4);
    server.engine_is_silent();
}

#[test]
fn nothing_is_acknowledged_that_is_not_answered() {
    let mut server = Server::serving(1);
    let [one, two, three, four, five, six] = server.asked_at_once();
    for pending in [five, one, two, four] {
        server.answer(pending, reply("reply"));
    }
    for _ in 0..4 {
        server.published(1);
    }
    server.engine_acks_up_to(1, 2);
    server.engine_acks(1, 5);
    server.engine_acks(1, 4);
    server.engine_is_silent();
    // The sixth is the last that is open then.
    server.answer(three, reply("reply"));
    server.engine_replies(1, 3);
    server.answer(six, reply("reply"));
    server.engine_replies(1, 6);
    server.engine_is_silent();
}

#[test]
fn a_request_that_nobody_waits_for_holds_up_nothing() {
    let mut server = Server::serving(1);
    let one = server.asked(1, 1);
    let expiring = BasicProperties { expiration: Some(short("1000")), ..asking() };
    server.delivers(1, 2, &expiring, "expires");
    server.advance(Duration::from_secs(1));
    let three = server.asked(1, 3);
    server.engine_sends(on(1, basic::Reject { delivery_tag: 2, requeue: false }));
    for pending in [one, three] {
        server.answer(pending, reply("reply"));
    }
    for _ in 0..2 {
        server.published(1);
    }
    server.engine_acks_up_to(1, 3);
    server.engine_is_silent();
}

#[test]
fn queues_have_nothing_to_do_with_each_other() {
    let mut server = Server::serving(2);
    let all = [(1, 1), (2, 1), (1, 2), (2, 2)];
    let pending = all.map(|(channel, delivery_tag)| server.asked(channel, delivery_tag));
    let [one, other, another, left] = pending;
    for pending in [one, other, another] {
        server.answer(pending, reply("reply"));
    }
    for channel in [1, 2, 1] {
        server.published(channel);
    }
    server.engine_acks_up_to(1, 2);
    server.engine_acks(2, 1);
    server.engine_is_silent();
    server.answer(left, reply("reply"));
    server.engine_replies(2, 2);
}

#[test]
fn a_request_that_is_rejected_holds_up_nothing() {
    let mut server = Server::serving(1);
    let [one, two, three, four] = server.asked_at_once();
    server.answer(one, reply("reply"));
    server.answer(two, Answer::Panic("message".to_string()));
    server.answer(three, reply("reply"));
    for _ in 0..2 {
        server.published(1);
    }
    server.engine_sends(on(1, basic::Reject { delivery_tag: 2, requeue: false }));
    server.published(1);
    server.engine_acks_up_to(1, 3);
    server.engine_is_silent();
    drop(four);
}

/// The acknowledgement goes out before the reply, with those of requests that are answered by then.
#[test]
fn a_request_that_was_delivered_before_is_not_acknowledged_later_than_it_is_answered() {
    let mut server = Server::serving(1);
    let one = server.asked(1, 1);
    let deliver = basic::Deliver { redelivered: true, ..delivery(1, 2) };
    server.broker_sends_at_once(message(1, deliver, &asking(), b"request"));
    let two = server.takes().pending;
    let three = server.asked(1, 3);
    for pending in [one, two, three] {
        server.answer(pending, reply("reply"));
    }
    server.published(1);
    server.engine_acks_up_to(1, 2);
    server.published(1);
    server.engine_replies(1, 3);
    server.engine_is_silent();
}

#[test]
fn what_was_answered_is_acknowledged_before_the_end() {
    let violation = Method::ConnectionUnblocked(connection::Unblocked {});
    let ends: [&dyn Fn(&mut Server); 3] = [
        &Server::shut_down,
        &|server| {
            let now = server.now();
            server.engine.close(now);
        },
        &|server| server.broker_sends(on(1, violation.clone())),
    ];
    for end in ends {
        let mut server = Server::serving(1);
        let pending: [Pending; 2] = server.asked_at_once();
        for pending in pending {
            server.answer(pending, reply("reply"));
        }
        end(&mut server);
        for _ in 0..2 {
            server.published(1);
        }
        server.engine_acks_up_to(1, 2);
        let Some(Frame::Method { method, .. }) = server.next() else { panic!("the end") };
        assert!(
            matches!(method, Method::BasicCancel(_) | Method::ConnectionClose(_)),
            "{method:?}"
        );
    }
}

/// The last answer ends the server.
#[test]
fn what_a_server_that_ends_was_still_to_answer_is_acknowledged_before_its_end() {
    let mut server = Server::serving(1);
    let pending: [Pending; 2] = server.asked_at_once();
    server.shut_down();
    server.engine_cancels(1);
    server.broker_confirms_cancel(1);
    for pending in pending {
        server.answer(pending, reply("reply"));
    }
    for _ in 0..2 {
        server.published(1);
    }
    server.engine_acks_up_to(1, 2);
    server.engine_says_goodbye();
}

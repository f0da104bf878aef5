//! What only the responder knows that the broker may not do.

use super::*;

#[track_caller]
fn assert_violation(mut server: Server, text: &str) {
    server.engine_closes_over(text);
    let (code, text) = (ReplyCode::COMMAND_INVALID, text.to_string());
    let cause = SessionError::from(ConnectionError::ProtocolViolation { code, text });
    assert_eq!(server.end(), Poll::Ready(Err(cause.clone())));
    assert_eq!(server.readiness(), Poll::Ready(Err(cause)));
    server.has_no_request();
}

#[test]
fn a_delivery_to_another_consumer() {
    let text = "basic.deliver for a consumer that does not exist";
    for (channel, consumer_tag) in [(1, short("")), (1, short("amq.ctag")), (1, tag(2))] {
        let mut server = Server::serving(2);
        let deliver = basic::Deliver { consumer_tag, ..delivery(channel, 1) };
        server.broker_sends_at_once(message(channel, deliver, &asking(), b"request"));
        assert_violation(server, text);
    }
}

#[test]
fn a_delivery_without_a_consumer() {
    let text = "basic.deliver for a consumer that does not exist";
    let mut server = Server::connected(&[queue("1")]);
    server.broker_sends(on(1, channel::OpenOk {}));
    server.engine_begins(1, &queue("1"));
    let deliver = basic::Deliver { consumer_tag: ShortStr::EMPTY, ..delivery(1, 1) };
    server.broker_sends_at_once(message(1, deliver, &asking(), b"request"));
    assert_violation(server, text);

    // A request that runs keeps the server there after cancel-ok.
    let mut server = Server::serving(1);
    let _pending = server.asked(1, 1);
    server.shut_down();
    server.engine_cancels(1);
    server.broker_confirms_cancel(1);
    server.delivers(1, 2, &asking(), "request");
    assert_violation(server, text);
}

#[test]
fn a_message_that_nobody_fetched_or_sent() {
    let methods: [Method; 2] = [basic::GetOk::default().into(), basic::Return::default().into()];
    for method in methods {
        let mut server = Server::serving(1);
        let text = format!("{} that nobody asked for", method.name());
        server.broker_sends_at_once(message(1, method, &asking(), b"body"));
        assert_violation(server, &text);
    }
}

fn answers() -> [Method; 11] {
    [
        queue_method::DeclareOk::default().into(),
        queue_method::BindOk {}.into(),
        basic::QosOk {}.into(),
        basic::ConsumeOk { consumer_tag: tag(1) }.into(),
        basic::CancelOk { consumer_tag: tag(1) }.into(),
        basic::Cancel { consumer_tag: short("another"), nowait: true }.into(),
        basic::Ack::default().into(),
        basic::Nack::default().into(),
        basic::GetEmpty {}.into(),
        basic::RecoverOk {}.into(),
        leveret_codec::confirm::SelectOk {}.into(),
    ]
}

#[test]
fn answers_that_nobody_asked_for() {
    for method in answers() {
        let mut server = Server::serving(1);
        let text = format!("{} that nobody asked for", method.name());
        server.broker_sends(on(1, method));
        assert_violation(server, &text);
    }
}

/// What comes to a queue that has sent declare, qos and consume: only their answers, in order.
#[test]
fn answers_in_the_wrong_order() {
    let order = ["queue.declare-ok", "basic.qos-ok", "basic.consume-ok"];
    for (step, expected) in order.into_iter().enumerate() {
        for method in answers() {
            if method.name() == expected {
                continue;
            }
            let mut server = Server::connected(&[queue("1")]);
            server.broker_sends(on(1, channel::OpenOk {}));
            server.engine_begins(1, &queue("1"));
            for name in &order[..step] {
                let answer = answers().into_iter().find(|method| method.name() == *name).unwrap();
                server.broker_sends(on(1, answer));
            }
            let text = format!("{} that nobody asked for", method.name());
            server.broker_sends(on(1, method));
            assert_violation(server, &text);
        }
    }
}

#[test]
fn a_cancel_ok_for_another_consumer() {
    let mut server = Server::serving(1);
    server.shut_down();
    server.engine_cancels(1);
    server.broker_sends(on(1, basic::CancelOk { consumer_tag: short("another") }));
    assert_violation(server, "basic.cancel-ok that nobody asked for");
}

#[test]
fn far_more_deliveries_than_the_prefetch() {
    let options = QueueOptions { prefetch: 3, ..queue("1") };
    let mut server = Server::serving_from(RABBITMQ, &[options]);
    for delivery_tag in 1..=6 {
        server.delivers(1, delivery_tag, &asking(), "request");
        server.engine_is_silent();
    }
    server.delivers(1, 7, &asking(), "request");
    server.engine_sends(on(
        0,
        connection_close(
            ReplyCode::COMMAND_INVALID,
            "COMMAND_INVALID - twice as many deliveries as the prefetch of 3",
        ),
    ));
}

//! What only the requester knows that the broker may not do: it says so, and every call ends.

use super::*;

#[track_caller]
fn assert_violation(mut client: Client, calls: &[CallId], text: &str) {
    client.engine_closes_over(text);
    let (code, text) = (ReplyCode::COMMAND_INVALID, text.to_string());
    let cause = SessionError::from(ConnectionError::ProtocolViolation { code, text });
    assert_eq!(client.engine.ended(), Some(&Err(cause.clone())));
    assert_eq!(client.readiness(), Poll::Ready(Err(cause.clone())));
    for id in calls {
        let CallError::Disconnected { cause: reason, .. } = client.fails(*id) else {
            panic!("disconnected");
        };
        assert_eq!(reason, cause);
    }
    client.nothing_is_left();
}

/// A client with a call on each kind of channel: 1 is shared, 2 its own and 3 being opened.
fn busy() -> (Client, [CallId; 3]) {
    let mut client = Client::ready();
    let (shared, _) = client.call("queue");
    let (own, _) = client.call_apart("queue", 2);
    let opening = client.request(apart("queue"), TIMEOUT);
    client.engine_sends(on(3, channel::Open {}));
    (client, [shared, own, opening])
}

#[test]
fn a_consumer_confirmed_twice() {
    for channel in [1, 2] {
        let (mut client, calls) = busy();
        client.confirm_consumer(channel, "another");
        assert_violation(client, &calls, "basic.consume-ok that nobody asked for");
    }
}

#[test]
fn a_delivery_to_another_consumer() {
    for tag in ["", "share", "shared ", "own"] {
        let (mut client, calls) = busy();
        client.delivers(SHARED, tag, &BasicProperties::default(), "body");
        let text = "basic.deliver for a consumer that does not exist";
        assert_violation(client, &calls, text);
    }
}

#[test]
fn a_delivery_before_the_consumer_is_confirmed() {
    let mut client = Client::connected_to(RABBITMQ);
    let id = client.request(to("queue"), TIMEOUT);
    client.engine_sends(on(1, channel::Open {}));
    client.broker_sends(on(1, channel::OpenOk {}));
    client.engine_sends(on(1, consume()));
    client.delivers(1, "", &BasicProperties::default(), "body");
    assert_violation(client, &[id], "basic.deliver for a consumer that does not exist");
}

#[test]
fn methods_that_nobody_asked_for() {
    let methods: [Method; 10] = [
        leveret_codec::queue::DeclareOk::default().into(),
        leveret_codec::queue::DeleteOk::default().into(),
        basic::QosOk {}.into(),
        basic::Cancel { consumer_tag: short("shared"), nowait: true }.into(),
        basic::CancelOk { consumer_tag: short("shared") }.into(),
        basic::Ack::default().into(),
        basic::Nack::default().into(),
        basic::GetEmpty {}.into(),
        basic::RecoverOk {}.into(),
        leveret_codec::confirm::SelectOk {}.into(),
    ];
    for method in methods {
        for channel in [1, 2] {
            let (mut client, calls) = busy();
            let text = format!("{} that nobody asked for", method.name());
            client.broker_sends(on(channel, method.clone()));
            assert_violation(client, &calls, &text);
        }
    }
}

#[test]
fn a_message_that_nobody_fetched() {
    let (mut client, calls) = busy();
    let got = basic::GetOk::default();
    client.broker_sends_at_once(message(1, got, &BasicProperties::default(), b"body"));
    assert_violation(client, &calls, "basic.get-ok that nobody asked for");
}

#[test]
fn the_outcome_says_what_had_been_sent() {
    let (mut client, [shared, own, opening]) = busy();
    client.broker_sends(on(1, basic::Ack::default()));
    assert_eq!(client.fails(shared).outcome(), Outcome::Unknown);
    assert_eq!(client.fails(own).outcome(), Outcome::Unknown);
    assert_eq!(client.fails(opening).outcome(), Outcome::NotExecuted);
}

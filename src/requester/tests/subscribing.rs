//! First of all the client subscribes to its replies.

use super::*;

#[test]
fn the_client_subscribes_before_it_does_anything_else() {
    let mut client = Client::connected_to(RABBITMQ);
    client.engine_sends(on(1, channel::Open {}));
    client.engine_is_silent();
    client.broker_sends(on(1, channel::OpenOk {}));
    let Method::BasicConsume(consume) = client.method(1) else { panic!("basic.consume") };
    assert_eq!(
        consume,
        basic::Consume {
            queue: short("amq.rabbitmq.reply-to"),
            consumer_tag: ShortStr::EMPTY,
            no_local: false,
            no_ack: true,
            exclusive: false,
            nowait: false,
            arguments: FieldTable::EMPTY,
        }
    );
    client.engine_is_silent();
    assert_eq!(client.readiness(), Poll::Pending);

    client.confirm_consumer(1, "amq.ctag-of-the-broker");
    assert_eq!(client.readiness(), Poll::Ready(Ok(())));
    client.engine_is_silent();
}

#[test]
fn requests_made_too_early_wait_and_go_on_the_channel_of_the_subscription() {
    let mut client = Client::greeted(|now| Requester::new(config(), MAX_BODY_SIZE, SECRET, now));
    let first = client.request(to("first"), TIMEOUT);
    client.engine_is_silent();
    client.shake_hands(RABBITMQ);
    let second = client.request(to("second"), TIMEOUT);
    client.engine_sends(on(1, channel::Open {}));
    let third = client.request(to("third"), TIMEOUT);
    client.broker_sends(on(1, channel::OpenOk {}));
    client.engine_sends(on(1, consume()));
    let fourth = client.request(to("fourth"), TIMEOUT);
    client.engine_is_silent();
    assert_eq!((client.engine.stats().pending, client.engine.stats().waiting), (4, 4));

    client.confirm_consumer(1, "shared");
    for (id, queue) in [(first, "first"), (second, "second"), (third, "third"), (fourth, "fourth")]
    {
        let request = client.published(SHARED);
        assert_eq!(request.method.routing_key, queue);
        client.reply(&request, queue);
        client.gets(id, queue);
    }
    assert_eq!(client.engine.stats().waiting, 0);
    client.nothing_is_left();
}

#[test]
fn later_requests_go_at_once_on_the_same_channel() {
    let mut client = Client::ready();
    for _ in 0..3 {
        let (id, request) = client.call("queue");
        client.reply(&request, "reply");
        client.gets(id, "reply");
    }
    client.nothing_is_left();
}

#[test]
fn replies_come_to_the_consumer_tag_that_the_broker_made() {
    let mut client = Client::connected_to(RABBITMQ);
    client.subscribe(1, "amq.ctag-x");
    let (id, request) = client.call("queue");
    client.delivers(1, "amq.ctag-x", &answering(&request), "reply");
    client.gets(id, "reply");
}

#[test]
fn a_refused_subscription_ends_the_session() {
    let refusals = [
        (ReplyCode::PRECONDITION_FAILED, "PRECONDITION_FAILED - reply consumer already set"),
        (ReplyCode::ACCESS_REFUSED, "ACCESS_REFUSED - no"),
    ];
    for (code, text) in refusals {
        let mut client = Client::connected_to(RABBITMQ);
        let id = client.request(to("queue"), TIMEOUT);
        client.engine_sends(on(1, channel::Open {}));
        client.broker_sends(on(1, channel::OpenOk {}));
        client.engine_sends(on(1, consume()));
        client.closes_channel(1, code, text);

        let cause = SessionError::ReplyConsumerRefused { code, text: text.to_string() };
        assert_eq!(client.readiness(), Poll::Ready(Err(cause.clone())));
        assert_eq!(client.engine.ended(), Some(&Err(cause.clone())));
        let error = client.fails(id);
        assert_eq!(error.outcome(), Outcome::NotExecuted);
        assert_eq!(error, CallError::Disconnected { written: false, cause });
        client.engine_says_goodbye();
        client.nothing_is_left();
    }
}

#[test]
fn a_refused_channel_ends_the_session() {
    let mut client = Client::connected_to(RABBITMQ);
    client.engine_sends(on(1, channel::Open {}));
    client.closes_channel(1, ReplyCode::NOT_ALLOWED, "NOT_ALLOWED - no channels today");
    let (code, text) = (ReplyCode::NOT_ALLOWED, "NOT_ALLOWED - no channels today".to_string());
    let cause = SessionError::ReplyConsumerRefused { code, text };
    assert_eq!(client.readiness(), Poll::Ready(Err(cause)));
    client.engine_says_goodbye();
}

#[test]
fn a_broker_without_direct_reply_to_is_of_no_use() {
    let mut client = Client::greeted(|now| Requester::new(config(), MAX_BODY_SIZE, SECRET, now));
    let id = client.request(to("queue"), TIMEOUT);
    client.shake_hands(Broker { direct_reply_to: false, ..RABBITMQ });
    client.engine_says_goodbye();

    let cause = SessionError::NoDirectReplyTo { product: "Warren".to_string() };
    assert_eq!(client.readiness(), Poll::Ready(Err(cause.clone())));
    assert_eq!(client.fails(id), CallError::Disconnected { written: false, cause });
    client.nothing_is_left();
}

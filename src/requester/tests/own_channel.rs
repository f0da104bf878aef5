//! A call on a channel of its own: whatever arrives there is the reply.

use super::*;

#[test]
fn it_subscribes_publishes_waits_and_closes() {
    let mut client = Client::ready();
    let id = client.request(apart("queue"), TIMEOUT);
    client.engine_sends(on(2, channel::Open {}));
    client.engine_is_silent();
    client.broker_sends(on(2, channel::OpenOk {}));
    client.engine_sends(on(2, consume()));
    client.engine_is_silent();
    client.confirm_consumer(2, "own");
    let Published { method, properties, body } = client.published(2);
    client.engine_is_silent();
    assert_eq!((method.routing_key, method.mandatory), (short("queue"), true));
    assert_eq!(properties.reply_to.unwrap(), "amq.rabbitmq.reply-to");
    assert_eq!(properties.correlation_id.unwrap(), FIRST_ID);
    assert_eq!(body, b"body");
    client.is_pending(id);

    client.delivers(2, "own", &BasicProperties::default(), "reply");
    client.client_closes_channel(2);
    client.gets(id, "reply");
    assert_eq!(client.engine.stats(), Stats { calls: 1, replies: 1, ..Stats::default() });
    client.nothing_is_left();
}

#[test]
fn the_first_delivery_is_the_reply_whatever_its_correlation_id() {
    let foreign = [
        None,
        Some(short("")),
        Some(short([0xff; 255])),
        // Of a call that does not exist, or is another.
        Some(short(FIRST_ID)),
        Some(short("670b46fa9dba1e08-0000000700000007")),
    ];
    for correlation_id in foreign {
        let mut client = Client::ready();
        let (shared, _) = client.call("queue");
        let (id, _) = client.call_apart("queue", 2);
        let properties = BasicProperties { correlation_id, ..BasicProperties::default() };
        client.delivers(2, "own", &properties, "reply");
        client.gets(id, "reply");
        client.is_pending(shared);
        assert_eq!(client.engine.stats().unknown_replies, 0);
    }
}

#[test]
fn a_fault_is_one_here_too() {
    let mut headers = FieldTable::new();
    headers.insert("rpc-error-code", "no").unwrap();
    let mut client = Client::ready();
    let (id, _) = client.call_apart("queue", 2);
    let properties = BasicProperties { headers: Some(headers), ..BasicProperties::default() };
    client.delivers(2, "own", &properties, "");
    assert_eq!(client.fails(id), CallError::Fault(Fault::new("no", "")));
    client.client_closes_channel(2);
    client.nothing_is_left();
}

#[test]
fn a_returned_request_fails_its_call_and_closes_its_channel() {
    let mut client = Client::ready();
    let (id, request) = client.call_apart("no such queue", 2);
    client.returns(2, &request);
    assert!(matches!(client.fails(id), CallError::Unroutable { .. }));
    client.client_closes_channel(2);
    client.nothing_is_left();
}

#[test]
fn a_second_reply_is_dropped() {
    let mut client = Client::ready();
    let (id, request) = client.call_apart("queue", 2);
    client.delivers(2, "own", &answering(&request), "first");
    client.delivers(2, "own", &answering(&request), "second");
    client.client_closes_channel(2);
    client.gets(id, "first");
    client.nothing_is_left();
}

#[test]
fn it_waits_for_the_shared_subscription() {
    let mut client = Client::connected_to(RABBITMQ);
    client.engine_sends(on(1, channel::Open {}));
    let id = client.request(apart("queue"), TIMEOUT);
    client.engine_is_silent();
    client.broker_sends(on(1, channel::OpenOk {}));
    client.engine_sends(on(1, consume()));
    client.confirm_consumer(1, "shared");
    client.subscribe(2, "own");
    let request = client.published(2);
    client.delivers(2, "own", &answering(&request), "reply");
    client.gets(id, "reply");
}

#[test]
fn its_request_expires_when_its_caller_stops_waiting() {
    let mut client = Client::ready();
    client.request(apart("queue"), TIMEOUT);
    client.engine_sends(on(2, channel::Open {}));
    client.advance(seconds(4));
    client.broker_sends(on(2, channel::OpenOk {}));
    client.engine_sends(on(2, consume()));
    client.advance(seconds(6));
    client.confirm_consumer(2, "own");
    assert_eq!(client.published(2).properties.expiration.unwrap(), "20000");
}

#[test]
fn many_have_a_channel_each() {
    let mut client = Client::ready();
    let calls: Vec<_> =
        (2..12).map(|channel| (channel, client.call_apart("queue", channel))).collect();
    for (channel, (_, request)) in calls.iter().rev() {
        // The same consumer tag on each: the channel tells them apart.
        client.delivers(*channel, "own", &answering(request), &format!("reply {channel}"));
        client.client_closes_channel(*channel);
    }
    for (channel, (id, _)) in calls {
        client.gets(id, &format!("reply {channel}"));
    }
    client.nothing_is_left();
}

#[test]
fn the_number_of_its_channel_is_used_again() {
    let mut client = Client::ready();
    for round in 0..3 {
        let (id, request) = client.call_apart("queue", 2);
        client.delivers(2, "own", &answering(&request), &format!("reply {round}"));
        client.client_closes_channel(2);
        client.gets(id, &format!("reply {round}"));
    }
    client.nothing_is_left();
}

#[test]
fn a_channel_still_being_closed_is_not_used_again() {
    let mut client = Client::ready();
    let (first, request) = client.call_apart("queue", 2);
    client.delivers(2, "own", &answering(&request), "first");
    client.gets(first, "first");
    client.engine_sends(on(2, channel_close(ReplyCode::REPLY_SUCCESS, "")));
    let (second, request) = client.call_apart("queue", 3);
    // What the broker had sent before it saw the close.
    client.delivers(2, "own", &BasicProperties::default(), "a duplicate of the first");
    client.broker_sends(on(2, channel::CloseOk {}));
    client.is_pending(second);
    client.delivers(3, "own", &answering(&request), "second");
    client.gets(second, "second");
    client.client_closes_channel(3);
    client.nothing_is_left();
}

#[test]
fn without_a_free_channel_it_waits_alone() {
    let mut client = Client::connected_to(Broker { channel_max: 2, ..RABBITMQ });
    client.subscribe(SHARED, "shared");
    let (shared, shared_request) = client.call("queue");
    let (first, request) = client.call_apart("queue", 2);
    let second = client.request(apart("queue"), TIMEOUT);
    client.is_pending(second);
    client.engine_is_silent();
    client.delivers(2, "own", &answering(&request), "first");
    client.gets(first, "first");
    client.client_closes_channel(2);
    client.reply(&shared_request, "shared");
    client.gets(shared, "shared");
    client.subscribe(2, "own");
    client.published(2);
    client.delivers(2, "own", &BasicProperties::default(), "second");
    client.gets(second, "second");
    client.client_closes_channel(2);
    client.nothing_is_left();
}

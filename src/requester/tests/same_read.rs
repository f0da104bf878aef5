//! Several things that arrive in one read are the same as one after the other.

use super::*;

/// The first closes the channel. The second must not be one "for a consumer that does not exist".
#[test]
fn two_replies_to_a_call_on_its_own_channel() {
    let mut client = Client::ready();
    let (shared, _) = client.call("queue");
    let (id, request) = client.call_apart("queue", 2);
    let properties = answering(&request);
    let mut frames = message(2, delivery("own"), &properties, b"first");
    frames.extend(message(2, delivery("own"), &properties, b"second"));
    client.broker_sends_at_once(frames);
    client.gets(id, "first");
    client.client_closes_channel(2);
    client.is_pending(shared);
    assert_eq!(client.engine.ended(), None);
}

#[test]
fn two_replies_to_a_call_on_the_shared_channel() {
    let mut client = Client::ready();
    let (id, request) = client.call("queue");
    let properties = answering(&request);
    let mut frames = message(SHARED, delivery("shared"), &properties, b"first");
    frames.extend(message(SHARED, delivery("shared"), &properties, b"second"));
    client.broker_sends_at_once(frames);
    client.gets(id, "first");
    assert_eq!(client.engine.stats().late_replies, 1);
    client.nothing_is_left();
}

/// The call has to learn why, and not that "the connection is not open".
#[test]
fn the_end_of_an_alarm_and_of_the_connection() {
    let mut client = Client::ready();
    client.blocks();
    let id = client.request(to("queue"), TIMEOUT);
    let close = connection_close(ReplyCode::CONNECTION_FORCED, "CONNECTION_FORCED");
    client.broker_sends_at_once([on(0, connection::Unblocked {}), on(0, close)]);
    let error = client.fails(id);
    assert!(matches!(error, CallError::Disconnected { .. }), "{error}");
}

/// The user has to learn why, and not that "the connection is not open".
#[test]
fn the_beginning_and_the_end_of_a_connection() {
    let mut client = Client::greeted(|now| Requester::new(config(), MAX_BODY_SIZE, SECRET, now));
    let close = connection_close(ReplyCode::CONNECTION_FORCED, "CONNECTION_FORCED");
    client.shake_hands_and(RABBITMQ, [on(0, close)]);
    let ended = client.engine.ended();
    assert!(matches!(ended, Some(Err(SessionError::Connection(_)))), "{ended:?}");
}

#[test]
fn the_beginning_of_a_channel_and_the_end_of_the_connection() {
    let mut client = Client::connected_to(RABBITMQ);
    client.engine_sends(on(1, channel::Open {}));
    let close = connection_close(ReplyCode::CONNECTION_FORCED, "CONNECTION_FORCED");
    client.broker_sends_at_once([on(1, channel::OpenOk {}), on(0, close)]);
    let ended = client.engine.ended();
    assert!(matches!(ended, Some(Err(SessionError::Connection(_)))), "{ended:?}");
}

/// It is the channel of one call, and no reason to end the session.
#[test]
fn the_beginning_and_the_end_of_a_channel() {
    let mut client = Client::ready();
    let (shared, _) = client.call("queue");
    let id = client.request(apart("queue"), TIMEOUT);
    client.engine_sends(on(2, channel::Open {}));
    let close = channel_close(ReplyCode::NOT_ALLOWED, "NOT_ALLOWED");
    client.broker_sends_at_once([on(2, channel::OpenOk {}), on(2, close)]);
    assert!(matches!(client.fails(id), CallError::ChannelClosed { .. }));
    client.is_pending(shared);
    assert_eq!(client.engine.ended(), None);
}

/// The call has to learn why, and not that "channel 2 is not open".
#[test]
fn the_consumer_and_the_end_of_its_channel() {
    let mut client = Client::ready();
    let id = client.request(apart("queue"), TIMEOUT);
    client.engine_sends(on(2, channel::Open {}));
    client.broker_sends(on(2, channel::OpenOk {}));
    client.engine_sends(on(2, consume()));
    let consume_ok = basic::ConsumeOk { consumer_tag: short("own") };
    let close = channel_close(ReplyCode::NOT_ALLOWED, "NOT_ALLOWED");
    client.broker_sends_at_once([on(2, consume_ok), on(2, close)]);
    let error = client.fails(id);
    assert!(matches!(error, CallError::ChannelClosed { .. }), "{error}");
}

/// The call that waited must not get a number that still belongs to the other: the end of the one
/// would be taken for that of the other.
#[test]
fn the_end_of_an_alarm_and_of_a_channel() {
    let mut client = Client::ready();
    let (own, _) = client.call_apart("queue", 2);
    client.blocks();
    let waits = client.request(apart("queue"), TIMEOUT);
    let close = channel_close(ReplyCode::NOT_FOUND, "NOT_FOUND");
    client.broker_sends_at_once([on(0, connection::Unblocked {}), on(2, close)]);
    client.is_pending(waits);
    assert!(matches!(client.fails(own), CallError::ChannelClosed { .. }));
}

#[test]
fn the_subscription_and_the_end_of_its_channel() {
    let mut client = Client::connected_to(RABBITMQ);
    let id = client.request(to("queue"), TIMEOUT);
    client.engine_sends(on(1, channel::Open {}));
    client.broker_sends(on(1, channel::OpenOk {}));
    client.engine_sends(on(1, consume()));
    let consume_ok = basic::ConsumeOk { consumer_tag: short("shared") };
    let close = channel_close(ReplyCode::NOT_FOUND, "NOT_FOUND");
    client.broker_sends_at_once([on(1, consume_ok), on(1, close)]);
    client.discard_sent();
    // Whether the request came to be written before or not: it fails or waits, and nothing ends.
    assert_eq!(client.engine.ended(), None);
    assert_eq!(client.readiness(), Poll::Pending);
    if let Poll::Ready(result) = client.poll(id) {
        assert!(matches!(result, Err(CallError::ChannelClosed { .. })), "{result:?}");
    }
}

#[test]
fn a_whole_conversation_cut_anywhere() {
    let mut client = Client::ready();
    let calls = ["a", "b", "c"].map(|queue| client.call(queue));
    let mut frames = Vec::new();
    for (_, request) in &calls {
        let properties = answering(request);
        frames.extend(message(SHARED, delivery("shared"), &properties, b"reply"));
        frames.push(Frame::Heartbeat);
    }
    client.broker_sends_octet_by_octet(frames);
    for (id, _) in calls {
        client.gets(id, "reply");
    }
    client.nothing_is_left();
}

//! No more calls are under way than the client is to have.

use super::*;

fn limited(calls: usize, fails_when_busy: bool) -> Client {
    let mut client = Client::open(RABBITMQ, |now| {
        Requester::new(config(), MAX_BODY_SIZE, SECRET, now)
            .with_max_in_flight(calls, fails_when_busy)
    });
    client.subscribe(SHARED, "shared");
    client
}

#[test]
fn further_calls_wait_in_their_order() {
    let mut client = limited(2, false);
    let calls = ["a", "b", "c", "d"].map(|name| client.request(to(name), TIMEOUT));
    let [a, b] = [client.published(SHARED), client.published(SHARED)];
    client.engine_is_silent();
    assert_eq!(client.engine.stats().waiting, 2);
    client.reply(&b, "b");
    let c = client.published(SHARED);
    assert_eq!(c.method.routing_key, "c");
    client.engine_is_silent();
    client.reply(&a, "a");
    let d = client.published(SHARED);
    client.reply(&c, "c");
    client.reply(&d, "d");
    for (id, body) in calls.into_iter().zip(["a", "b", "c", "d"]) {
        client.gets(id, body);
    }
    client.nothing_is_left();
}

#[test]
fn whatever_ends_a_call_makes_room() {
    let mut client = limited(1, false);
    let dropped = client.request(to("dropped"), TIMEOUT);
    client.published(SHARED);
    let late = client.request(to("late"), seconds(1));
    client.engine_is_silent();
    client.cancel(dropped);
    client.published(SHARED);
    let apart = client.request(apart("apart"), TIMEOUT);
    client.engine_is_silent();
    client.advance(seconds(1));
    assert!(matches!(client.fails(late), CallError::Timeout { written: true, .. }));
    client.subscribe(2, "own");
    client.published(2);
    let last = client.request(to("last"), TIMEOUT);
    client.engine_is_silent();
    client.closes_channel(2, ReplyCode::INTERNAL_ERROR, "INTERNAL_ERROR");
    assert!(matches!(client.fails(apart), CallError::ChannelClosed { .. }));
    let request = client.published(SHARED);
    client.reply(&request, "last");
    client.gets(last, "last");
    client.nothing_is_left();
}

#[test]
fn one_that_waits_for_room_has_not_run_when_its_time_is_over() {
    let mut client = limited(1, false);
    client.request(to("first"), TIMEOUT);
    client.published(SHARED);
    let second = client.request(to("second"), seconds(1));
    client.advance(seconds(1));
    let error = client.fails(second);
    assert_eq!(error, CallError::Timeout { timeout: seconds(1), written: false, cause: None });
    assert_eq!(error.outcome(), Outcome::NotExecuted);
}

#[test]
fn or_they_fail_at_once_by_choice() {
    let mut client = limited(2, true);
    let first = client.request(to("first"), TIMEOUT);
    client.request(to("second"), TIMEOUT);
    let now = client.now();
    let error = client.engine.request(now, to("third"), TIMEOUT).unwrap_err();
    assert_eq!(error, CallError::Busy { limit: 2 });
    assert_eq!(error.outcome(), Outcome::NotExecuted);
    let text = "2 calls are under way, which is the client's limit (max_in_flight)";
    assert_eq!(error.to_string(), text);
    client.cancel(first);
    assert!(client.engine.request(now, to("third"), TIMEOUT).is_ok());
    assert_eq!(client.engine.stats().calls, 3);
}

#[test]
fn none_at_all_is_one() {
    let mut client = limited(0, false);
    let (id, request) = client.call("queue");
    client.reply(&request, "reply");
    client.gets(id, "reply");
}

/// Else who drops a call and makes another, again and again, would starve all others.
#[test]
fn a_new_call_does_not_overtake_those_that_wait() {
    let mut client = limited(1, false);
    let dropped = client.request(to("dropped"), TIMEOUT);
    client.published(SHARED);
    client.request(to("first"), TIMEOUT);
    client.cancel(dropped);
    client.request(to("second"), TIMEOUT);
    assert_eq!(client.published(SHARED).method.routing_key, "first");
    client.engine_is_silent();
}

/// Nor those that wait for a channel, where there is one for them now.
#[test]
fn a_new_call_does_not_overtake_one_that_a_channel_has_become_free_for() {
    let mut client = Client::open(Broker { channel_max: 2, ..RABBITMQ }, |now| {
        Requester::new(config(), MAX_BODY_SIZE, SECRET, now).with_max_in_flight(2, false)
    });
    client.subscribe(SHARED, "shared");
    let (id, request) = client.call_apart("first", 2);
    client.request(apart("second"), TIMEOUT);
    client.engine_is_silent();
    client.delivers(2, "own", &answering(&request), "reply");
    client.gets(id, "reply");
    client.engine_sends(on(2, channel_close(ReplyCode::REPLY_SUCCESS, "")));
    client.call("queue");
    // One may go: it has waited.
    client.broker_sends(on(2, channel::CloseOk {}));
    client.request(to("new"), TIMEOUT);
    client.subscribe(2, "own");
    assert_eq!(client.published(2).method.routing_key, "second");
    client.engine_is_silent();
}

#[test]
fn a_request_that_is_too_large_to_be_sent_takes_no_room() {
    for retry in [Retry::Never, Retry::Unknown] {
        let mut client = limited(1, false);
        let mut headers = FieldTable::new();
        headers.insert("large", LongStr::try_from("x".repeat(200_000)).unwrap()).unwrap();
        let properties = BasicProperties { headers: Some(headers), ..BasicProperties::default() };
        let large = Outgoing { properties: properties.into(), retry, ..to("queue") };
        let id = client.request(large, TIMEOUT);
        let error = client.fails(id);
        assert!(matches!(error, CallError::InvalidRequest(InvalidRequest::Misuse(_))), "{error:?}");
        assert_eq!(error.outcome(), Outcome::NotExecuted);
        let (id, request) = client.call("queue");
        client.reply(&request, "reply");
        client.gets(id, "reply");
        client.nothing_is_left();
    }
}

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

//! Whoever drops a call leaves nothing behind.

use super::*;

#[track_caller]
fn assert_dropped(client: &mut Client, id: CallId) {
    client.cancel(id);
    let expected = Stats { calls: 1, dropped: 1, ..Stats::default() };
    let stats = client.engine.stats();
    assert_eq!(Stats { waiting: 0, ..stats }, expected);
    client.nothing_is_left();
    // Once is enough.
    client.cancel(id);
    client.is_pending(id);
    assert_eq!(client.engine.stats(), stats);
}

#[test]
fn a_call_that_waits_is_dropped() {
    let mut client = Client::connected_to(RABBITMQ);
    client.engine_sends(on(1, channel::Open {}));
    let id = client.request(to("queue"), TIMEOUT);
    assert_dropped(&mut client, id);
    client.broker_sends(on(1, channel::OpenOk {}));
    client.engine_sends(on(1, consume()));
    client.confirm_consumer(1, "shared");
    client.engine_is_silent();
}

#[test]
fn a_call_that_was_sent_is_dropped_and_its_reply_is_late() {
    let mut client = Client::ready();
    let (id, request) = client.call("queue");
    assert_dropped(&mut client, id);
    client.reply(&request, "late");
    client.is_pending(id);
    assert_eq!(client.engine.stats().late_replies, 1);
    client.nothing_is_left();
}

#[test]
fn a_call_that_is_done_is_dropped_and_counts_as_done() {
    let mut client = Client::ready();
    let (replied, request) = client.call("queue");
    client.reply(&request, "reply");
    client.cancel(replied);
    let (expired, _) = client.call("queue");
    client.advance(TIMEOUT);
    client.cancel(expired);
    let expected = Stats { calls: 2, replies: 1, failures: 1, ..Stats::default() };
    assert_eq!(client.engine.stats(), expected);
    client.is_pending(replied);
    client.is_pending(expired);
    client.nothing_is_left();
}

#[test]
fn a_result_is_given_out_once() {
    let mut client = Client::ready();
    let (id, request) = client.call("queue");
    client.reply(&request, "reply");
    client.gets(id, "reply");
    client.is_pending(id);
    client.cancel(id);
    assert_eq!(client.engine.stats(), Stats { calls: 1, replies: 1, ..Stats::default() });
}

#[test]
fn a_dropped_call_does_not_wake_its_user() {
    let mut client = Client::ready();
    let sleeper = Sleeper::new();
    let (id, request) = client.call("queue");
    assert_eq!(client.engine.poll_call(id, &mut sleeper.context()), Poll::Pending);
    client.cancel(id);
    client.reply(&request, "late");
    client.advance(TIMEOUT);
    client.wake();
    assert_eq!(sleeper.woken(), 0);
}

#[test]
fn dropped_calls_do_not_hold_up_those_behind_them() {
    let mut client = Client::connected_to(RABBITMQ);
    let calls = ["a", "b", "c", "d"].map(|queue| client.request(to(queue), TIMEOUT));
    client.cancel(calls[0]);
    client.cancel(calls[2]);
    client.subscribe(SHARED, "shared");
    assert_eq!(client.published(SHARED).method.routing_key, "b");
    assert_eq!(client.published(SHARED).method.routing_key, "d");
    client.engine_is_silent();
}

/// Calls whose users give up while the broker has an alarm on must not fill the memory.
#[test]
fn calls_dropped_while_waiting_do_not_pile_up() {
    let mut client = Client::connected_to(RABBITMQ);
    let kept = client.request(to("kept"), TIMEOUT);
    for _ in 0..10_000 {
        let id = client.request(to("dropped"), TIMEOUT);
        client.cancel(id);
    }
    let waiting = client.engine.waiting.len();
    assert!(waiting <= 5, "{waiting} wait");
    client.subscribe(SHARED, "shared");
    let request = client.published(SHARED);
    assert_eq!(request.method.routing_key, "kept");
    client.reply(&request, "reply");
    client.gets(kept, "reply");
    client.nothing_is_left();
}

#[test]
fn calls_that_have_ended_do_not_count_as_waiting() {
    let mut client = Client::connected_to(RABBITMQ);
    let dropped = client.request(to("queue"), TIMEOUT);
    client.cancel(dropped);
    assert_eq!(client.engine.stats().waiting, 0, "after it was dropped");
    client.request(to("queue"), TIMEOUT);
    assert_eq!(client.engine.stats().waiting, 1);
    client.advance(TIMEOUT);
    assert_eq!(client.engine.stats().waiting, 0, "after its deadline");
}

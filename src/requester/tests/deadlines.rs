//! A call ends by its deadline.

use super::*;

#[track_caller]
fn assert_timed_out(client: &mut Client, id: CallId, timeout: Duration, written: bool) {
    let error = client.fails(id);
    let outcome = if written { Outcome::Unknown } else { Outcome::NotExecuted };
    assert_eq!(error.outcome(), outcome);
    assert_eq!(error, CallError::Timeout { timeout, written, cause: None });
}

#[test]
fn a_request_without_a_reply_times_out() {
    let mut client = Client::ready();
    let (id, _) = client.call("queue");
    assert_eq!(client.engine.poll_timeout(), Some(client.now().after(TIMEOUT)));
    client.advance(TIMEOUT - Duration::from_nanos(1));
    client.is_pending(id);
    client.advance(Duration::from_nanos(1));
    assert_timed_out(&mut client, id, TIMEOUT, true);
    assert_eq!(client.engine.stats(), Stats { calls: 1, failures: 1, ..Stats::default() });
    assert_eq!(client.engine.poll_timeout(), None);
    client.nothing_is_left();
}

#[test]
fn a_request_that_waits_times_out_as_never_sent() {
    let mut client = Client::connected_to(RABBITMQ);
    let id = client.request(to("queue"), TIMEOUT);
    client.advance(TIMEOUT);
    assert_timed_out(&mut client, id, TIMEOUT, false);
    client.subscribe(SHARED, "shared");
    client.nothing_is_left();
}

#[test]
fn the_time_to_connect_counts() {
    let mut client = Client::connected_to(RABBITMQ);
    let id = client.request(to("queue"), TIMEOUT);
    client.advance(seconds(20));
    client.subscribe(SHARED, "shared");
    client.published(SHARED);
    client.advance(seconds(10) - Duration::from_nanos(1));
    client.is_pending(id);
    client.advance(Duration::from_nanos(1));
    assert_timed_out(&mut client, id, TIMEOUT, true);
}

#[test]
fn deadlines_come_in_their_own_order() {
    let mut client = Client::ready();
    let calls =
        [5, 1, 4, 2, 3].map(|timeout| (client.request(to("queue"), seconds(timeout)), timeout));
    for now in 1..=5 {
        client.advance(seconds(1));
        for (id, timeout) in calls {
            if timeout == now {
                assert!(matches!(client.poll(id), Poll::Ready(Err(CallError::Timeout { .. }))));
            } else {
                client.is_pending(id);
            }
        }
    }
    client.discard_sent();
    client.nothing_is_left();
}

#[test]
fn calls_with_the_same_deadline_end_together() {
    let mut client = Client::ready();
    let calls = [(); 10].map(|()| client.call("queue").0);
    client.advance(TIMEOUT);
    for id in calls {
        assert_timed_out(&mut client, id, TIMEOUT, true);
    }
    client.nothing_is_left();
}

#[test]
fn a_late_timer_ends_everything_that_is_due() {
    let mut client = Client::ready();
    let early = client.request(to("queue"), seconds(1));
    let late = client.request(to("queue"), seconds(3));
    client.discard_sent();
    let now = client.now().after(seconds(2));
    client.engine.handle_timeout(now);
    assert_timed_out(&mut client, early, seconds(1), true);
    client.is_pending(late);
}

#[test]
fn a_reply_after_the_deadline_is_late() {
    let mut client = Client::ready();
    let (id, request) = client.call("queue");
    client.advance(TIMEOUT);
    client.reply(&request, "late");
    assert_timed_out(&mut client, id, TIMEOUT, true);
    client.reply(&request, "later");
    assert_eq!(client.engine.stats().late_replies, 2);
    client.nothing_is_left();
}

#[test]
fn a_reply_keeps_the_deadline_from_doing_anything() {
    let mut client = Client::ready();
    let (id, request) = client.call("queue");
    client.advance(seconds(29));
    client.reply(&request, "reply");
    client.advance(seconds(100));
    client.gets(id, "reply");
    assert_eq!(client.engine.stats(), Stats { calls: 1, replies: 1, ..Stats::default() });
    assert_eq!(client.engine.poll_timeout(), None);
}

#[test]
fn a_call_without_limit_has_none() {
    let mut client = Client::ready();
    let id = client.request(to("queue"), Duration::MAX);
    let request = client.published(SHARED);
    client.advance(seconds(1_000_000_000));
    client.reply(&request, "at last");
    client.gets(id, "at last");
}

#[test]
fn the_deadlines_of_ended_calls_do_not_pile_up() {
    let mut client = Client::ready();
    for _ in 0..10_000 {
        let id = client.request(to("queue"), TIMEOUT);
        client.cancel(id);
    }
    client.discard_sent();
    let (kept, _) = client.call("queue");
    let count = format!("{:?}", client.engine.deadlines).matches("CallId").count();
    assert!(count < 200, "{count} deadlines for one call");
    client.advance(TIMEOUT);
    assert_timed_out(&mut client, kept, TIMEOUT, true);
    assert_eq!(client.engine.poll_timeout(), None);
}

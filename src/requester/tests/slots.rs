//! Calls use each other's places, one after the other, and are never taken for each other.

use super::*;

#[test]
fn a_place_used_again_has_another_correlation_id() {
    let mut client = Client::ready();
    let mut seen = Vec::new();
    for _ in 0..100 {
        let (id, request) = client.call("queue");
        client.cancel(id);
        seen.push(request.properties.correlation_id.unwrap());
    }
    assert_eq!(client.engine.calls.ids().len(), 0);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 100);
    // 100 generations of one place.
    let mut places: Vec<_> = seen.iter().map(|id| id.to_string().split_off(17)).collect();
    places.sort_unstable();
    assert_eq!(places[99], "0000006300000000");
}

#[test]
fn a_late_reply_does_not_reach_the_next_call_in_its_place() {
    let mut client = Client::ready();
    let (old, old_request) = client.call("queue");
    client.advance(TIMEOUT);
    assert!(matches!(client.fails(old), CallError::Timeout { .. }));
    let (new, new_request) = client.call("queue");
    client.reply(&old_request, "the old one's");
    client.returns(SHARED, &old_request);
    client.is_pending(new);
    client.reply(&new_request, "the new one's");
    client.gets(new, "the new one's");
    assert_eq!(client.engine.stats().late_replies, 1);
    client.nothing_is_left();
}

#[test]
fn an_old_call_cannot_be_used_for_the_next_one_in_its_place() {
    let mut client = Client::ready();
    let (old, _) = client.call("queue");
    client.cancel(old);
    let (new, request) = client.call("queue");
    client.cancel(old);
    client.reply(&request, "reply");
    client.is_pending(old);
    client.gets(new, "reply");
}

#[test]
fn the_old_deadline_does_not_end_the_next_call_in_its_place() {
    let mut client = Client::ready();
    let old = client.request(to("queue"), seconds(10));
    client.published(SHARED);
    client.advance(seconds(9));
    client.cancel(old);
    let (new, request) = client.call("queue");
    client.advance(seconds(29));
    client.is_pending(new);
    client.reply(&request, "reply");
    client.gets(new, "reply");
}

#[test]
fn a_call_that_waited_does_not_send_the_next_one_in_its_place_twice() {
    let mut client = Client::connected_to(RABBITMQ);
    let old = client.request(to("old"), TIMEOUT);
    client.cancel(old);
    let new = client.request(to("new"), TIMEOUT);
    client.subscribe(SHARED, "shared");
    let request = client.published(SHARED);
    assert_eq!(request.method.routing_key, "new");
    client.engine_is_silent();
    client.reply(&request, "reply");
    client.gets(new, "reply");
}

#[test]
fn a_call_that_nobody_asks_about_keeps_its_place() {
    let mut client = Client::ready();
    let (done, request) = client.call("queue");
    client.reply(&request, "kept");
    for _ in 0..10 {
        let (id, _) = client.call("queue");
        client.cancel(id);
    }
    client.gets(done, "kept");
    client.nothing_is_left();
}

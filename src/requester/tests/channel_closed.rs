//! The broker closes the shared channel over one request, and all that were sent on it fail.

use super::*;

const NO_EXCHANGE: &str = "NOT_FOUND - no exchange 'x' in vhost '/'";

#[track_caller]
fn assert_closed(error: CallError, code: ReplyCode, text: &str, written: bool) {
    let outcome = if written { Outcome::Unknown } else { Outcome::NotExecuted };
    assert_eq!(error.outcome(), outcome);
    assert_eq!(error, CallError::ChannelClosed { code, text: text.to_string(), written });
}

#[test]
fn calls_fail_with_the_words_of_the_broker() {
    let reasons = [
        (ReplyCode::NOT_FOUND, NO_EXCHANGE),
        (ReplyCode::ACCESS_REFUSED, "ACCESS_REFUSED - write access to exchange 'x' refused"),
        (ReplyCode::PRECONDITION_FAILED, "PRECONDITION_FAILED - invalid expiration"),
    ];
    for (code, text) in reasons {
        let mut client = Client::ready();
        let (first, _) = client.call("queue");
        let (second, _) = client.call("queue");
        let unsent = client.request(to("queue"), TIMEOUT);
        client.broker_sends(on(SHARED, channel_close(code, text)));
        assert_closed(client.fails(first), code, text, true);
        assert_closed(client.fails(second), code, text, true);
        // What follows on a closed channel is not read.
        assert_closed(client.fails(unsent), code, text, false);
        assert_eq!(client.engine.stats(), Stats { calls: 3, failures: 3, ..Stats::default() });
    }
}

#[test]
fn a_new_channel_is_subscribed_and_used() {
    let mut client = Client::ready();
    let (failed, _) = client.call("queue");
    client.closes_channel(SHARED, ReplyCode::NOT_FOUND, NO_EXCHANGE);
    assert!(matches!(client.fails(failed), CallError::ChannelClosed { .. }));
    assert_eq!(client.readiness(), Poll::Pending);
    let waits = client.request(to("queue"), TIMEOUT);
    client.subscribe(SHARED, "shared again");
    assert_eq!(client.readiness(), Poll::Ready(Ok(())));
    let request = client.published(SHARED);
    client.delivers(SHARED, "shared again", &answering(&request), "reply");
    client.gets(waits, "reply");
    client.nothing_is_left();
}

#[test]
fn a_reply_to_the_old_subscription_is_late() {
    let mut client = Client::ready();
    let (failed, request) = client.call("queue");
    client.closes_channel(SHARED, ReplyCode::NOT_FOUND, NO_EXCHANGE);
    client.subscribe(SHARED, "shared again");
    client.delivers(SHARED, "shared again", &answering(&request), "late");
    assert!(matches!(client.fails(failed), CallError::ChannelClosed { .. }));
    assert_eq!(client.engine.stats().late_replies, 1);
    client.nothing_is_left();
}

#[test]
fn calls_that_wait_survive() {
    let mut client = Client::ready();
    let (sent, _) = client.call("queue");
    client.blocks();
    let waits = client.request(to("waits"), TIMEOUT);
    client.closes_channel(SHARED, ReplyCode::NOT_FOUND, NO_EXCHANGE);
    assert!(matches!(client.fails(sent), CallError::ChannelClosed { .. }));
    client.is_pending(waits);
    client.subscribe(SHARED, "shared");
    client.engine_is_silent();
    client.unblocks();
    let request = client.published(SHARED);
    assert_eq!(request.method.routing_key, "waits");
    client.reply(&request, "reply");
    client.gets(waits, "reply");
    client.nothing_is_left();
}

#[test]
fn a_call_on_its_own_channel_does_not_notice() {
    let mut client = Client::ready();
    let (sent, _) = client.call("queue");
    let (own, request) = client.call_apart("queue", 2);
    client.closes_channel(SHARED, ReplyCode::NOT_FOUND, NO_EXCHANGE);
    assert!(matches!(client.fails(sent), CallError::ChannelClosed { .. }));
    client.delivers(2, "own", &answering(&request), "reply");
    client.gets(own, "reply");
    client.engine_sends(on(SHARED, channel::Open {}));
    client.client_closes_channel(2);
    client.broker_sends(on(SHARED, channel::OpenOk {}));
    client.engine_sends(on(SHARED, consume()));
    client.confirm_consumer(SHARED, "shared");
    client.nothing_is_left();
}

#[test]
fn calls_that_are_done_stay_so() {
    let mut client = Client::ready();
    let (replied, request) = client.call("queue");
    client.reply(&request, "reply");
    client.closes_channel(SHARED, ReplyCode::NOT_FOUND, NO_EXCHANGE);
    client.gets(replied, "reply");
    assert_eq!(client.engine.stats().failures, 0);
}

#[test]
fn the_request_that_was_too_large_is_told_from_the_others() {
    let mut client = Client::ready();
    let (small, _) = client.call("queue");
    let large = Outgoing { body: Bytes::from(alloc::vec![0; 50_000]), ..to("queue") };
    let large = client.request(large, TIMEOUT);
    client.published(SHARED);
    let (after, _) = client.call("queue");
    let text = "PRECONDITION_FAILED - message size 50000 is larger than configured max size 16384";
    client.closes_channel(SHARED, ReplyCode::PRECONDITION_FAILED, text);
    let error = client.fails(large);
    assert_eq!(error.outcome(), Outcome::NotExecuted);
    assert_eq!(error, CallError::BodyTooLarge { size: 50_000, limit: 16_384 });
    assert_closed(client.fails(small), ReplyCode::PRECONDITION_FAILED, text, true);
    assert_closed(client.fails(after), ReplyCode::PRECONDITION_FAILED, text, true);
}

#[test]
fn the_hard_limit_of_the_broker_is_told_alike() {
    let mut client = Client::ready();
    let (id, _) = client.call("queue");
    let text = "PRECONDITION_FAILED - message size 4 is larger than max size 3";
    client.closes_channel(SHARED, ReplyCode::PRECONDITION_FAILED, text);
    assert_eq!(client.fails(id), CallError::BodyTooLarge { size: 4, limit: 3 });
}

#[test]
fn a_text_that_only_looks_like_it_is_a_text() {
    for text in [
        "message size 4",
        "message size 4 is larger than",
        "message size 4 is larger than configured max size ",
        "message size 4 is larger than configured max size many",
        "message size four is larger than configured max size 3",
        "message size 5 is larger than configured max size 3",
        "message size 99999999999999999999 is larger than configured max size 3",
    ] {
        let mut client = Client::ready();
        let (id, _) = client.call("queue");
        client.closes_channel(SHARED, ReplyCode::PRECONDITION_FAILED, text);
        assert_closed(client.fails(id), ReplyCode::PRECONDITION_FAILED, text, true);
    }
}

#[test]
fn a_second_refusal_in_a_row_ends_the_session() {
    let mut client = Client::ready();
    client.closes_channel(SHARED, ReplyCode::NOT_FOUND, NO_EXCHANGE);
    client.engine_sends(on(SHARED, channel::Open {}));
    client.broker_sends(on(SHARED, channel::OpenOk {}));
    client.engine_sends(on(SHARED, consume()));
    client.closes_channel(SHARED, ReplyCode::ACCESS_REFUSED, "ACCESS_REFUSED - no more");
    client.engine_says_goodbye();
    let (code, text) = (ReplyCode::ACCESS_REFUSED, "ACCESS_REFUSED - no more".to_string());
    let cause = SessionError::ReplyConsumerRefused { code, text };
    assert_eq!(client.readiness(), Poll::Ready(Err(cause)));
}

#[test]
fn half_a_reply_ends_with_its_channel() {
    let mut client = Client::ready();
    let (id, request) = client.call("queue");
    let mut frames = message(SHARED, delivery("shared"), &answering(&request), b"reply");
    frames.pop();
    client.broker_sends_at_once(frames);
    client.closes_channel(SHARED, ReplyCode::NOT_FOUND, NO_EXCHANGE);
    assert!(matches!(client.fails(id), CallError::ChannelClosed { .. }));
    client.subscribe(SHARED, "shared");
    let (next, request) = client.call("queue");
    client.reply(&request, "whole");
    client.gets(next, "whole");
}

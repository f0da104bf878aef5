//! Requests that the broker may refuse travel beside the others, and do them no harm.

use super::*;

const NO_EXCHANGE: &str = "NOT_FOUND - no exchange 'x' in vhost '/'";

/// A request through an exchange of that name.
fn through(exchange: &str) -> Outgoing {
    Outgoing { exchange: short(exchange), ..to("key") }
}

impl Client {
    /// The broker refuses a request.
    #[track_caller]
    fn refuses(&mut self, channel: u16, code: ReplyCode, text: &str) {
        let close = channel::Close { class_id: 60, method_id: 40, ..channel_close(code, text) };
        self.broker_sends(on(channel, close));
        self.engine_sends(on(channel, channel::CloseOk {}));
    }
}

#[test]
fn a_request_that_the_broker_refuses_fails_alone_and_has_not_run() {
    let mut client = Client::ready();
    let (beside, request) = client.call("queue");
    let id = client.request(through("x"), TIMEOUT);
    client.subscribe(2, "lent");
    client.published(2);
    client.refuses(2, ReplyCode::NOT_FOUND, NO_EXCHANGE);
    let error = client.fails(id);
    assert_eq!(error.outcome(), Outcome::NotExecuted);
    let (code, text) = (ReplyCode::NOT_FOUND, NO_EXCHANGE.to_string());
    assert_eq!(error, CallError::Refused { code, text });
    client.reply(&request, "unharmed");
    client.gets(beside, "unharmed");
    client.nothing_is_left();
}

#[test]
fn the_end_of_the_channel_for_another_reason_refuses_nothing() {
    let mut client = Client::ready();
    let id = client.request(through("x"), TIMEOUT);
    client.subscribe(2, "lent");
    client.published(2);
    client.closes_channel(2, ReplyCode::INTERNAL_ERROR, "INTERNAL_ERROR");
    let error = client.fails(id);
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert!(matches!(error, CallError::ChannelClosed { written: true, .. }));
}

#[test]
fn a_channel_that_did_well_is_lent_again() {
    let mut client = Client::ready();
    for body in ["first", "second", "third"] {
        let id = client.request(through("x"), TIMEOUT);
        if body == "first" {
            client.subscribe(2, "lent");
        }
        let request = client.published(2);
        client.delivers(2, "lent", &answering(&request), body);
        client.gets(id, body);
        client.nothing_is_left();
    }
}

#[test]
fn each_call_has_one_to_itself() {
    let mut client = Client::ready();
    let calls = [2, 3].map(|channel| {
        let id = client.request(through("x"), TIMEOUT);
        client.subscribe(channel, "lent");
        (id, channel, client.published(channel))
    });
    for (id, channel, request) in calls.into_iter().rev() {
        client.delivers(channel, "lent", &answering(&request), "reply");
        client.gets(id, "reply");
    }
    client.nothing_is_left();
}

/// Else the broker could close it over that request when another call has it.
#[test]
fn a_channel_of_which_nothing_was_heard_since_the_request_is_closed() {
    for is_dropped in [true, false] {
        let mut client = Client::ready();
        let id = client.request(through("x"), seconds(1));
        client.subscribe(2, "lent");
        client.published(2);
        if is_dropped {
            client.cancel(id);
        } else {
            client.advance(seconds(1));
            assert!(matches!(client.fails(id), CallError::Timeout { written: true, .. }));
        }
        client.client_closes_channel(2);
        client.nothing_is_left();
    }
}

#[test]
fn a_late_reply_on_a_channel_that_was_lent_again_is_late() {
    let mut client = Client::ready();
    let first = client.request(through("x"), TIMEOUT);
    client.subscribe(2, "lent");
    let first_request = client.published(2);
    client.delivers(2, "lent", &answering(&first_request), "first");
    client.delivers(2, "lent", &answering(&first_request), "while it is lent to nobody");
    let second = client.request(through("x"), TIMEOUT);
    let second_request = client.published(2);
    client.delivers(2, "lent", &answering(&first_request), "late");
    client.is_pending(second);
    client.delivers(2, "lent", &answering(&second_request), "second");
    client.gets(first, "first");
    client.gets(second, "second");
    assert_eq!(client.engine.stats().late_replies, 2);
    client.nothing_is_left();
}

#[test]
fn an_idle_channel_that_the_broker_closes_is_forgotten() {
    let mut client = Client::ready();
    let id = client.request(through("x"), TIMEOUT);
    client.subscribe(2, "lent");
    let request = client.published(2);
    client.delivers(2, "lent", &answering(&request), "reply");
    client.gets(id, "reply");
    client.closes_channel(2, ReplyCode::INTERNAL_ERROR, "INTERNAL_ERROR");
    let id = client.request(through("x"), TIMEOUT);
    client.subscribe(2, "another");
    let request = client.published(2);
    client.delivers(2, "another", &answering(&request), "reply");
    client.gets(id, "reply");
}

#[test]
fn no_more_than_a_few_are_kept() {
    let mut client = Client::ready();
    let calls: Vec<_> = (2..42)
        .map(|channel| {
            let id = client.request(through("x"), TIMEOUT);
            client.subscribe(channel, "lent");
            (id, channel, client.published(channel))
        })
        .collect();
    let mut closed = 0;
    for (id, channel, request) in calls {
        client.delivers(channel, "lent", &answering(&request), "reply");
        client.gets(id, "reply");
        if let Some(Frame::Method { method: Method::ChannelClose(_), .. }) = client.next() {
            closed += 1;
        }
    }
    assert_eq!(closed, 40 - 32);
}

#[test]
fn a_larger_body_than_the_broker_was_seen_to_take_goes_beside() {
    let body = |size| Outgoing { body: Bytes::from(alloc::vec![0; size]), ..to("queue") };
    let limit = 200_000;
    let mut client = Client::open(RABBITMQ, |now| Requester::new(config(), limit, SECRET, now));
    client.subscribe(SHARED, "shared");
    let id = client.request(body(0x2_0000), TIMEOUT);
    let request = client.published(SHARED);
    client.reply(&request, "as small as any broker takes");
    client.gets(id, "as small as any broker takes");

    let id = client.request(body(150_000), TIMEOUT);
    client.subscribe(2, "lent");
    let request = client.published(2);
    client.delivers(2, "lent", &answering(&request), "taken");
    client.gets(id, "taken");

    client.request(body(150_000), TIMEOUT);
    client.published(SHARED);
    client.request(body(150_001), TIMEOUT);
    client.published(2);
}

#[test]
fn it_waits_for_the_end_of_an_alarm_like_others() {
    let mut client = Client::ready();
    let id = client.request(through("x"), TIMEOUT);
    client.engine_sends(on(2, channel::Open {}));
    client.blocks();
    client.broker_sends(on(2, channel::OpenOk {}));
    client.engine_sends(on(2, consume()));
    client.confirm_consumer(2, "lent");
    client.engine_is_silent();
    client.unblocks();
    let request = client.published(2);
    client.delivers(2, "lent", &answering(&request), "reply");
    client.gets(id, "reply");
}

#[test]
fn calls_wait_for_a_channel_where_none_is_free() {
    let mut client = Client::ready_at(Broker { channel_max: 2, ..RABBITMQ });
    let first = client.request(through("x"), TIMEOUT);
    client.subscribe(2, "lent");
    let first_request = client.published(2);
    let second = client.request(through("x"), TIMEOUT);
    let own = client.request(apart("own"), TIMEOUT);
    let (beside, request) = client.call("queue");
    client.reply(&request, "held up by nobody");
    client.gets(beside, "held up by nobody");
    client.delivers(2, "lent", &answering(&first_request), "first");
    client.gets(first, "first");
    let second_request = client.published(2);
    client.engine_is_silent();
    client.closes_channel(2, ReplyCode::INTERNAL_ERROR, "INTERNAL_ERROR");
    assert!(matches!(client.fails(second), CallError::ChannelClosed { written: true, .. }));
    drop(second_request);
    client.subscribe(2, "own");
    client.published(2);
    client.delivers(2, "own", &BasicProperties::default(), "own");
    client.client_closes_channel(2);
    client.gets(own, "own");
    client.nothing_is_left();
}

#[test]
fn with_a_single_channel_it_is_the_only_way() {
    let mut client = Client::ready_at(Broker { channel_max: 1, ..RABBITMQ });
    client.request(through("x"), TIMEOUT);
    assert_eq!(client.published(SHARED).method.exchange, "x");
}

#[test]
fn a_call_whose_channel_goes_before_its_request_gets_another() {
    let mut client = Client::ready();
    let id = client.request(through("x"), TIMEOUT);
    client.subscribe(2, "lent");
    let request = client.published(2);
    client.delivers(2, "lent", &answering(&request), "reply");
    client.gets(id, "reply");
    client.blocks();
    client.broker_sends(on(0, connection::Unblocked {}));
    // It is lent while nothing may be sent, and closed meanwhile.
    client.broker_sends(on(2, channel::Flow { active: false }));
    client.engine_sends(on(2, channel::FlowOk { active: false }));
    let id = client.request(through("x"), TIMEOUT);
    client.engine_is_silent();
    client.closes_channel(2, ReplyCode::INTERNAL_ERROR, "INTERNAL_ERROR");
    client.is_pending(id);
    client.subscribe(2, "another");
    let request = client.published(2);
    client.delivers(2, "another", &answering(&request), "reply");
    client.gets(id, "reply");
    client.nothing_is_left();
}

#[test]
fn a_channel_that_is_kept_makes_room_for_a_call_on_its_own() {
    let mut client = Client::ready_at(Broker { channel_max: 2, ..RABBITMQ });
    let id = client.request(through("x"), TIMEOUT);
    client.subscribe(2, "lent");
    let request = client.published(2);
    client.delivers(2, "lent", &answering(&request), "reply");
    client.gets(id, "reply");
    let own = client.request(apart("own"), TIMEOUT);
    client.client_closes_channel(2);
    client.subscribe(2, "own");
    client.published(2);
    client.delivers(2, "own", &BasicProperties::default(), "own");
    client.client_closes_channel(2);
    client.gets(own, "own");
    client.nothing_is_left();
}

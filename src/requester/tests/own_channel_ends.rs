//! The ends of a call on its own channel that are no reply: its channel is closed, others go on.

use super::*;

/// How far the call has come.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    Opening,
    Consuming,
    Sent,
}

const STAGES: [Stage; 3] = [Stage::Opening, Stage::Consuming, Stage::Sent];

/// A call on channel 2 that has come so far, and a call on the shared channel.
fn at(stage: Stage) -> (Client, CallId, (CallId, Published)) {
    let mut client = Client::ready();
    let shared = client.call("queue");
    let id = client.request(apart("queue"), seconds(10));
    client.engine_sends(on(2, channel::Open {}));
    if stage != Stage::Opening {
        client.broker_sends(on(2, channel::OpenOk {}));
        client.engine_sends(on(2, consume()));
    }
    if stage == Stage::Sent {
        client.confirm_consumer(2, "own");
        client.published(2);
    }
    client.engine_is_silent();
    (client, id, shared)
}

/// The client gets rid of channel 2, at the latest when the broker has opened it.
#[track_caller]
fn assert_channel_goes(client: &mut Client, stage: Stage) {
    match stage {
        Stage::Opening => {
            client.engine_is_silent();
            client.broker_sends(on(2, channel::OpenOk {}));
        }
        Stage::Consuming => client.confirm_consumer(2, "own"),
        Stage::Sent => client.delivers(2, "own", &BasicProperties::default(), "late"),
    }
    client.client_closes_channel(2);
    client.engine_is_silent();
}

#[track_caller]
fn assert_others_go_on(client: &mut Client, (shared, request): (CallId, Published)) {
    client.reply(&request, "reply");
    client.gets(shared, "reply");
    let (next, request) = client.call_apart("queue", 2);
    client.delivers(2, "own", &answering(&request), "next");
    client.gets(next, "next");
    client.client_closes_channel(2);
    client.nothing_is_left();
}

#[test]
fn a_dropped_call_closes_its_channel() {
    for stage in STAGES {
        let (mut client, id, shared) = at(stage);
        client.cancel(id);
        assert_channel_goes(&mut client, stage);
        assert_eq!(client.engine.stats().dropped, 1);
        assert_others_go_on(&mut client, shared);
    }
}

#[test]
fn a_call_out_of_time_closes_its_channel() {
    for stage in STAGES {
        let (mut client, id, shared) = at(stage);
        client.advance(seconds(10));
        let written = stage == Stage::Sent;
        assert_eq!(
            client.fails(id),
            CallError::Timeout { timeout: seconds(10), written, cause: None }
        );
        assert_channel_goes(&mut client, stage);
        assert_others_go_on(&mut client, shared);
    }
}

#[test]
fn a_channel_that_the_broker_closes_fails_its_call_alone() {
    for stage in STAGES {
        let (mut client, id, shared) = at(stage);
        let text = "NOT_FOUND - no exchange 'x' in vhost '/'";
        client.closes_channel(2, ReplyCode::NOT_FOUND, text);
        let error = client.fails(id);
        let written = stage == Stage::Sent;
        let outcome = if written { Outcome::Unknown } else { Outcome::NotExecuted };
        assert_eq!(error.outcome(), outcome);
        let (code, text) = (ReplyCode::NOT_FOUND, text.to_string());
        assert_eq!(error, CallError::ChannelClosed { code, text, written });
        assert_others_go_on(&mut client, shared);
    }
}

#[test]
fn a_body_too_large_for_the_broker_shows() {
    let (mut client, id, shared) = at(Stage::Sent);
    let text = "PRECONDITION_FAILED - message size 4 is larger than configured max size 3";
    client.closes_channel(2, ReplyCode::PRECONDITION_FAILED, text);
    let too_large = CallError::BodyTooLarge { size: 4, limit: 3 };
    assert_eq!(client.fails(id), too_large);
    let now = client.now();
    let another = client.engine.request(now, to("queue"), TIMEOUT);
    assert_eq!(another, Err(too_large), "the broker need not say it twice");
    let (id, request) = shared;
    client.reply(&request, "reply");
    client.gets(id, "reply");
    client.nothing_is_left();
}

#[test]
fn a_lost_connection_fails_it_at_every_stage() {
    for stage in STAGES {
        let (mut client, id, (shared, _)) = at(stage);
        client.broker_closes_the_socket();
        for (id, written) in [(id, stage == Stage::Sent), (shared, true)] {
            let CallError::Disconnected { written: was, .. } = client.fails(id) else {
                panic!("disconnected");
            };
            assert_eq!(was, written, "{stage:?}");
        }
        client.nothing_is_left();
    }
}

#[test]
fn headers_beyond_a_frame_fail_it_when_it_would_be_sent() {
    let mut client = Client::ready_at(Broker { frame_max: 4096, ..RABBITMQ });
    let id = client
        .request(Outgoing { properties: with_headers_of(4096).into(), ..apart("queue") }, TIMEOUT);
    client.subscribe(2, "own");
    assert!(matches!(client.fails(id), CallError::InvalidRequest(_)));
    client.client_closes_channel(2);
    client.nothing_is_left();
}

#[test]
fn the_end_of_the_shared_channel_is_not_its_own() {
    for stage in STAGES {
        let (mut client, id, (shared, _)) = at(stage);
        client.closes_channel(SHARED, ReplyCode::NOT_FOUND, "NOT_FOUND - no exchange");
        assert!(matches!(client.fails(shared), CallError::ChannelClosed { .. }));
        client.subscribe(SHARED, "shared again");
        if stage == Stage::Opening {
            client.broker_sends(on(2, channel::OpenOk {}));
            client.engine_sends(on(2, consume()));
        }
        if stage != Stage::Sent {
            client.confirm_consumer(2, "own");
            client.published(2);
        }
        client.delivers(2, "own", &BasicProperties::default(), "reply");
        client.gets(id, "reply");
        client.client_closes_channel(2);
        client.nothing_is_left();
    }
}

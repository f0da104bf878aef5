//! What lies in the buffer when a call ends will still be sent, and so may still run.

use super::*;

/// Nobody may be told "no server will see it" of a request that goes out afterwards.
#[track_caller]
fn assert_honest(mut client: Client, id: CallId) {
    let error = client.fails(id);
    let sent: Vec<Frame> = core::iter::from_fn(|| client.next()).collect();
    let published = sent.iter().any(|frame| matches!(frame, Frame::Header { .. }));
    let outcome = error.outcome();
    assert!(!published || outcome == Outcome::Unknown, "{error}: {outcome:?}, and it was sent");
}

/// The driver asks for the bytes after it has handled timers, and not at all while the socket takes
/// none: what an alarm of the broker looks like at first.
#[test]
fn a_call_that_times_out_before_its_request_leaves_the_buffer() {
    let mut client = Client::ready();
    let id = client.request(to("queue"), TIMEOUT);
    client.advance(TIMEOUT);
    assert_honest(client, id);
}

#[test]
fn a_client_closed_before_the_request_leaves_the_buffer() {
    let mut client = Client::ready();
    let id = client.request(to("queue"), TIMEOUT);
    client.close();
    assert_honest(client, id);
}

#[test]
fn a_violation_before_the_request_leaves_the_buffer() {
    let mut client = Client::ready();
    let id = client.request(to("queue"), TIMEOUT);
    client.broker_sends(on(SHARED, basic::Ack::default()));
    assert_honest(client, id);
}

/// The driver writes what is left when the connection is over. A peer that was only slow, or
/// closed its sending side only, would still read it.
#[test]
fn a_connection_lost_before_the_request_leaves_the_buffer() {
    type Loss = fn(&mut Client);
    let losses: [Loss; 2] = [Client::broker_closes_the_socket, |client| {
        client.the_socket_fails("connection reset by peer");
    }];
    for lose in losses {
        let mut client = Client::ready();
        let id = client.request(to("queue"), TIMEOUT);
        lose(&mut client);
        assert_honest(client, id);
    }
}

#[test]
fn a_broker_taken_for_dead_before_the_request_leaves_the_buffer() {
    let config = crate::connection::Config::default();
    let mut client = Client::greeted(|now| Requester::new(config, MAX_BODY_SIZE, SECRET, now));
    client.shake_hands(Broker { heartbeat: 10, ..RABBITMQ });
    client.subscribe(SHARED, "shared");
    let id = client.request(to("queue"), TIMEOUT);
    client.advance(seconds(20));
    assert_honest(client, id);
}

/// The session ends over the shared channel, and the request on another goes out before
/// connection.close.
#[test]
fn a_refused_subscription_before_the_request_leaves_the_buffer() {
    let mut client = Client::ready();
    client.closes_channel(SHARED, ReplyCode::NOT_FOUND, "NOT_FOUND");
    client.subscribe(SHARED, "shared");
    let id = client.request(apart("queue"), TIMEOUT);
    client.engine_sends(on(2, channel::Open {}));
    client.broker_sends(on(2, channel::OpenOk {}));
    client.engine_sends(on(2, consume()));
    client.closes_channel(SHARED, ReplyCode::NOT_FOUND, "NOT_FOUND");
    client.engine_sends(on(SHARED, channel::Open {}));
    client.broker_sends(on(SHARED, channel::OpenOk {}));
    client.engine_sends(on(SHARED, consume()));
    client.confirm_consumer(2, "own");
    let close = channel_close(ReplyCode::PRECONDITION_FAILED, "PRECONDITION_FAILED");
    client.broker_sends(on(SHARED, close));
    assert_honest(client, id);
}

#[test]
fn a_call_without_time_is_not_begun() {
    let mut client = Client::ready();
    let now = client.now();
    let error = client.engine.request(now, to("queue"), Duration::ZERO).unwrap_err();
    assert_eq!(error, CallError::Timeout { timeout: Duration::ZERO, written: false, cause: None });
    assert_eq!(error.outcome(), Outcome::NotExecuted);
    client.nothing_is_left();
}

// ---------------------------------------------------------------------- a buffer with an end

/// A call with a body of 100 000 octets.
fn large() -> Outgoing {
    Outgoing { body: Bytes::from(alloc::vec![0; 100_000]), ..to("queue") }
}

#[test]
fn calls_wait_while_the_socket_takes_nothing() {
    let mut client = Client::ready();
    let calls = [(); 30].map(|()| client.request(large(), TIMEOUT));
    let waiting = client.engine.stats().waiting;
    assert!((10..25).contains(&waiting), "{waiting} wait");
    client.advance(TIMEOUT);
    for (index, id) in calls.into_iter().enumerate() {
        let written = index < 30 - waiting;
        assert_eq!(client.fails(id), CallError::Timeout { timeout: TIMEOUT, written, cause: None });
    }
    for _ in 0..30 - waiting {
        client.published(SHARED);
    }
    client.nothing_is_left();
}

#[test]
fn they_go_in_their_order_when_it_takes_something_again() {
    let mut client = Client::ready();
    let calls = [(); 30].map(|()| client.request(large(), TIMEOUT));
    let own = client.request(Outgoing { own_channel: true, ..large() }, TIMEOUT);
    for id in calls {
        let request = client.published(SHARED);
        client.reply(&request, "reply");
        client.gets(id, "reply");
    }
    client.subscribe(2, "own");
    let request = client.published(2);
    client.delivers(2, "own", &answering(&request), "reply");
    client.gets(own, "reply");
    client.client_closes_channel(2);
    client.nothing_is_left();
}

//! The session ends, and every call with it, at once.

use super::*;

fn lost(reason: &str) -> SessionError {
    ConnectionError::Lost { reason: reason.to_string() }.into()
}

/// A call of each kind: sent, still in the buffer, and on a channel that is still being opened.
fn one_of_each() -> (Client, [CallId; 3]) {
    let mut client = Client::ready();
    let (sent, _) = client.call("queue");
    let opening = client.request(apart("queue"), TIMEOUT);
    client.engine_sends(on(2, channel::Open {}));
    let unsent = client.request(to("queue"), TIMEOUT);
    (client, [sent, unsent, opening])
}

#[track_caller]
fn assert_disconnected(client: &mut Client, id: CallId, written: bool, cause: &SessionError) {
    let error = client.fails(id);
    let outcome = if written { Outcome::Unknown } else { Outcome::NotExecuted };
    assert_eq!(error.outcome(), outcome);
    assert_eq!(error, CallError::Disconnected { written, cause: cause.clone() });
}

#[track_caller]
fn assert_later_requests_fail(client: &mut Client, expected: &CallError) {
    let before = client.engine.stats();
    for outgoing in [to("queue"), apart("queue")] {
        let now = client.now();
        let error = client.engine.request(now, outgoing, TIMEOUT).unwrap_err();
        assert_eq!(error.outcome(), Outcome::NotExecuted);
        assert_eq!(error, *expected);
    }
    assert_eq!(client.engine.stats(), before);
}

#[track_caller]
fn assert_session_is_over(client: &mut Client, cause: &SessionError) {
    assert_eq!(client.engine.ended(), Some(&Err(cause.clone())));
    assert_eq!(client.readiness(), Poll::Ready(Err(cause.clone())));
    assert!(client.engine.is_finished());
    let cause = cause.clone();
    assert_later_requests_fail(client, &CallError::Disconnected { written: false, cause });
    assert_eq!(client.engine.stats().pending, 0);
    // Whatever comes now changes nothing.
    client.broker_closes_the_socket();
    client.close();
    client.advance(seconds(1000));
    assert_eq!(client.engine.poll_timeout(), None);
    assert!(client.engine.ended().is_some_and(Result::is_err));
}

#[test]
fn a_lost_connection_fails_every_call_at_once() {
    type Loss = fn(&mut Client);
    let losses: [(Loss, SessionError); 2] = [
        (Client::broker_closes_the_socket, lost("the peer closed the socket")),
        (|client| client.the_socket_fails("connection reset"), lost("connection reset")),
    ];
    for (lose, cause) in losses {
        let (mut client, [sent, unsent, opening]) = one_of_each();
        lose(&mut client);
        assert_disconnected(&mut client, sent, true, &cause);
        assert_disconnected(&mut client, unsent, false, &cause);
        assert_disconnected(&mut client, opening, false, &cause);
        assert_session_is_over(&mut client, &cause);
        let expected = Stats { calls: 3, failures: 3, disconnects: 1, ..Stats::default() };
        assert_eq!(client.engine.stats(), expected);
    }
}

#[test]
fn a_silent_broker_is_taken_for_dead() {
    let config = crate::connection::Config::default();
    let mut client = Client::greeted(|now| Requester::new(config, MAX_BODY_SIZE, SECRET, now));
    client.shake_hands(Broker { heartbeat: 10, ..RABBITMQ });
    client.subscribe(SHARED, "shared");
    let (id, _) = client.call("queue");
    client.advance(seconds(19));
    client.is_pending(id);
    client.advance(seconds(1));
    let cause = ConnectionError::HeartbeatTimeout { seconds: 20 }.into();
    assert_disconnected(&mut client, id, true, &cause);
    assert_session_is_over(&mut client, &cause);
}

#[test]
fn a_broker_that_closes_the_connection_says_why() {
    let (mut client, [sent, unsent, opening]) = one_of_each();
    let text = "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'";
    client.broker_sends(on(0, connection_close(ReplyCode::CONNECTION_FORCED, text)));
    let cause: SessionError = ConnectionError::ClosedByPeer {
        code: ReplyCode::CONNECTION_FORCED,
        text: text.to_string(),
        class_id: 0,
        method_id: 0,
    }
    .into();
    assert_disconnected(&mut client, sent, true, &cause);
    // The broker, having said close, reads nothing but close-ok.
    assert_disconnected(&mut client, unsent, false, &cause);
    assert_disconnected(&mut client, opening, false, &cause);
    assert_eq!(cause.to_string(), format!("the broker closed the connection: 320 {text}"));
    client.published(SHARED);
    client.engine_sends(on(0, connection::CloseOk {}));
    client.engine_is_silent();
    assert_session_is_over(&mut client, &cause);
}

#[test]
fn calls_that_are_done_keep_their_result() {
    let mut client = Client::ready();
    let (id, request) = client.call("queue");
    client.reply(&request, "reply");
    client.broker_closes_the_socket();
    client.gets(id, "reply");
    let expected = Stats { calls: 1, replies: 1, disconnects: 1, ..Stats::default() };
    assert_eq!(client.engine.stats(), expected);
}

#[test]
fn a_connection_that_never_came_to_be_fails_its_calls() {
    let mut client = Client::greeted(|now| Requester::new(config(), MAX_BODY_SIZE, SECRET, now));
    let id = client.request(to("queue"), TIMEOUT);
    client.broker_closes_the_socket();
    let stage = "before its greeting (connection.start)";
    let cause: SessionError = ConnectionError::SilentClose { stage }.into();
    assert_disconnected(&mut client, id, false, &cause);
    assert_session_is_over(&mut client, &cause);
}

// ---------------------------------------------------------------------- closed by its user

#[test]
fn close_fails_pending_calls_and_says_goodbye() {
    let mut client = Client::ready();
    let (sent, request) = client.call("queue");
    client.blocks();
    let waits = client.request(to("queue"), TIMEOUT);
    client.close();
    let error = client.fails(sent);
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert_eq!(error, CallError::Closed { written: true });
    let error = client.fails(waits);
    assert_eq!(error.outcome(), Outcome::NotExecuted);
    assert_eq!(error, CallError::Closed { written: false });
    assert_eq!(client.engine.ended(), Some(&Ok(())));
    assert_later_requests_fail(&mut client, &CallError::Closed { written: false });

    assert!(!client.engine.is_finished());
    client.reply(&request, "too late");
    client.engine_says_goodbye();
    assert!(client.engine.is_finished());
    assert_eq!(client.engine.stats(), Stats { calls: 2, failures: 2, ..Stats::default() });
    client.nothing_is_left();
}

#[test]
fn close_closes_the_channels_of_calls_on_their_own() {
    let mut client = Client::ready();
    let (id, _) = client.call_apart("queue", 2);
    client.close();
    assert_eq!(client.fails(id), CallError::Closed { written: true });
    client.engine_sends(on(2, channel_close(ReplyCode::REPLY_SUCCESS, "")));
    client.engine_says_goodbye();
    client.nothing_is_left();
}

#[test]
fn close_twice_is_close_once() {
    let mut client = Client::ready();
    client.close();
    client.close();
    client.engine_says_goodbye();
    client.close();
    client.engine_is_silent();
    assert_eq!(client.engine.ended(), Some(&Ok(())));
}

#[test]
fn a_broker_that_does_not_answer_close_is_left() {
    let mut client = Client::ready();
    client.close();
    client.discard_sent();
    client.advance(config().close_timeout);
    assert!(client.engine.is_finished());
    assert_eq!(client.engine.ended(), Some(&Ok(())));
}

#[test]
fn close_before_the_connection_is_open_ends_at_once() {
    let mut client = Client::greeted(|now| Requester::new(config(), MAX_BODY_SIZE, SECRET, now));
    let id = client.request(to("queue"), TIMEOUT);
    client.close();
    assert_eq!(client.fails(id), CallError::Closed { written: false });
    assert!(client.engine.is_finished());
    client.nothing_is_left();
}

#[test]
fn close_while_subscribing_is_obeyed() {
    let mut client = Client::connected_to(RABBITMQ);
    client.engine_sends(on(1, channel::Open {}));
    let id = client.request(to("queue"), TIMEOUT);
    client.close();
    client.broker_sends(on(1, channel::OpenOk {}));
    assert_eq!(client.fails(id), CallError::Closed { written: false });
    client.engine_says_goodbye();
    client.nothing_is_left();
}

//! The connection is lost, and the client makes another.

use super::*;
use crate::{ConnectionState, Properties, Reconnect, Reconnecting};

impl Client {
    /// It has two addresses, and is connected to the first.
    fn reconnecting(policy: Reconnect) -> Self {
        let connect_timeout = seconds(10);
        let settings = Reconnecting { policy, addresses: 2, connect_timeout, seed: 1 };
        let mut client = Client::open(RABBITMQ, |now| {
            Requester::new(config(), MAX_BODY_SIZE, SECRET, now).with_reconnect(settings, 0)
        });
        client.subscribe(SHARED, "shared");
        client
    }

    /// The other address, and a subscription there.
    #[track_caller]
    fn comes_back(&mut self) {
        self.connects_anew(1);
        self.subscribe(SHARED, "shared");
    }

    #[track_caller]
    fn is_disconnected(&mut self, id: CallId, written: bool) {
        match self.fails(id) {
            CallError::Disconnected { written: was, .. } => assert_eq!(was, written),
            other => panic!("disconnected, and not {other:?}"),
        }
    }
}

fn default() -> Client {
    Client::reconnecting(Reconnect::default())
}

#[test]
fn what_was_sent_fails_at_once_and_what_comes_later_waits() {
    let mut client = default();
    let (sent, _) = client.call("queue");
    let unsent = client.request(to("queue"), TIMEOUT);
    client.broker_closes_the_socket();
    client.is_disconnected(sent, true);
    client.is_disconnected(unsent, false);
    assert!(client.engine.ended().is_none());

    let later = client.request(to("later"), seconds(120));
    client.is_pending(later);
    client.connects_anew(1);
    client.engine_sends(on(SHARED, channel::Open {}));
    client.broker_sends(on(SHARED, channel::OpenOk {}));
    client.engine_sends(on(SHARED, consume()));
    client.engine_is_silent();
    client.confirm_consumer(SHARED, "anew");
    let request = client.published(SHARED);
    assert_eq!(request.method.routing_key, "later");
    client.delivers(SHARED, "anew", &answering(&request), "reply");
    client.gets(later, "reply");
    assert_eq!(client.engine.stats().disconnects, 1);
    client.nothing_is_left();
}

#[test]
fn a_call_that_had_to_wait_before_goes_on_waiting() {
    let mut client = default();
    client.blocks();
    let blocked = client.request(to("blocked"), seconds(120));
    client.broker_closes_the_socket();
    client.is_pending(blocked);
    client.comes_back();
    let request = client.published(SHARED);
    client.reply(&request, "reply");
    client.gets(blocked, "reply");
    client.nothing_is_left();
}

#[test]
fn calls_whose_channel_was_being_opened_begin_anew_before_all_others() {
    let mut client = default();
    let own = client.request(apart("own"), seconds(120));
    client.engine_sends(on(2, channel::Open {}));
    client.broker_closes_the_socket();
    let later = client.request(to("later"), seconds(120));
    client.connects_anew(1);
    client.subscribe(SHARED, "shared");
    client.engine_sends(on(2, channel::Open {}));
    let request = client.published(SHARED);
    client.broker_sends(on(2, channel::OpenOk {}));
    client.engine_sends(on(2, consume()));
    client.confirm_consumer(2, "own");
    client.published(2);
    client.delivers(2, "own", &BasicProperties::default(), "own");
    client.client_closes_channel(2);
    client.gets(own, "own");
    client.reply(&request, "later");
    client.gets(later, "later");
    client.nothing_is_left();
}

#[test]
fn channels_that_were_lent_are_gone() {
    let mut client = default();
    let through = || Outgoing { exchange: short("x"), ..to("key") };
    let idle = client.request(through(), TIMEOUT);
    client.subscribe(2, "lent");
    let request = client.published(2);
    client.delivers(2, "lent", &answering(&request), "reply");
    client.gets(idle, "reply");
    let sent = client.request(through(), TIMEOUT);
    client.published(2);
    client.broker_closes_the_socket();
    client.is_disconnected(sent, true);
    client.comes_back();
    client.request(through(), TIMEOUT);
    client.subscribe(2, "lent anew");
    client.published(2);
}

#[test]
fn calls_wait_no_longer_than_their_time_and_learn_what_for() {
    let mut client = default();
    client.the_socket_fails("connection reset");
    let id = client.request(to("queue"), seconds(1));
    client.advance(seconds(1));
    let error = client.fails(id);
    assert_eq!(error.outcome(), Outcome::NotExecuted);
    assert_eq!(
        error.to_string(),
        "no reply within 1s; the request was never sent, for want of a connection: the connection \
         was lost: connection reset"
    );
    let now = client.now();
    client.engine.handle_unreachable(now, "cannot reach rabbit:5672: refused".to_string());
    let id = client.request(to("queue"), seconds(1));
    client.advance(seconds(1));
    assert!(client.fails(id).to_string().ends_with(": cannot reach rabbit:5672: refused"));
    client.nothing_is_left();
}

#[test]
fn the_late_reply_of_another_connection_is_late() {
    let mut client = default();
    let (sent, request) = client.call("queue");
    client.broker_closes_the_socket();
    client.comes_back();
    client.reply(&request, "late");
    client.is_disconnected(sent, true);
    assert_eq!(client.engine.stats().late_replies, 1);
    client.nothing_is_left();
}

#[test]
fn a_broker_at_fault_is_told_so_and_left_before_another_connection_is_made() {
    let mut client = default();
    let (sent, _) = client.call("queue");
    client.broker_sends(on(SHARED, basic::QosOk {}));
    client.is_disconnected(sent, true);
    let error = "basic.qos-ok that nobody asked for";
    let text = format!("COMMAND_INVALID - {error}");
    client.engine_sends(on(0, connection_close(ReplyCode::COMMAND_INVALID, &text)));
    let waits = client.request(to("waits"), seconds(120));
    // Neither is the next attempt due before this one is over, nor does its timer spin.
    client.advance(seconds(2));
    assert!(!client.engine.is_disconnected());
    client.broker_sends(on(0, connection::CloseOk {}));
    client.comes_back();
    let request = client.published(SHARED);
    client.reply(&request, "reply");
    client.gets(waits, "reply");
}

#[test]
fn a_subscription_that_is_refused_later_is_asked_for_again() {
    let mut client = default();
    client.broker_closes_the_socket();
    client.connects_anew(1);
    client.engine_sends(on(SHARED, channel::Open {}));
    client.broker_sends(on(SHARED, channel::OpenOk {}));
    client.engine_sends(on(SHARED, consume()));
    client.closes_channel(SHARED, ReplyCode::ACCESS_REFUSED, "ACCESS_REFUSED - not now");
    client.engine_sends(on(0, connection_close(ReplyCode::REPLY_SUCCESS, "bye")));
    let ConnectionState::Reconnecting { cause, failures: 2 } = client.engine.connection_state()
    else {
        panic!("reconnecting");
    };
    assert!(matches!(cause, SessionError::ReplyConsumerRefused { .. }));
    client.broker_sends(on(0, connection::CloseOk {}));
    client.connects_anew(0);
    client.subscribe(SHARED, "shared");
    assert_eq!(client.engine.connection_state(), ConnectionState::Connected);
}

#[test]
fn an_attempt_that_is_not_ready_in_time_is_given_up() {
    let mut client = default();
    client.broker_closes_the_socket();
    client.connects_anew(1);
    client.engine_sends(on(SHARED, channel::Open {}));
    client.advance(seconds(10));
    assert!(client.engine.is_disconnected(), "the broker says nothing any more");
    client.connects_anew(0);
    client.subscribe(SHARED, "shared");
}

#[test]
fn a_refusal_ends_it_where_that_is_wanted() {
    let mut client = Client::reconnecting(Reconnect::default().give_up_when_refused());
    client.broker_closes_the_socket();
    let waits = client.request(to("waits"), seconds(120));
    client.connects_anew(1);
    client.engine_sends(on(SHARED, channel::Open {}));
    client.broker_sends(on(SHARED, channel::OpenOk {}));
    client.engine_sends(on(SHARED, consume()));
    client.closes_channel(SHARED, ReplyCode::ACCESS_REFUSED, "ACCESS_REFUSED - never");
    client.is_disconnected(waits, false);
    client.engine_says_goodbye();
    assert!(matches!(client.engine.ended(), Some(Err(SessionError::ReplyConsumerRefused { .. }))));
}

#[test]
fn a_close_ends_it_between_two_connections() {
    let mut client = default();
    client.broker_closes_the_socket();
    let waits = client.request(to("waits"), TIMEOUT);
    client.close();
    assert_eq!(client.fails(waits), CallError::Closed { written: false });
    assert!(client.engine.is_finished());
    client.advance(seconds(60));
    let now = client.now();
    assert_eq!(client.engine.poll_connect(now), None);
    assert_eq!(client.engine.connection_state(), ConnectionState::Closed { cause: None });
}

#[test]
fn and_so_does_the_end_of_whoever_drives_it() {
    let mut client = default();
    let (sent, _) = client.call("queue");
    let unsent = client.request(to("queue"), TIMEOUT);
    let now = client.now();
    client.engine.handle_end_of_driver(now, "gone".to_string());
    client.is_disconnected(sent, true);
    client.is_disconnected(unsent, false);
    assert!(client.engine.is_finished());
}

// ---------------------------------------------------------------------- in good order

#[test]
fn a_client_that_drains_takes_no_more_and_closes_behind_the_last_call() {
    let mut client = default();
    let (id, request) = client.call("queue");
    let now = client.now();
    client.engine.drain(now);
    let error = client.engine.request(now, to("queue"), TIMEOUT).unwrap_err();
    assert_eq!(error, CallError::Closed { written: false });
    client.engine_is_silent();
    client.reply(&request, "the last");
    client.gets(id, "the last");
    client.engine_is_silent();
    client.engine_says_goodbye();
}

#[test]
fn a_client_that_drains_still_reconnects_for_what_waits() {
    let mut client = default();
    client.broker_closes_the_socket();
    let waits = client.request(to("waits"), seconds(120));
    let now = client.now();
    client.engine.drain(now);
    client.comes_back();
    let request = client.published(SHARED);
    client.reply(&request, "reply");
    client.gets(waits, "reply");
}

// ---------------------------------------------------------------------- again

fn again(retry: Retry) -> Outgoing {
    Outgoing { retry, ..to("queue") }
}

#[test]
fn what_may_run_twice_is_sent_again_with_the_same_ids() {
    let mut client = default();
    let id = client.request(again(Retry::Unknown), seconds(120));
    let first = client.published(SHARED);
    client.broker_closes_the_socket();
    client.is_pending(id);
    client.comes_back();
    let second = client.published(SHARED);
    assert_eq!(second.properties.message_id, first.properties.message_id);
    assert_eq!(second.properties.correlation_id, first.properties.correlation_id);
    assert_eq!(second.body, first.body);
    client.reply(&second, "reply");
    client.gets(id, "reply");
    assert_eq!(client.engine.stats().retries, 1);
    client.nothing_is_left();
}

/// What the client adds to a request, it adds to a copy: on another channel, and with less time left,
/// all of that is chosen again but the ids.
#[test]
fn what_is_sent_again_expires_with_its_call_and_is_the_same_otherwise() {
    let users = BasicProperties { priority: Some(3), ..BasicProperties::default() };
    let own_id = BasicProperties { message_id: Some(short("mine")), ..users.clone() };
    for properties in
        [BasicProperties::default().into(), Properties::new(), users.into(), own_id.into()]
    {
        let mut client = default();
        let id = client.request(Outgoing { properties, ..again(Retry::Unknown) }, seconds(120));
        let first = client.published(SHARED);
        client.advance(seconds(20));
        client.closes_channel(SHARED, ReplyCode::INTERNAL_ERROR, "INTERNAL_ERROR");
        client.subscribe(SHARED, "shared");
        let second = client.published(SHARED);
        client.advance(seconds(5));
        client.broker_closes_the_socket();
        client.comes_back();
        let third = client.published(SHARED);
        for (published, expiration) in [(&first, "120000"), (&second, "100000")] {
            assert_eq!(published.properties.expiration, Some(short(expiration)));
        }
        let waits: u64 =
            third.properties.expiration.as_ref().unwrap().as_str().unwrap().parse().unwrap();
        assert!(waits <= 95_000, "{waits}");
        for again in [&second, &third] {
            let expiration = first.properties.expiration.clone();
            let properties = BasicProperties { expiration, ..again.properties.clone() };
            assert_eq!(properties, first.properties);
            assert_eq!((&again.method, &again.body), (&first.method, &first.body));
        }
        client.reply(&third, "reply");
        client.gets(id, "reply");
        client.nothing_is_left();
    }
}

#[test]
fn what_may_not_run_twice_is_sent_again_only_if_it_was_not_sent() {
    let mut client = default();
    let sent = client.request(again(Retry::NotExecuted), seconds(120));
    client.published(SHARED);
    let unsent = client.request(again(Retry::NotExecuted), seconds(120));
    client.broker_closes_the_socket();
    client.is_disconnected(sent, true);
    client.is_pending(unsent);
    client.comes_back();
    let request = client.published(SHARED);
    client.reply(&request, "reply");
    client.gets(unsent, "reply");
    client.nothing_is_left();
}

#[test]
fn nothing_is_sent_again_that_was_answered() {
    let mut client = default();
    let id = client.request(again(Retry::Unknown), TIMEOUT);
    let request = client.published(SHARED);
    client.returns(SHARED, &request);
    assert!(matches!(client.fails(id), CallError::Unroutable { .. }));
    client.nothing_is_left();
}

/// The truth about a call is the truth about all of its attempts.
#[test]
fn a_last_attempt_that_did_not_run_does_not_hide_a_former_one_that_may_have() {
    let mut client = default();
    let returned = client.request(again(Retry::Unknown), seconds(120));
    client.published(SHARED);
    let late = client.request(again(Retry::Unknown), seconds(61));
    client.published(SHARED);
    client.broker_closes_the_socket();
    client.comes_back();
    client.blocks();
    let request = client.published(SHARED);
    client.published(SHARED);
    client.returns(SHARED, &request);
    client.is_disconnected(returned, true);
    client.broker_closes_the_socket();
    client.advance(seconds(1));
    let error = client.fails(late);
    assert!(matches!(error, CallError::Timeout { written: true, .. }), "{error:?}");
    assert_eq!(error.outcome(), Outcome::Unknown);
}

#[test]
fn after_five_times_it_is_left_at_that() {
    let mut client = default();
    let id = client.request(again(Retry::Unknown), seconds(1000));
    for address in [1, 0, 1, 0, 1] {
        client.published(SHARED);
        client.broker_closes_the_socket();
        client.is_pending(id);
        client.connects_anew(address);
        client.subscribe(SHARED, "shared");
    }
    client.published(SHARED);
    client.broker_closes_the_socket();
    client.is_disconnected(id, true);
    assert_eq!(client.engine.stats().retries, 5);
}

// ---------------------------------------------------------------------- at a bad moment

/// It may come in the same read as the end of the connection.
#[test]
fn an_alarm_of_the_last_connection_is_none_of_the_next() {
    let mut client = default();
    let blocked = connection::Blocked { reason: short("low on memory") };
    client.broker_sends_at_once([on(SHARED, basic::QosOk {}), on(0, blocked)]);
    client.discard_sent();
    client.broker_sends(on(0, connection::CloseOk {}));
    client.comes_back();
    assert_eq!(client.engine.connection_state(), ConnectionState::Connected);
    client.call("queue");
}

#[test]
fn a_broker_that_is_silent_about_a_new_channel_is_left() {
    let mut client = default();
    client.closes_channel(SHARED, ReplyCode::INTERNAL_ERROR, "INTERNAL_ERROR");
    client.engine_sends(on(SHARED, channel::Open {}));
    let waits = client.request(to("waits"), seconds(120));
    client.advance(seconds(10) - Duration::from_nanos(1));
    assert!(!client.engine.is_disconnected());
    client.advance(Duration::from_nanos(1));
    assert!(client.engine.is_disconnected());
    client.comes_back();
    let request = client.published(SHARED);
    client.reply(&request, "reply");
    client.gets(waits, "reply");
}

//! While the broker does not want requests, new ones wait.

use super::*;

/// Two ways to be told to wait, and to go on.
#[derive(Clone, Copy)]
enum Pause {
    /// The broker has an alarm on.
    Alarm,
    /// It has paused the shared channel.
    Flow,
}

const PAUSES: [Pause; 2] = [Pause::Alarm, Pause::Flow];

impl Client {
    #[track_caller]
    fn pauses(&mut self, pause: Pause) {
        match pause {
            Pause::Alarm => self.blocks(),
            Pause::Flow => self.flow(SHARED, false),
        }
    }

    #[track_caller]
    fn goes_on(&mut self, pause: Pause) {
        match pause {
            Pause::Alarm => self.unblocks(),
            Pause::Flow => self.flow(SHARED, true),
        }
    }

    #[track_caller]
    fn flow(&mut self, channel: u16, active: bool) {
        self.broker_sends(on(channel, channel::Flow { active }));
        self.engine_sends(on(channel, channel::FlowOk { active }));
    }
}

#[test]
fn new_calls_wait_and_go_in_the_order_they_came() {
    for pause in PAUSES {
        let mut client = Client::ready();
        client.pauses(pause);
        let queues = ["a", "b", "c", "d"];
        let calls = queues.map(|queue| client.request(to(queue), TIMEOUT));
        client.engine_is_silent();
        assert_eq!(client.engine.stats().waiting, 4);
        client.goes_on(pause);
        for (id, queue) in calls.into_iter().zip(queues) {
            let request = client.published(SHARED);
            assert_eq!(request.method.routing_key, queue);
            client.reply(&request, queue);
            client.gets(id, queue);
        }
        assert_eq!(client.engine.stats().waiting, 0);
        client.nothing_is_left();
    }
}

#[test]
fn calls_made_afterwards_go_at_once() {
    for pause in PAUSES {
        let mut client = Client::ready();
        client.pauses(pause);
        client.goes_on(pause);
        let (id, request) = client.call("queue");
        client.reply(&request, "reply");
        client.gets(id, "reply");
        client.nothing_is_left();
    }
}

#[test]
fn calls_sent_before_get_their_replies() {
    for pause in PAUSES {
        let mut client = Client::ready();
        let (id, request) = client.call("queue");
        client.pauses(pause);
        client.reply(&request, "reply");
        client.gets(id, "reply");
        client.nothing_is_left();
    }
}

#[test]
fn calls_that_wait_too_long_were_never_executed() {
    for pause in PAUSES {
        let mut client = Client::ready();
        let (sent, _) = client.call("queue");
        client.pauses(pause);
        let waits = client.request(to("queue"), TIMEOUT);
        client.advance(TIMEOUT);
        assert_eq!(client.fails(sent).outcome(), Outcome::Unknown);
        let error = client.fails(waits);
        assert_eq!(error.outcome(), Outcome::NotExecuted);
        assert_eq!(error, CallError::Timeout { timeout: TIMEOUT, written: false, cause: None });
        client.goes_on(pause);
        client.nothing_is_left();
    }
}

#[test]
fn calls_of_their_own_channel_wait_too() {
    for pause in PAUSES {
        let mut client = Client::ready();
        client.pauses(pause);
        let id = client.request(apart("queue"), TIMEOUT);
        client.engine_is_silent();
        client.goes_on(pause);
        client.subscribe(2, "own");
        let request = client.published(2);
        client.delivers(2, "own", &answering(&request), "reply");
        client.gets(id, "reply");
        client.client_closes_channel(2);
        client.nothing_is_left();
    }
}

#[test]
fn both_pauses_have_to_end() {
    for [first, second] in [[Pause::Alarm, Pause::Flow], [Pause::Flow, Pause::Alarm]] {
        let mut client = Client::ready();
        client.pauses(Pause::Flow);
        client.pauses(Pause::Alarm);
        client.request(to("queue"), TIMEOUT);
        client.goes_on(first);
        client.engine_is_silent();
        client.goes_on(second);
        client.published(SHARED);
        client.engine_is_silent();
    }
}

#[test]
fn an_alarm_before_the_subscription_holds_requests_back() {
    let mut client = Client::connected_to(RABBITMQ);
    client.request(to("queue"), TIMEOUT);
    client.blocks();
    client.subscribe(SHARED, "shared");
    client.engine_is_silent();
    client.unblocks();
    client.published(SHARED);
}

#[test]
fn the_pause_of_one_channel_is_not_another_ones() {
    let mut client = Client::ready();
    let (own, request) = client.call_apart("queue", 2);
    client.flow(2, false);
    let (shared, shared_request) = client.call("queue");
    client.reply(&shared_request, "shared");
    client.gets(shared, "shared");
    client.delivers(2, "own", &answering(&request), "own");
    client.gets(own, "own");
}

#[test]
fn a_channel_opened_anew_is_not_paused() {
    let mut client = Client::ready();
    client.flow(SHARED, false);
    client.request(to("queue"), TIMEOUT);
    client.closes_channel(SHARED, ReplyCode::NOT_FOUND, "NOT_FOUND");
    client.subscribe(SHARED, "shared");
    client.published(SHARED);
}

#[test]
fn the_reason_can_be_seen() {
    let mut client = Client::ready();
    assert_eq!(client.engine.blocked(), None);
    client.blocks();
    assert_eq!(client.engine.blocked(), Some("low on memory"));
    client.broker_sends(on(0, connection::Blocked { reason: short("low on disk") }));
    assert_eq!(client.engine.blocked(), Some("low on disk"));
    client.unblocks();
    assert_eq!(client.engine.blocked(), None);
}

#[test]
fn a_lost_connection_fails_those_that_wait() {
    for pause in PAUSES {
        let mut client = Client::ready();
        client.pauses(pause);
        let id = client.request(to("queue"), TIMEOUT);
        client.broker_closes_the_socket();
        assert_eq!(client.fails(id).outcome(), Outcome::NotExecuted);
        assert_eq!(client.engine.stats().waiting, 0);
        client.nothing_is_left();
    }
}

/// The alarm comes when the channel is being opened already.
#[test]
fn a_call_on_its_own_channel_waits_with_its_consumer() {
    for pause in PAUSES {
        let mut client = Client::ready();
        let id = client.request(apart("queue"), TIMEOUT);
        client.engine_sends(on(2, channel::Open {}));
        client.broker_sends(on(2, channel::OpenOk {}));
        client.engine_sends(on(2, consume()));
        match pause {
            Pause::Alarm => client.blocks(),
            Pause::Flow => client.flow(2, false),
        }
        client.confirm_consumer(2, "own");
        client.engine_is_silent();
        assert_eq!(client.engine.stats().waiting, 1);
        match pause {
            Pause::Alarm => client.unblocks(),
            Pause::Flow => client.flow(2, true),
        }
        let request = client.published(2);
        client.delivers(2, "own", &answering(&request), "reply");
        client.gets(id, "reply");
        client.client_closes_channel(2);
        client.nothing_is_left();
    }
}

/// What has been sent is not looked at again, however often the broker says that it reads again.
#[test]
fn the_end_of_an_alarm_costs_nothing_where_nothing_waits() {
    let mut client = Client::ready();
    let calls: Vec<_> = (2..100).map(|channel| client.call_apart("queue", channel)).collect();
    let allocations = |client: &mut Client| {
        allocation_counter::measure(|| {
            client.blocks();
            client.unblocks();
            client.unblocks();
        })
        .count_total
    };
    let with_calls = allocations(&mut client);
    assert!(with_calls < 20, "{with_calls} allocations for {} calls", calls.len());
    client.engine_is_silent();
}

//! The connection is lost, and the server makes another.

use super::*;
use crate::{ConnectionState, Reconnect, Reconnecting};

impl Server {
    /// It serves the queues "1" and "2", has two addresses, and is connected to the first.
    fn reconnecting(policy: Reconnect) -> Self {
        let connect_timeout = seconds(10);
        let settings = Reconnecting { policy, addresses: 2, connect_timeout, seed: 1 };
        let queues = [queue("1"), queue("2")];
        let mut server = Self::open(RABBITMQ, |now| {
            Responder::new(config(), queues, MAX_REPLY_SIZE, now).with_reconnect(settings, 0)
        });
        server.serves_again();
        server
    }

    /// Its queues, on a new connection.
    #[track_caller]
    fn serves_again(&mut self) {
        for channel in [1, 2] {
            self.engine_sends(on(channel, channel::Open {}));
        }
        for channel in [1, 2] {
            self.broker_sends(on(channel, channel::OpenOk {}));
            self.engine_begins(channel, &queue(&channel.to_string()));
            self.broker_confirms(channel);
        }
        assert_eq!(self.readiness(), Poll::Ready(Ok(())));
        assert_eq!(self.engine.connection_state(), ConnectionState::Connected);
    }

    /// The channels of a connection that is there for replies alone.
    #[track_caller]
    pub(super) fn opens_channels(&mut self) {
        for channel in [1, 2] {
            self.engine_sends(on(channel, channel::Open {}));
        }
        for channel in [1, 2] {
            self.broker_sends(on(channel, channel::OpenOk {}));
        }
    }
}

const TOO_LATE: &str = "PRECONDITION_FAILED - delivery acknowledgement on channel timed out";

impl Server {
    #[track_caller]
    pub(super) fn loses_channel(&mut self, channel: u16) {
        let close = channel_close(ReplyCode::PRECONDITION_FAILED, TOO_LATE);
        self.broker_sends(on(channel, close));
        self.engine_sends(on(channel, channel::CloseOk {}));
    }
}

pub(super) fn default() -> Server {
    Server::reconnecting(Reconnect::default())
}

#[test]
fn what_was_answered_last_on_a_lost_connection_is_not_acknowledged_on_the_next() {
    let mut server = default();
    let pending = [1, 2].map(|delivery_tag| server.asked(1, delivery_tag));
    for pending in pending {
        server.answer(pending, reply("reply"));
    }
    server.broker_closes_the_socket();
    server.connects_anew(1);
    server.serves_again();
    server.engine_is_silent();
    // Nor is a new delivery, before it is answered.
    let [one, two] = [1, 2].map(|delivery_tag| server.asked(1, delivery_tag));
    server.answer(two, reply("reply"));
    server.engine_replies(1, 2);
    server.answer(one, reply("reply"));
    server.engine_replies(1, 1);
    server.engine_is_silent();
}

#[test]
fn queues_are_declared_limited_and_consumed_anew() {
    let mut server = default();
    server.broker_closes_the_socket();
    assert!(matches!(server.engine.connection_state(), ConnectionState::Reconnecting { .. }));
    server.connects_anew(1);
    server.serves_again();
    let pending = server.asked(2, 1);
    server.answer(pending, reply("reply"));
    server.engine_replies(2, 1);
    assert_eq!(server.engine.stats().disconnects, 1);
}

#[test]
fn what_nobody_had_taken_is_gone() {
    let mut server = default();
    server.delivers(1, 1, &asking(), "request");
    server.broker_closes_the_socket();
    server.has_no_request();
    server.connects_anew(1);
    server.serves_again();
    server.has_no_request();
}

#[test]
fn an_answer_after_the_reconnect_is_sent_and_acknowledges_nothing() {
    let mut server = default();
    let pending = server.asked(1, 1);
    server.broker_closes_the_socket();
    server.connects_anew(1);
    server.serves_again();
    // With the same delivery tag as the one of old.
    let redelivered = server.asked(1, 1);
    server.answer(pending, reply("from before"));
    let published = server.published(1);
    assert_eq!(published.method.routing_key, REPLY_ADDRESS);
    assert_eq!(published.properties.correlation_id.unwrap(), "17");
    assert_eq!(published.body, b"from before");
    server.engine_is_silent();
    server.answer(redelivered, reply("once more"));
    server.engine_replies(1, 1);
}

#[test]
fn an_answer_before_the_reconnect_waits_for_it() {
    let mut server = default();
    let [one, other] = [server.asked(1, 1), server.asked(2, 1)];
    server.broker_closes_the_socket();
    server.answer(one, reply("one"));
    server.answer(other, Answer::Panic("other".to_string()));
    assert_eq!(server.engine.stats().held, 2);
    server.connects_anew(1);
    for channel in [1, 2] {
        server.engine_sends(on(channel, channel::Open {}));
    }
    server.engine_is_silent();
    server.broker_sends(on(1, channel::OpenOk {}));
    assert_eq!(server.published(1).body, b"one");
    assert!(server.published(1).properties.headers.is_some(), "the fault");
    let stats = server.engine.stats();
    assert_eq!((stats.held, stats.replies, stats.faults, stats.panics), (0, 1, 1, 1));
    assert_eq!((stats.unsent, stats.running), (0, 0));
}

#[test]
fn handlers_at_work_count_against_the_prefetch_of_the_new_connection() {
    let options = [QueueOptions { prefetch: 1, ..queue("1") }];
    let settings = Reconnecting {
        policy: Reconnect::default(),
        addresses: 1,
        connect_timeout: seconds(10),
        seed: 1,
    };
    let mut server = Server::open(RABBITMQ, |now| {
        Responder::new(config(), options.clone(), MAX_REPLY_SIZE, now).with_reconnect(settings, 0)
    });
    let begin = |server: &mut Server| {
        server.engine_sends(on(1, channel::Open {}));
        server.broker_sends(on(1, channel::OpenOk {}));
        server.engine_begins(1, &options[0]);
        server.broker_confirms(1);
    };
    begin(&mut server);
    let pending = server.asked(1, 1);
    server.broker_closes_the_socket();
    server.connects_anew(0);
    begin(&mut server);
    server.delivers(1, 1, &asking(), "again");
    server.has_no_request();
    server.answer(pending, reply("reply"));
    server.published(1);
    server.takes();
}

#[test]
fn no_more_is_held_than_memory_is_for() {
    let mut server = default();
    let large = Answer::Reply(Reply::new(alloc::vec![0; MAX_REPLY_SIZE]));
    let pending: Vec<_> = (1..=200).map(|tag| server.asked(2 - tag as u16 % 2, tag)).collect();
    server.broker_closes_the_socket();
    for pending in pending {
        server.answer(pending, large.clone());
    }
    assert_eq!(server.engine.stats().held, 200, "2 MB of 16");
    assert_eq!(server.engine.held.octets(), 200 * MAX_REPLY_SIZE);
}

#[test]
fn a_queue_that_is_refused_later_is_asked_for_slowly_and_costs_no_other() {
    let mut server = default();
    server.broker_closes_the_socket();
    server.connects_anew(1);
    server.opens_channels();
    for _ in 0..6 {
        server.sent();
    }
    server.broker_confirms(2);
    let text = "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue";
    for rest in [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] {
        let close = channel_close(ReplyCode::RESOURCE_LOCKED, text);
        server.broker_sends(on(1, close));
        server.engine_sends(on(1, channel::CloseOk {}));
        server.engine_is_silent();
        server.advance(Duration::from_millis(rest) - Duration::from_nanos(1));
        server.engine_is_silent();
        server.advance(Duration::from_nanos(1));
        server.engine_sends(on(1, channel::Open {}));
        server.broker_sends(on(1, channel::OpenOk {}));
        server.engine_begins(1, &queue("1"));
        let pending = server.asked(2, 1);
        server.answer(pending, reply("unharmed"));
        server.engine_replies(2, 1);
    }
    server.broker_confirms(1);
    assert_eq!(server.readiness(), Poll::Ready(Ok(())));
}

#[test]
fn or_ends_the_server_where_that_is_wanted() {
    let mut server = Server::reconnecting(Reconnect::default().give_up_when_refused());
    for failures in 1.. {
        server.broker_sends(on(1, channel_close(ReplyCode::ACCESS_REFUSED, "ACCESS_REFUSED - no")));
        server.engine_sends(on(1, channel::CloseOk {}));
        if failures == 6 {
            break;
        }
        server.advance(seconds(8));
        server.engine_sends(on(1, channel::Open {}));
        server.broker_sends(on(1, channel::OpenOk {}));
        server.engine_begins(1, &queue("1"));
    }
    server.engine_says_goodbye();
    assert!(matches!(server.end(), Poll::Ready(Err(SessionError::Queue { .. }))));
}

//! The replier in dialogue with a broker, in virtual time.

#![allow(clippy::arithmetic_side_effects, reason = "an overflow fails the test")]

use alloc::string::ToString;
use core::time::Duration;

use leveret_codec::{Frame, Method, ReplyCode, basic, channel, connection};

use super::*;
use crate::testing::*;
use crate::{Reconnect, Reply};

type Server = Dialogue<Replier>;

const LATER: Duration = Duration::from_secs(30);

impl Server {
    fn ready() -> Self {
        Self::with(Reconnect::default())
    }

    fn with(policy: Reconnect) -> Self {
        let settings = Reconnecting { policy, addresses: 1, connect_timeout: seconds(10), seed: 1 };
        let mut server =
            Self::open(RABBITMQ, |now| Replier::new(config(), now).with_reconnect(settings, 0));
        assert_eq!(server.engine.readiness(), Poll::Pending);
        server.opens_its_channel();
        assert_eq!(server.engine.readiness(), Poll::Ready(Ok(())));
        server
    }

    #[track_caller]
    fn opens_its_channel(&mut self) {
        self.engine_sends(on(1, channel::Open {}));
        self.broker_sends(on(1, channel::OpenOk {}));
    }

    fn posts(&mut self, body: &'static str) -> LetterId {
        let deadline = self.now().after(LATER);
        self.posts_until(body, Some(deadline))
    }

    fn posts_until(&mut self, body: &'static str, deadline: Option<Instant>) -> LetterId {
        let letter = Letter::new(short("address"), Some(short("7")), Reply::from(body));
        let now = self.now();
        self.engine.post(now, letter, deadline)
    }

    fn poll(&mut self, id: LetterId) -> Poll<Sent> {
        let (sent, _) = self.engine.poll_posted(id, &mut Context::from_waker(Waker::noop()));
        sent
    }

    fn blocks(&mut self) {
        self.broker_sends(on(0, connection::Blocked { reason: short("low on memory") }));
    }
}

#[test]
fn a_reply_is_sent_and_done_when_the_socket_has_taken_it() {
    let mut server = Server::ready();
    let id = server.posts("reply");
    assert_eq!(server.poll(id), Poll::Pending);
    let Method::BasicPublish(publish) = server.method(1) else { panic!("basic.publish") };
    let header = server.rest_of(1, publish);
    assert_eq!(header.method.routing_key, "address");
    assert_eq!(
        (header.body, header.properties.correlation_id),
        (b"reply".into(), Some(short("7")))
    );
    // The driver has asked for more meanwhile: it has got rid of this.
    assert_eq!(server.poll(id), Poll::Ready(Sent::Reply));
    assert!(server.engine.letters.is_empty());
}

#[test]
fn what_the_socket_has_not_taken_is_not_written() {
    let mut server = Server::ready();
    let id = server.posts("reply");
    let (now, mut out) = (server.now(), BytesMut::new());
    server.engine.poll_transmit(now, &mut out);
    assert!(!out.is_empty());
    assert_eq!(server.poll(id), Poll::Pending, "it is with the driver");
    server.engine.poll_transmit(now, &mut out);
    assert_eq!(server.poll(id), Poll::Ready(Sent::Reply));
}

#[test]
fn replies_wait_for_the_end_of_an_alarm() {
    let mut server = Server::ready();
    server.blocks();
    let id = server.posts("reply");
    server.engine_is_silent();
    assert_eq!(server.poll(id), Poll::Pending);
    server.broker_sends(on(0, connection::Unblocked {}));
    assert_eq!(server.published(1).body, b"reply");
    server.engine_is_silent();
    assert_eq!(server.poll(id), Poll::Ready(Sent::Reply));
}

#[test]
fn but_no_longer_than_their_callers() {
    let mut server = Server::ready();
    server.blocks();
    let [short, long] = [1, 2].map(|time| server.now().after(seconds(time)));
    let short = server.posts_until("short", Some(short));
    let long = server.posts_until("long", Some(long));
    let for_ever = server.posts_until("for ever", None);
    server.advance(seconds(1));
    assert_eq!(server.poll(short), Poll::Ready(Sent::Expired));
    assert_eq!(server.poll(long), Poll::Pending);
    server.advance(seconds(1000));
    assert_eq!(server.poll(long), Poll::Ready(Sent::Expired));
    assert_eq!(server.poll(for_ever), Poll::Pending);
}

#[test]
fn what_was_not_taken_is_sent_on_the_next_connection() {
    let mut server = Server::ready();
    let taken = server.posts("taken");
    server.published(1);
    server.engine_is_silent();
    let lost = server.posts_until("lost", None);
    let (now, mut out) = (server.now(), BytesMut::new());
    server.engine.poll_transmit(now, &mut out);
    server.broker_closes_the_socket();
    let late = server.posts_until("late", None);
    assert_eq!(server.poll(taken), Poll::Ready(Sent::Reply));
    server.connects_anew(0);
    server.opens_its_channel();
    assert_eq!(server.published(1).body, b"lost");
    assert_eq!(server.published(1).body, b"late");
    server.engine_is_silent();
    assert_eq!([lost, late].map(|id| server.poll(id)), [Poll::Ready(Sent::Reply); 2]);
}

/// It may be what the connection was lost over, and there are others to be sent.
#[test]
fn a_reply_is_sent_no_more_than_twice() {
    let mut server = Server::ready();
    let id = server.posts_until("poison", None);
    for times in 1..=2 {
        // The driver gets it, and is stuck with it.
        server.discard_sent();
        server.broker_closes_the_socket();
        assert_eq!(server.poll(id).is_ready(), times == 2);
        server.connects_anew(0);
        server.opens_its_channel();
    }
    server.engine_is_silent();
}

#[test]
fn a_reply_that_the_broker_refuses_costs_a_channel_and_no_other_reply() {
    let policy = Reconnect::default().give_up_when_refused();
    let mut server = Server::with(policy);
    for _ in 0..20 {
        let refused = server.posts("refused");
        server.published(1);
        server.engine_is_silent();
        assert_eq!(server.poll(refused), Poll::Ready(Sent::Reply));
        let behind = server.posts("behind it");
        server.discard_sent();
        let text = "PRECONDITION_FAILED - message size 9 is larger than configured max size 8";
        server.broker_sends(on(1, channel_close(ReplyCode::PRECONDITION_FAILED, text)));
        server.engine_sends(on(1, channel::CloseOk {}));
        server.engine_sends(on(1, channel::Open {}));
        server.broker_sends(on(1, channel::OpenOk {}));
        assert_eq!(server.published(1).body, b"behind it");
        server.engine_is_silent();
        assert_eq!(server.poll(behind), Poll::Ready(Sent::Reply));
    }
    assert_eq!(server.engine.connection_state(), ConnectionState::Connected);
}

/// Else a broker that closes them at once would be asked as fast as the network is.
#[test]
fn a_channel_that_is_closed_for_nothing_costs_the_connection() {
    let mut server = Server::ready();
    server.broker_sends(on(1, channel_close(ReplyCode::ACCESS_REFUSED, "ACCESS_REFUSED - no")));
    server.engine_sends(on(1, channel::CloseOk {}));
    server.engine_sends(on(0, connection_close(ReplyCode::REPLY_SUCCESS, "bye")));
    server.broker_sends(on(0, connection::CloseOk {}));
    let ConnectionState::Reconnecting { cause, .. } = server.engine.connection_state() else {
        panic!("reconnecting");
    };
    assert_eq!(cause.to_string(), "the broker refused a reply: 403 ACCESS_REFUSED - no");
    server.connects_anew(0);
    server.opens_its_channel();
}

#[test]
fn a_socket_that_takes_nothing_holds_replies_back() {
    let mut server = Server::ready();
    let large: &'static str = alloc::string::String::leak("x".repeat(400_000));
    let ids = [(); 5].map(|()| server.posts_until(large, None));
    assert!(server.engine.connection.transmit_len() < MAX_UNSENT + 500_000);
    assert_eq!(server.engine.waiting.len(), 2);
    for _ in ids {
        server.published(1);
    }
    server.engine_is_silent();
    assert!(ids.into_iter().all(|id| server.poll(id).is_ready()));
}

#[test]
fn one_that_is_forgotten_is_not_sent() {
    let mut server = Server::ready();
    server.blocks();
    let [forgotten, kept] = ["forgotten", "kept"].map(|body| server.posts(body));
    server.engine.cancel(forgotten);
    server.broker_sends(on(0, connection::Unblocked {}));
    assert_eq!(server.published(1).body, b"kept");
    server.engine_is_silent();
    assert_eq!(server.poll(forgotten), Poll::Pending);
    assert_eq!(server.poll(kept), Poll::Ready(Sent::Reply));
    assert!(server.engine.letters.is_empty());
}

#[test]
fn the_end_fails_what_waits_and_what_comes() {
    let mut server = Server::ready();
    server.blocks();
    let waits = server.posts("waits");
    let now = server.now();
    server.engine.close(now);
    let late = server.posts("late");
    assert_eq!([waits, late].map(|id| server.poll(id)), [Poll::Ready(Sent::Failed); 2]);
    server.engine_says_goodbye();
    assert_eq!(server.engine.ended(), Some(&Ok(())));
}

#[test]
fn it_is_asked_nothing() {
    let mut server = Server::ready();
    server.broker_sends(on(1, basic::QosOk {}));
    server.engine_closes_over_and_goes_on("basic.qos-ok that nobody asked for");
    let mut server = Server::ready();
    let frames = message(1, basic::Deliver::default(), &Default::default(), b"");
    server.broker_sends_at_once(frames);
    server.engine_closes_over_and_goes_on("basic.deliver that nobody asked for");
}

impl Server {
    #[track_caller]
    fn engine_closes_over_and_goes_on(&mut self, text: &str) {
        let text = alloc::format!("COMMAND_INVALID - {text}");
        let close: Frame = on(0, connection_close(ReplyCode::COMMAND_INVALID, &text));
        self.engine_sends(close);
        self.broker_sends(on(0, connection::CloseOk {}));
        self.connects_anew(0);
        self.opens_its_channel();
    }
}

/// It may come in the same read as the end of the connection.
#[test]
fn an_alarm_of_the_last_connection_is_none_of_the_next() {
    let mut server = Server::ready();
    let blocked = connection::Blocked { reason: short("low on memory") };
    server.broker_sends_at_once([on(1, basic::QosOk {}), on(0, blocked)]);
    assert!(matches!(server.method(0), Method::ConnectionClose(_)));
    server.broker_sends(on(0, connection::CloseOk {}));
    server.connects_anew(0);
    server.opens_its_channel();
    assert_eq!(server.engine.connection_state(), ConnectionState::Connected);
    server.posts("next");
    assert_eq!(server.published(1).body, b"next");
}

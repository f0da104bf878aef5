//! The broker closes the channel of a queue that was served: it gets another, in a while.

use super::*;

const TOO_LATE: &str = "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out";

impl Server {
    #[track_caller]
    fn channel_is_closed(&mut self, channel: u16) {
        let close = channel_close(ReplyCode::PRECONDITION_FAILED, TOO_LATE);
        self.broker_sends(on(channel, close));
        self.engine_sends(on(channel, channel::CloseOk {}));
    }

    /// After its rest, the server opens the channel anew and serves the queue from it.
    #[track_caller]
    fn channel_is_renewed(&mut self, channel: u16, rest: Duration) {
        self.engine_is_silent();
        self.advance(rest - Duration::from_nanos(1));
        self.engine_is_silent();
        self.advance(Duration::from_nanos(1));
        self.engine_sends(on(channel, channel::Open {}));
        self.broker_sends(on(channel, channel::OpenOk {}));
        self.engine_begins(channel, &queue(&channel.to_string()));
        self.broker_confirms(channel);
    }
}

#[test]
fn the_queue_is_served_on_another_channel() {
    let mut server = Server::serving(2);
    server.channel_is_closed(1);
    assert_eq!(server.readiness(), Poll::Pending);
    // The other queue does not notice.
    let pending = server.asked(2, 1);
    server.answer(pending, reply("reply"));
    server.engine_replies(2, 1);
    server.channel_is_renewed(1, REST);
    assert_eq!(server.readiness(), Poll::Ready(Ok(())));
    let pending = server.asked(1, 1);
    server.answer(pending, reply("reply"));
    server.engine_replies(1, 1);
    assert_eq!(server.engine.stats().channels_closed, 1);
}

#[test]
fn a_request_of_the_old_channel_is_answered_on_the_new_one_and_not_acknowledged() {
    let mut server = Server::serving(1);
    let old = server.asked(1, 1);
    server.channel_is_closed(1);
    server.channel_is_renewed(1, REST);
    let new = server.asked(1, 1);
    server.answer(old, reply("old"));
    assert_eq!(server.published(1).body, b"old");
    server.engine_is_silent();
    server.answer(new, reply("new"));
    assert_eq!(server.engine_replies(1, 1).body, b"new");
}

#[test]
fn an_answer_while_there_is_no_channel_waits_for_the_next() {
    let mut server = Server::serving(1);
    let pending = server.asked(1, 1);
    server.channel_is_closed(1);
    server.answer(pending, reply("held"));
    server.engine_is_silent();
    let stats = server.engine.stats();
    assert_eq!((stats.held, stats.replies, stats.running), (1, 0, 0));
    server.advance(REST);
    server.engine_sends(on(1, channel::Open {}));
    server.broker_sends(on(1, channel::OpenOk {}));
    assert_eq!(server.published(1).body, b"held");
    server.engine_begins(1, &queue("1"));
    let stats = server.engine.stats();
    assert_eq!((stats.held, stats.replies, stats.unsent), (0, 1, 0));
}

#[test]
fn an_answer_goes_on_the_channel_of_another_queue_if_its_own_has_none() {
    let mut server = Server::serving(2);
    let pending = server.asked(1, 1);
    server.channel_is_closed(1);
    server.answer(pending, reply("a detour"));
    assert_eq!(server.published(2).body, b"a detour");
    server.engine_is_silent();
}

/// A rest that is over while the connection closes is of no interest: no timer goes off for it, again
/// and again.
#[test]
fn a_queue_rests_on_when_the_end_has_begun() {
    let mut server = Server::serving(1);
    server.channel_is_closed(1);
    let now = server.now();
    server.engine.close(now);
    server.discard_sent();
    server.advance(REST * 2);
    server.engine_is_silent();

    let mut server = Server::serving(1);
    server.channel_is_closed(1);
    server.broker_sends(Frame::Body { channel: 7, payload: Bytes::new() });
    assert!(matches!(server.method(0), Method::ConnectionClose(_)));
    server.advance(REST * 2);
    server.engine_is_silent();
}

#[test]
fn requests_that_nobody_has_taken_go_with_their_channel() {
    let mut server = Server::serving(2);
    server.delivers(1, 1, &asking(), "of the first");
    server.delivers(2, 1, &asking(), "of the second");
    server.channel_is_closed(1);
    assert_eq!(server.takes().request.text(), Ok("of the second"));
    server.has_no_request();
}

#[test]
fn a_channel_closed_again_and_again_ends_the_server() {
    let mut server = Server::serving(1);
    for rest in [250, 500, 1000, 2000, 4000] {
        server.channel_is_closed(1);
        server.channel_is_renewed(1, Duration::from_millis(rest));
    }
    server.channel_is_closed(1);
    server.engine_says_goodbye();
    let (code, text) = (ReplyCode::PRECONDITION_FAILED, TOO_LATE.to_string());
    let expected = SessionError::Queue { queue: "1".to_string(), code, text, method: (0, 0) };
    assert_eq!(server.end(), Poll::Ready(Err(expected)));
}

#[test]
fn a_channel_that_served_for_long_is_renewed_any_number_of_times() {
    let mut server = Server::serving(1);
    for count in 1..=10 {
        server.advance(seconds(10));
        server.channel_is_closed(1);
        server.channel_is_renewed(1, REST);
        assert_eq!(server.engine.stats().channels_closed, count);
    }
}

#[test]
fn a_shutdown_does_not_wait_for_another_channel() {
    for before in [false, true] {
        let mut server = Server::serving(1);
        if before {
            server.shut_down();
            server.engine_cancels(1);
            server.channel_is_closed(1);
        } else {
            server.channel_is_closed(1);
            server.shut_down();
        }
        server.engine_says_goodbye();
        assert_eq!(server.end(), Poll::Ready(Ok(())));
    }
}

#[test]
fn a_shutdown_opens_another_channel_for_the_replies_that_are_owed() {
    let mut server = Server::serving(1);
    let pending = server.asked(1, 1);
    server.channel_is_closed(1);
    server.shut_down();
    server.engine_sends(on(1, channel::Open {}));
    server.broker_sends(on(1, channel::OpenOk {}));
    server.engine_is_silent();
    server.answer(pending, reply("reply"));
    assert_eq!(server.published(1).body, b"reply");
    server.engine_says_goodbye();
}

#[test]
fn and_no_more_than_a_few() {
    let mut server = Server::serving(1);
    let _pending = server.asked(1, 1);
    server.shut_down();
    server.engine_cancels(1);
    for _ in 1..=5 {
        server.channel_is_closed(1);
        server.engine_sends(on(1, channel::Open {}));
        server.broker_sends(on(1, channel::OpenOk {}));
    }
    server.channel_is_closed(1);
    server.engine_says_goodbye();
}

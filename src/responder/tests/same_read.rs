//! Several things that arrive in one read are the same as one after the other.

use super::*;

/// The user has to learn why, and not that "the connection is not open".
#[test]
fn the_beginning_and_the_end_of_a_connection() {
    let queues = [queue("1")];
    let mut server = Server::greeted(|now| Responder::new(config(), queues, MAX_REPLY_SIZE, now));
    let close = connection_close(ReplyCode::CONNECTION_FORCED, "CONNECTION_FORCED");
    server.shake_hands_and(RABBITMQ, [on(0, close)]);
    let end = server.end();
    assert!(matches!(end, Poll::Ready(Err(SessionError::Connection(_)))), "{end:?}");
}

/// The user has to learn why, and not that "channel 1 is not open".
#[test]
fn the_beginning_and_the_end_of_a_channel() {
    let mut server = Server::connected(&[queue("1")]);
    let close = channel_close(ReplyCode::NOT_ALLOWED, "NOT_ALLOWED");
    server.broker_sends_at_once([on(1, channel::OpenOk {}), on(1, close)]);
    let readiness = server.readiness();
    assert!(matches!(readiness, Poll::Ready(Err(SessionError::Queue { .. }))), "{readiness:?}");
}

#[test]
fn the_end_of_a_consumer_and_of_its_channel() {
    let mut server = Server::serving(1);
    let cancel = basic::Cancel { consumer_tag: tag(1), nowait: true };
    let close = channel_close(ReplyCode::NOT_FOUND, "NOT_FOUND");
    server.broker_sends_at_once([on(1, cancel), on(1, close)]);
    server.engine_sends(on(1, channel::CloseOk {}));
    assert_eq!(server.readiness(), Poll::Pending);
    server.advance(seconds(1));
    server.engine_sends(on(1, channel::Open {}));
    server.broker_sends(on(1, channel::OpenOk {}));
    server.engine_begins(1, &queue("1"));
    server.broker_confirms(1);
    assert_eq!(server.readiness(), Poll::Ready(Ok(())));
}

#[test]
fn all_the_answers_and_the_first_requests() {
    let mut server = Server::connected(&[queue("1")]);
    server.broker_sends(on(1, channel::OpenOk {}));
    server.engine_begins(1, &queue("1"));
    let mut frames = [
        on(1, queue_method::DeclareOk::default()),
        on(1, basic::QosOk {}),
        on(1, basic::ConsumeOk { consumer_tag: tag(1) }),
    ]
    .to_vec();
    for delivery_tag in 1..=3 {
        frames.extend(message(1, delivery(1, delivery_tag), &asking(), b"request"));
    }
    server.broker_sends_at_once(frames);
    for _ in 1..=3 {
        server.takes();
    }
    server.has_no_request();
}

#[test]
fn the_last_requests_and_cancel_ok() {
    let mut server = Server::serving(1);
    server.shut_down();
    server.engine_cancels(1);
    let mut frames = message(1, delivery(1, 1), &asking(), b"request");
    frames.push(on(1, basic::CancelOk { consumer_tag: tag(1) }));
    server.broker_sends_at_once(frames);
    let Arrived { pending, .. } = server.takes();
    server.answer(pending, reply("reply"));
    server.engine_replies(1, 1);
    server.engine_says_goodbye();
}

//! The session ends at once, by its user or by what happens to the connection.

use super::*;

/// The one that runs may end, and its answer is not sent; those that wait go to another server.
#[test]
fn no_request_is_taken_after_a_close() {
    let options = QueueOptions { prefetch: 1, ..queue("1") };
    let mut server = Server::serving_from(RABBITMQ, &[options]);
    let pending = server.asked(1, 1);
    server.delivers(1, 2, &asking(), "waits");
    server.has_no_request();
    let now = server.now();
    server.engine.close(now);
    server.answer(pending, reply("too late"));
    server.has_no_request();
    server.engine_says_goodbye();
}

#[test]
fn close_does_not_wait_for_running_requests() {
    let mut server = Server::serving(1);
    let pending = server.asked(1, 1);
    let now = server.now();
    server.engine.close(now);
    assert_eq!(server.end(), Poll::Pending);
    server.answer(pending, reply("too late"));
    server.engine_says_goodbye();
    assert_eq!(server.end(), Poll::Ready(Ok(())));
}

#[test]
fn close_before_the_connection_is_open_ends_at_once() {
    let queues = [queue("1")];
    let mut server = Server::greeted(|now| Responder::new(config(), queues, MAX_REPLY_SIZE, now));
    let now = server.now();
    server.engine.close(now);
    assert!(server.engine.is_finished());
    assert_eq!(server.end(), Poll::Ready(Ok(())));
    server.engine_is_silent();
}

#[test]
fn close_after_shutdown_does_not_wait_any_longer() {
    let mut server = Server::serving(1);
    let _pending = server.asked(1, 1);
    server.shut_down();
    server.engine_cancels(1);
    let now = server.now();
    server.engine.close(now);
    server.engine_says_goodbye();
    assert_eq!(server.end(), Poll::Ready(Ok(())));
}

#[test]
fn a_broker_that_does_not_answer_close_is_left() {
    let mut server = Server::serving(1);
    let now = server.now();
    server.engine.close(now);
    server.discard_sent();
    server.advance(config().close_timeout);
    assert_eq!(server.end(), Poll::Ready(Ok(())));
}

#[test]
fn a_lost_connection_ends_the_session_and_answers_are_dropped() {
    type Loss = fn(&mut Server);
    let losses: [(Loss, &str); 2] = [
        (Server::broker_closes_the_socket, "the peer closed the socket"),
        (|server| server.the_socket_fails("connection reset"), "connection reset"),
    ];
    for (lose, reason) in losses {
        let mut server = Server::serving(1);
        let pending = [1, 2, 3].map(|delivery_tag| server.asked(1, delivery_tag));
        lose(&mut server);
        let cause = ConnectionError::Lost { reason: reason.to_string() };
        assert_eq!(server.end(), Poll::Ready(Err(cause.clone().into())));
        assert_eq!(server.readiness(), Poll::Ready(Err(cause.clone().into())));
        let answers = [
            reply("reply"),
            Answer::Fault(Fault::new("code", "message")),
            Answer::Panic("message".to_string()),
        ];
        for (pending, answer) in pending.into_iter().zip(answers) {
            server.answer(pending, answer);
        }
        server.engine_is_silent();
        assert_eq!(server.engine.stats().running, 0);
        server.shut_down();
        assert_eq!(server.end(), Poll::Ready(Err(cause.into())));
        assert_eq!(server.engine.poll_timeout(), None);
    }
}

#[test]
fn a_broker_that_closes_the_connection_says_why() {
    let mut server = Server::serving(1);
    let pending = server.asked(1, 1);
    let text = "CONNECTION_FORCED - closed by management";
    server.broker_sends(on(0, connection_close(ReplyCode::CONNECTION_FORCED, text)));
    server.engine_sends(on(0, connection::CloseOk {}));
    server.answer(pending, reply("reply"));
    server.engine_is_silent();
    let Poll::Ready(Err(error)) = server.end() else { panic!("an error") };
    assert_eq!(error.to_string(), format!("the broker closed the connection: 320 {text}"));
}

#[test]
fn a_connection_that_never_came_to_be_is_an_error() {
    let queues = [queue("1")];
    let mut server = Server::greeted(|now| Responder::new(config(), queues, MAX_REPLY_SIZE, now));
    server.broker_closes_the_socket();
    let Poll::Ready(Err(error)) = server.readiness() else { panic!("an error") };
    assert!(matches!(error, SessionError::Connection(ConnectionError::SilentClose { .. })));
}

#[test]
fn a_silent_broker_is_taken_for_dead() {
    let config = crate::connection::Config::default();
    let mut server =
        Server::greeted(|now| Responder::new(config, [queue("1")], MAX_REPLY_SIZE, now));
    server.shake_hands(Broker { heartbeat: 10, ..RABBITMQ });
    server.advance(seconds(19));
    assert_eq!(server.end(), Poll::Pending);
    server.advance(seconds(1));
    let cause = ConnectionError::HeartbeatTimeout { seconds: 20 };
    assert_eq!(server.end(), Poll::Ready(Err(cause.into())));
}

/// They cannot be acknowledged any more, and are delivered to another server.
#[test]
fn requests_that_nobody_has_taken_go_with_the_connection() {
    let mut server = Server::serving(1);
    server.delivers(1, 1, &asking(), "request");
    server.broker_closes_the_socket();
    server.has_no_request();
}

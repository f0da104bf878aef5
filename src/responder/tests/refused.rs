//! The broker refuses a queue: the server ends and says why.

use super::*;

const REFUSALS: [(ReplyCode, &str); 4] = [
    (ReplyCode::ACCESS_REFUSED, "ACCESS_REFUSED - configure access to queue '2' refused"),
    (ReplyCode::NOT_FOUND, "NOT_FOUND - no queue '2' in vhost '/'"),
    (ReplyCode::RESOURCE_LOCKED, "RESOURCE_LOCKED - cannot obtain exclusive access to queue '2'"),
    (ReplyCode::PRECONDITION_FAILED, "PRECONDITION_FAILED - inequivalent arg 'durable'"),
];

fn refused(code: ReplyCode, text: &str) -> SessionError {
    let (queue, text) = ("2".to_string(), text.to_string());
    SessionError::Queue { queue, code, text, method: (50, 10) }
}

#[track_caller]
fn assert_ends(mut server: Server, code: ReplyCode, text: &str) {
    let close = channel::Close { class_id: 50, method_id: 10, ..channel_close(code, text) };
    server.broker_sends(on(2, close));
    server.engine_sends(on(2, channel::CloseOk {}));
    let expected = refused(code, text);
    assert_eq!(server.readiness(), Poll::Ready(Err(expected.clone())));
    assert!(expected.to_string().starts_with(&format!("queue \"2\": {} {text}", code.0)));
    assert_eq!(server.end(), Poll::Pending, "close-ok is awaited");
    server.engine_says_goodbye();
    assert_eq!(server.end(), Poll::Ready(Err(expected)));
}

#[test]
fn a_queue_that_cannot_be_declared() {
    for (code, text) in REFUSALS {
        let queues = [queue("1"), queue("2")];
        let mut server = Server::connected(&queues);
        for channel in [1, 2] {
            server.broker_sends(on(channel, channel::OpenOk {}));
            server.engine_begins(channel, &queues[usize::from(channel) - 1]);
        }
        server.broker_confirms(1);
        assert_ends(server, code, text);
    }
}

#[test]
fn a_queue_that_cannot_be_consumed_from() {
    for (code, text) in REFUSALS {
        let queues = [queue("1"), queue("2")];
        let mut server = Server::connected(&queues);
        server.broker_sends(on(2, channel::OpenOk {}));
        server.engine_begins(2, &queues[1]);
        server.broker_sends(on(2, queue_method::DeclareOk::default()));
        server.broker_sends(on(2, basic::QosOk {}));
        assert_ends(server, code, text);
    }
}

#[test]
fn a_channel_that_cannot_be_opened() {
    let server = Server::connected(&[queue("1"), queue("2")]);
    assert_ends(server, ReplyCode::NOT_ALLOWED, "NOT_ALLOWED - no more channels");
}

#[test]
fn a_hint_says_what_to_look_at() {
    for (code, text) in REFUSALS {
        let error = refused(code, text);
        assert!(error.to_string().ends_with(')'), "{error}");
    }
}

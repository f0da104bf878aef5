//! Requests whose callers no longer wait.

use super::*;

fn expiring(milliseconds: &str) -> BasicProperties {
    BasicProperties { expiration: Some(short(milliseconds)), ..asking() }
}

#[test]
fn a_request_that_waited_here_for_too_long_is_not_run() {
    let queues = [QueueOptions { prefetch: 1, ..queue("1") }];
    let mut server = Server::serving_from(RABBITMQ, &queues);
    server.delivers(1, 1, &asking(), "runs for long");
    let running = server.takes().pending;
    server.delivers(1, 2, &expiring("1000"), "expires");
    server.advance(Duration::from_millis(999));
    server.has_no_request();
    server.advance(Duration::from_millis(1));
    server.answer(running, reply("done"));
    server.engine_replies(1, 1);
    server.has_no_request();
    server.engine_sends(on(1, basic::Reject { delivery_tag: 2, requeue: false }));
    server.engine_is_silent();
    let stats = server.engine.stats();
    assert_eq!((stats.requests, stats.expired, stats.running), (2, 1, 0));
}

#[test]
fn a_handler_is_told_how_much_longer_its_caller_waits() {
    let mut server = Server::serving(1);
    server.delivers(1, 1, &expiring("1000"), "request");
    server.advance(Duration::from_millis(300));
    let arrived = server.takes();
    assert_eq!(arrived.request.time_left, Some(Duration::from_millis(700)));
    server.delivers(1, 2, &asking(), "does not say");
    assert_eq!(server.takes().request.time_left, None);
    server.delivers(1, 3, &expiring("soon"), "says nonsense");
    assert_eq!(server.takes().request.time_left, None);
}

#[test]
fn the_last_one_that_expires_ends_a_shutdown() {
    let mut server = Server::serving(1);
    server.delivers(1, 1, &expiring("10"), "expires");
    server.shut_down();
    server.engine_cancels(1);
    server.broker_confirms_cancel(1);
    server.advance(Duration::from_millis(10));
    server.has_no_request();
    server.engine_sends(on(1, basic::Reject { delivery_tag: 1, requeue: false }));
    server.engine_says_goodbye();
    assert_eq!(server.end(), Poll::Ready(Ok(())));
}

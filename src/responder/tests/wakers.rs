//! Who waits for the beginning or the end of the session is woken.

use super::*;

#[test]
fn who_waits_for_the_last_queue_is_woken() {
    let mut server = Server::connected(&[queue("1")]);
    let [mut one, mut other] = [Sleeper::new(), Sleeper::new()];
    // Asking twice is waiting once.
    one.observe(&mut server.engine);
    other.observe(&mut server.engine);
    one.observe(&mut server.engine);
    server.broker_sends(on(1, channel::OpenOk {}));
    server.broker_sends(on(1, queue_method::DeclareOk::default()));
    server.broker_sends(on(1, basic::QosOk {}));
    server.wake();
    assert_eq!((one.woken(), other.woken()), (0, 0));
    server.broker_sends(on(1, basic::ConsumeOk { consumer_tag: tag(1) }));
    assert_eq!((one.woken(), other.woken()), (0, 0), "not under the lock");
    server.wake();
    assert_eq!((one.woken(), other.woken()), (1, 1));
    assert_eq!(server.readiness(), Poll::Ready(Ok(())));
}

type End = fn(&mut Server);

#[test]
fn who_waits_for_the_queues_learns_that_it_is_over() {
    let ends: [End; 4] = [
        Server::broker_closes_the_socket,
        |server| server.broker_sends(on(1, channel_close(ReplyCode::NOT_FOUND, "NOT_FOUND"))),
        |server| server.broker_sends(on(1, basic::Ack::default())),
        |server| {
            let now = server.now();
            server.engine.close(now);
            server.broker_sends(on(0, connection::CloseOk {}));
        },
    ];
    for end in ends {
        let mut server = Server::connected(&[queue("1")]);
        server.broker_sends(on(1, channel::OpenOk {}));
        let mut sleeper = Sleeper::new();
        sleeper.observe(&mut server.engine);
        end(&mut server);
        server.wake();
        assert_eq!(sleeper.woken(), 1);
        assert!(server.readiness().is_ready());
    }
}

#[test]
fn who_waits_for_the_end_is_woken() {
    let ends: [End; 5] = [
        Server::broker_closes_the_socket,
        |server| server.broker_sends(on(0, connection_close(ReplyCode::CONNECTION_FORCED, ""))),
        |server| {
            let now = server.now();
            server.engine.close(now);
            server.engine_says_goodbye();
        },
        |server| {
            let now = server.now();
            server.engine.close(now);
            server.advance(config().close_timeout);
        },
        |server| {
            server.shut_down();
            server.engine_cancels(1);
            server.broker_confirms_cancel(1);
            server.engine_says_goodbye();
        },
    ];
    for end in ends {
        let mut server = Server::serving(1);
        server.wake();
        let mut sleeper = Sleeper::new();
        sleeper.observe(&mut server.engine);
        assert_eq!(server.end(), Poll::Pending);
        end(&mut server);
        server.wake();
        assert_eq!(sleeper.woken(), 1);
        assert!(server.end().is_ready());
    }
}

//! Who sleeps is woken when it is time, and nobody else.

use super::*;

#[track_caller]
fn sleep_on(client: &mut Client, id: CallId) -> Sleeper {
    let sleeper = Sleeper::new();
    assert_eq!(client.engine.poll_call(id, &mut sleeper.context()), Poll::Pending);
    sleeper
}

#[test]
fn a_reply_wakes_its_call_alone() {
    let mut client = Client::ready();
    let calls = [(); 3].map(|()| client.call("queue"));
    let sleepers = [0, 1, 2].map(|index| sleep_on(&mut client, calls[index].0));
    client.wake();
    client.reply(&calls[1].1, "reply");
    assert_eq!(sleepers.each_ref().map(Sleeper::woken), [0, 0, 0], "not under the lock");
    client.wake();
    assert_eq!(sleepers.each_ref().map(Sleeper::woken), [0, 1, 0]);
    client.wake();
    client.reply(&calls[1].1, "again");
    client.wake();
    assert_eq!(sleepers.each_ref().map(Sleeper::woken), [0, 0, 0], "once is enough");
}

#[test]
fn every_end_of_a_call_wakes_it() {
    type End = fn(&mut Client, &Published);
    let ends: [End; 6] = [
        |client, request| client.reply(request, "reply"),
        |client, request| client.returns(SHARED, request),
        |client, _| client.advance(TIMEOUT),
        |client, _| client.closes_channel(SHARED, ReplyCode::NOT_FOUND, "NOT_FOUND"),
        |client, _| client.broker_closes_the_socket(),
        |client, _| client.close(),
    ];
    for end in ends {
        let mut client = Client::ready();
        let (id, request) = client.call("queue");
        let sleeper = sleep_on(&mut client, id);
        end(&mut client, &request);
        client.wake();
        assert_eq!(sleeper.woken(), 1);
        assert!(client.poll(id).is_ready());
    }
}

#[test]
fn the_last_task_that_asked_is_woken() {
    let mut client = Client::ready();
    let (id, request) = client.call("queue");
    let first = sleep_on(&mut client, id);
    let second = sleep_on(&mut client, id);
    client.reply(&request, "reply");
    client.wake();
    assert_eq!((first.woken(), second.woken()), (0, 1));
}

#[test]
fn a_request_that_is_only_sent_wakes_nobody() {
    let mut client = Client::connected_to(RABBITMQ);
    let id = client.request(to("queue"), TIMEOUT);
    let sleeper = sleep_on(&mut client, id);
    client.subscribe(SHARED, "shared");
    client.published(SHARED);
    client.blocks();
    client.unblocks();
    client.wake();
    assert_eq!(sleeper.woken(), 0);
}

#[test]
fn who_waits_for_the_subscription_is_woken() {
    let mut client = Client::connected_to(RABBITMQ);
    let [mut one, mut other] = [Sleeper::new(), Sleeper::new()];
    // Asking twice is waiting once.
    one.observe(&mut client.engine);
    other.observe(&mut client.engine);
    one.observe(&mut client.engine);
    client.wake();
    assert_eq!((one.woken(), other.woken()), (0, 0));
    client.subscribe(SHARED, "shared");
    client.wake();
    assert_eq!((one.woken(), other.woken()), (1, 1));
    assert_eq!(client.readiness(), Poll::Ready(Ok(())));
}

#[test]
fn who_waits_no_longer_is_not_woken() {
    let mut client = Client::connected_to(RABBITMQ);
    let [mut gone, mut there] = [Sleeper::new(), Sleeper::new()];
    gone.observe(&mut client.engine);
    there.observe(&mut client.engine);
    gone.release(&mut client.engine);
    client.broker_closes_the_socket();
    client.wake();
    assert_eq!((gone.woken(), there.woken()), (0, 1));
}

#[test]
fn who_waits_for_the_subscription_learns_that_it_failed() {
    type Failure = fn(&mut Client);
    let failures: [Failure; 4] = [
        |client| client.closes_channel(1, ReplyCode::PRECONDITION_FAILED, "PRECONDITION_FAILED"),
        Client::broker_closes_the_socket,
        Client::close,
        |client| client.broker_sends(on(1, basic::Ack::default())),
    ];
    for fail in failures {
        let mut client = Client::connected_to(RABBITMQ);
        client.engine_sends(on(1, channel::Open {}));
        client.broker_sends(on(1, channel::OpenOk {}));
        client.engine_sends(on(1, consume()));
        let mut sleeper = Sleeper::new();
        sleeper.observe(&mut client.engine);
        assert_eq!(client.readiness(), Poll::Pending);
        fail(&mut client);
        client.wake();
        assert_eq!(sleeper.woken(), 1);
        assert!(client.readiness().is_ready());
    }
}

#[test]
fn who_waits_for_the_end_is_woken() {
    type End = fn(&mut Client);
    let ends: [End; 4] = [
        Client::broker_closes_the_socket,
        |client| client.broker_sends(on(0, connection_close(ReplyCode::CONNECTION_FORCED, ""))),
        |client| client.broker_sends(on(0, connection::CloseOk {})),
        |client| client.advance(config().close_timeout),
    ];
    for (index, end) in ends.into_iter().enumerate() {
        let mut client = Client::ready();
        if index > 1 {
            client.close();
        }
        client.wake();
        let mut sleeper = Sleeper::new();
        sleeper.observe(&mut client.engine);
        assert!(!client.engine.is_finished());
        end(&mut client);
        client.wake();
        assert_eq!(sleeper.woken(), 1);
        assert!(client.engine.is_finished());
    }
}

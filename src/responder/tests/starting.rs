//! From the open connection to queues that are served.

use super::*;

#[test]
fn a_queue_is_declared_limited_and_consumed_from_in_one_go() {
    let mut arguments = FieldTable::new();
    arguments.insert("x-queue-type", "quorum").unwrap();
    let options = QueueOptions {
        name: short("queue"),
        passive: true,
        durable: false,
        exclusive: true,
        auto_delete: true,
        arguments: arguments.clone(),
        prefetch: 7,
    };
    let mut server = Server::connected(&[options]);
    server.broker_sends(on(1, channel::OpenOk {}));
    let queue = short("queue");
    server.engine_sends(on(
        1,
        queue_method::Declare {
            queue: queue.clone(),
            passive: true,
            durable: false,
            exclusive: true,
            auto_delete: true,
            nowait: false,
            arguments,
        },
    ));
    let qos = basic::Qos { prefetch_size: 0, prefetch_count: 7, global: false };
    server.engine_sends(on(1, qos));
    server.engine_sends(on(
        1,
        basic::Consume {
            queue,
            consumer_tag: ShortStr::EMPTY,
            no_local: false,
            no_ack: false,
            exclusive: false,
            nowait: false,
            arguments: FieldTable::EMPTY,
        },
    ));
    server.engine_is_silent();
}

#[test]
fn flags_of_the_queue_stay_apart() {
    type Flag = fn(&mut QueueOptions) -> &mut bool;
    type Sent = fn(&queue_method::Declare) -> bool;
    let flags: [(Flag, Sent); 4] = [
        (|options| &mut options.passive, |declare| declare.passive),
        (|options| &mut options.durable, |declare| declare.durable),
        (|options| &mut options.exclusive, |declare| declare.exclusive),
        (|options| &mut options.auto_delete, |declare| declare.auto_delete),
    ];
    for (index, (flag, _)) in flags.iter().enumerate() {
        let mut options = QueueOptions { durable: false, ..queue("queue") };
        *flag(&mut options) = true;
        let mut server = Server::connected(&[options]);
        server.broker_sends(on(1, channel::OpenOk {}));
        let Method::QueueDeclare(declare) = server.method(1) else { panic!("queue.declare") };
        let expected = [0, 1, 2, 3].map(|other| other == index);
        assert_eq!(flags.map(|(_, sent)| sent(&declare)), expected);
        assert!(!declare.nowait);
    }
}

#[test]
fn a_queue_is_durable_with_a_prefetch_of_128_unless_something_else_is_said() {
    let mut server = Server::connected(&[queue("queue")]);
    server.broker_sends(on(1, channel::OpenOk {}));
    let declare =
        queue_method::Declare { queue: short("queue"), durable: true, ..Default::default() };
    server.engine_sends(on(1, declare));
    server.engine_sends(on(1, basic::Qos { prefetch_count: 128, ..Default::default() }));
    server.engine_sends(on(1, basic::Consume { queue: short("queue"), ..Default::default() }));
    server.engine_is_silent();
}

#[test]
fn it_is_ready_with_the_last_answer_to_the_last_queue() {
    let queues = [queue("1"), queue("2"), queue("3")];
    let mut server = Server::connected(&queues);
    // In another order than they were asked for.
    for channel in [3, 1, 2] {
        server.broker_sends(on(channel, channel::OpenOk {}));
        server.engine_begins(channel, &queues[usize::from(channel) - 1]);
    }
    let answers: [fn(u16) -> Method; 3] = [
        |_| queue_method::DeclareOk::default().into(),
        |_| basic::QosOk {}.into(),
        |channel| basic::ConsumeOk { consumer_tag: tag(channel) }.into(),
    ];
    for answer in answers {
        for channel in [2, 3, 1] {
            assert_eq!(server.readiness(), Poll::Pending);
            server.broker_sends(on(channel, answer(channel)));
        }
    }
    assert_eq!(server.readiness(), Poll::Ready(Ok(())));
    server.engine_is_silent();
}

#[test]
fn a_queue_that_is_ready_serves_while_others_are_not() {
    let queues = [queue("1"), queue("2")];
    let mut server = Server::connected(&queues);
    server.broker_sends(on(2, channel::OpenOk {}));
    server.engine_begins(2, &queues[1]);
    server.broker_confirms(2);
    let pending = server.asked(2, 1);
    server.answer(pending, reply("reply"));
    server.engine_replies(2, 1);
    assert_eq!(server.readiness(), Poll::Pending);
}

#[test]
fn queues_may_be_more_than_channels() {
    let queues = [queue("1"), queue("2"), queue("3")];
    let broker = Broker { channel_max: 2, ..RABBITMQ };
    let mut server =
        Server::open(broker, |now| Responder::new(config(), queues, MAX_REPLY_SIZE, now));
    server.discard_sent();
    let Poll::Ready(Err(error)) = server.readiness() else { panic!("an error") };
    assert_eq!(error.to_string(), "all 2 channels of the connection are in use");
    server.broker_sends(on(0, connection::CloseOk {}));
    assert_eq!(server.end(), Poll::Ready(Err(error)));
}

#[test]
fn arguments_may_be_more_than_a_frame_holds() {
    let arguments = with_headers_of(4096).headers.unwrap();
    let options = QueueOptions { arguments, ..queue("queue") };
    let mut server = Server::connected_to(Broker { frame_max: 4096, ..RABBITMQ }, &[options]);
    server.broker_sends(on(1, channel::OpenOk {}));
    let Poll::Ready(Err(error)) = server.readiness() else { panic!("an error") };
    assert!(matches!(error, SessionError::Misuse(_)), "{error}");
    server.engine_says_goodbye();
    assert_eq!(server.end(), Poll::Ready(Err(error)));
}

//! Channels are opened and closed, by either side and by both at once.

use super::*;

fn not_found() -> channel::Close {
    channel::Close {
        reply_code: ReplyCode::NOT_FOUND,
        reply_text: ShortStr::from_static("NOT_FOUND - no queue 'q' in vhost '/'"),
        class_id: 50,
        method_id: 10,
    }
}

fn our_close() -> channel::Close {
    channel::Close { reply_code: ReplyCode::REPLY_SUCCESS, ..channel::Close::default() }
}

#[test]
fn a_channel_from_open_to_close() {
    let mut dialogue = Dialogue::open();
    assert_eq!(dialogue.connection.open_channel(), Ok(1));
    dialogue.client_sends(on(1, channel::Open {}));
    dialogue.no_event();
    assert_eq!(
        dialogue.connection.send(1, basic::Qos::default()),
        Err(Misuse::ChannelNotOpen(1)),
        "open-ok is awaited"
    );
    assert_eq!(dialogue.connection.close_channel(1), Err(Misuse::ChannelNotOpen(1)));
    dialogue.broker_sends(on(1, channel::OpenOk {}));
    dialogue.event(Event::ChannelOpened { channel: 1 });

    dialogue.connection.send(1, basic::Qos::default()).unwrap();
    dialogue.client_sends(on(1, basic::Qos::default()));
    dialogue.broker_sends(on(1, basic::QosOk {}));
    dialogue.event(Event::Method { channel: 1, method: basic::QosOk {}.into() });

    dialogue.connection.close_channel(1).unwrap();
    dialogue.client_sends(on(1, our_close()));
    let qos = dialogue.connection.send(1, basic::Qos::default());
    assert_eq!(qos, Err(Misuse::ChannelNotOpen(1)), "close-ok is awaited");
    assert_eq!(dialogue.connection.close_channel(1), Err(Misuse::ChannelNotOpen(1)));
    dialogue.no_event();
    dialogue.broker_sends(on(1, channel::CloseOk {}));
    dialogue.event(Event::ChannelClosed { channel: 1, close: None });
    dialogue.no_event();
    dialogue.client_is_silent();
}

#[test]
fn channels_that_do_not_exist() {
    let mut dialogue = Dialogue::with_channels(1);
    for number in [0, 2, 65535] {
        let refused = Err(Misuse::ChannelNotOpen(number));
        assert_eq!(dialogue.connection.send(number, basic::Qos::default()), refused);
        assert_eq!(dialogue.connection.close_channel(number), refused);
        let properties = BasicProperties::default();
        let publish = basic::Publish::default();
        assert_eq!(dialogue.connection.publish(number, &publish, &properties, b"x"), refused);
        assert!(!dialogue.connection.may_publish(number));
    }
    dialogue.client_is_silent();
}

#[test]
fn the_lowest_free_number_is_taken_and_not_before_it_is_free() {
    let mut dialogue = Dialogue::with_channels(3);
    dialogue.connection.close_channel(2).unwrap();
    dialogue.client_sends(on(2, our_close()));
    dialogue.open_channel(4);

    dialogue.broker_sends(on(2, channel::CloseOk {}));
    dialogue.event(Event::ChannelClosed { channel: 2, close: None });
    dialogue.open_channel(2);
    dialogue.open_channel(5);
}

#[test]
fn as_many_channels_as_were_agreed_on() {
    let tune = connection::Tune { channel_max: 2, ..dialogue::tune() };
    let mut dialogue = Dialogue::open_with(Config::default(), tune);
    dialogue.open_channel(1);
    dialogue.open_channel(2);
    for _ in 0..3 {
        assert_eq!(dialogue.connection.open_channel(), Err(Misuse::NoFreeChannel(2)));
    }
    dialogue.client_is_silent();

    dialogue.broker_sends(on(1, not_found()));
    dialogue.client_sends(on(1, channel::CloseOk {}));
    dialogue.event(Event::ChannelClosed { channel: 1, close: Some(not_found()) });
    dialogue.open_channel(1);
    assert_eq!(dialogue.connection.open_channel(), Err(Misuse::NoFreeChannel(2)));
}

#[test]
fn all_numbers_that_the_wire_has() {
    let unlimited = connection::Tune { channel_max: 65535, ..dialogue::tune() };
    let config = Config { channel_max: 65535, ..Config::default() };
    let mut dialogue = Dialogue::open_with(config, unlimited);
    for number in 1..=65535 {
        assert_eq!(dialogue.connection.open_channel(), Ok(number));
    }
    for _ in 0..3 {
        assert_eq!(dialogue.connection.open_channel(), Err(Misuse::NoFreeChannel(65535)));
    }
}

#[test]
fn the_broker_closes_a_channel_and_the_others_live() {
    let mut dialogue = Dialogue::with_channels(2);
    dialogue.broker_sends(on(1, not_found()));
    dialogue.client_sends(on(1, channel::CloseOk {}));
    dialogue.event(Event::ChannelClosed { channel: 1, close: Some(not_found()) });
    dialogue.no_event();
    assert_eq!(dialogue.connection.send(1, basic::Qos::default()), Err(Misuse::ChannelNotOpen(1)));
    dialogue.connection.send(2, basic::Qos::default()).unwrap();
    dialogue.client_sends(on(2, basic::Qos::default()));
    dialogue.open_channel(1);
}

#[test]
fn the_broker_closes_a_channel_instead_of_opening_it() {
    let mut dialogue = Dialogue::open();
    assert_eq!(dialogue.connection.open_channel(), Ok(1));
    dialogue.client_sends(on(1, channel::Open {}));
    dialogue.broker_sends(on(1, not_found()));
    dialogue.client_sends(on(1, channel::CloseOk {}));
    dialogue.event(Event::ChannelClosed { channel: 1, close: Some(not_found()) });
    dialogue.open_channel(1);
}

/// A peer that reads may ask as often as it likes.
#[test]
fn questions_without_end_whose_answers_are_read() {
    let mut dialogue = Dialogue::with_channels(1);
    for _ in 0..100_000 {
        dialogue.broker_sends(on(1, channel::Flow { active: true }));
        dialogue.client_sends(on(1, channel::FlowOk { active: true }));
    }
    assert!(dialogue.connection.is_channel_open(1));
}

#[test]
fn questions_without_end_whose_answers_are_not_read() {
    let mut dialogue = Dialogue::with_channels(1);
    while dialogue.connection.is_channel_open(1) {
        dialogue.broker_sends(on(1, channel::Flow { active: true }));
        assert!(dialogue.connection.transmit_len() < (1 << 20) + 200);
    }
    let text = "the peer asks, and does not read the answers".to_owned();
    let violation = ConnectionError::ProtocolViolation { code: ReplyCode::RESOURCE_ERROR, text };
    assert_eq!(dialogue.events().pop(), Some(Event::Closed(Err(violation))));
}

/// Both closes are under way at once: each is answered, and there is one event.
#[test]
fn closes_of_a_channel_cross() {
    let mut dialogue = Dialogue::with_channels(1);
    dialogue.connection.close_channel(1).unwrap();
    dialogue.broker_sends(on(1, not_found()));
    dialogue.client_sends(on(1, our_close()));
    dialogue.client_sends(on(1, channel::CloseOk {}));
    dialogue.no_event();
    assert_eq!(dialogue.connection.open_channel(), Ok(2), "1 is not free before close-ok");

    dialogue.broker_sends(on(1, channel::CloseOk {}));
    dialogue.event(Event::ChannelClosed { channel: 1, close: None });
    dialogue.no_event();
    assert_eq!(dialogue.connection.open_channel(), Ok(1));
}

#[test]
fn a_channel_that_we_close_says_nothing_more() {
    let mut dialogue = Dialogue::with_channels(1);
    dialogue.connection.close_channel(1).unwrap();
    dialogue.client_sends(on(1, our_close()));
    let header = ContentHeader { body_size: 4, properties: BasicProperties::default() };
    dialogue.broker_sends(on(1, channel::Flow { active: false }));
    dialogue.broker_sends(on(1, basic::Deliver::default()));
    dialogue.broker_sends(Frame::Header { channel: 1, header });
    dialogue.broker_sends(Frame::Body { channel: 1, payload: Bytes::from_static(b"body") });
    dialogue.broker_sends(on(1, basic::ConsumeOk::default()));
    dialogue.no_event();
    dialogue.client_is_silent();
    dialogue.broker_sends(on(1, channel::CloseOk {}));
    dialogue.event(Event::ChannelClosed { channel: 1, close: None });
}

#[test]
fn the_broker_pauses_our_content_and_lets_it_go_on() {
    let mut dialogue = Dialogue::with_channels(2);
    assert!(dialogue.connection.may_publish(1));

    dialogue.broker_sends(on(1, channel::Flow { active: false }));
    dialogue.client_sends(on(1, channel::FlowOk { active: false }));
    dialogue.event(Event::Flow { channel: 1, active: false });
    assert!(!dialogue.connection.may_publish(1));
    assert!(dialogue.connection.may_publish(2), "the other channel has not been paused");

    dialogue.broker_sends(on(1, channel::Flow { active: true }));
    dialogue.client_sends(on(1, channel::FlowOk { active: true }));
    dialogue.event(Event::Flow { channel: 1, active: true });
    assert!(dialogue.connection.may_publish(1));
}

#[test]
fn a_reopened_channel_has_not_been_paused() {
    let mut dialogue = Dialogue::with_channels(1);
    dialogue.broker_sends(on(1, channel::Flow { active: false }));
    dialogue.client_sends(on(1, channel::FlowOk { active: false }));
    dialogue.broker_sends(on(1, not_found()));
    dialogue.client_sends(on(1, channel::CloseOk {}));
    assert_eq!(dialogue.events().len(), 2);
    assert!(!dialogue.connection.may_publish(1));
    assert_eq!(dialogue.connection.open_channel(), Ok(1));
    assert!(!dialogue.connection.may_publish(1), "open-ok is awaited");
    dialogue.broker_sends(on(1, channel::OpenOk {}));
    assert!(dialogue.connection.may_publish(1));
}

#[test]
fn every_answer_of_a_broker_is_an_event() {
    let mut dialogue = Dialogue::with_channels(1);
    let answers: [Method; 14] = [
        queue::DeclareOk { queue: ShortStr::from_static("q"), ..Default::default() }.into(),
        queue::BindOk {}.into(),
        queue::PurgeOk { message_count: 3 }.into(),
        queue::DeleteOk { message_count: 4 }.into(),
        queue::UnbindOk {}.into(),
        basic::QosOk {}.into(),
        basic::ConsumeOk { consumer_tag: ShortStr::from_static("t") }.into(),
        basic::Cancel { consumer_tag: ShortStr::from_static("t"), nowait: true }.into(),
        basic::CancelOk { consumer_tag: ShortStr::from_static("t") }.into(),
        basic::GetEmpty {}.into(),
        basic::Ack { delivery_tag: 5, multiple: true }.into(),
        basic::Nack { delivery_tag: 6, multiple: false, requeue: true }.into(),
        basic::RecoverOk {}.into(),
        confirm::SelectOk {}.into(),
    ];
    for method in answers {
        dialogue.broker_sends(on(1, method.clone()));
        dialogue.event(Event::Method { channel: 1, method });
    }
    dialogue.no_event();
    dialogue.client_is_silent();
}

//! Messages that arrive out of order or larger than they may be.

use super::content::{body, content, deliver, header};
use super::*;

#[test]
fn a_method_within_a_message() {
    let methods: [Method; 3] =
        [basic::QosOk {}.into(), deliver("b").into(), channel::Flow { active: true }.into()];
    for method in methods {
        let mut dialogue = Dialogue::with_channels(1);
        dialogue.broker_sends(on(1, deliver("a")));
        dialogue.broker_sends(on(1, method.clone()));
        dialogue.ends_in_violation(
            ReplyCode::UNEXPECTED_FRAME,
            "a method where a content header was expected",
        );

        let mut dialogue = Dialogue::with_channels(1);
        dialogue.broker_sends(on(1, deliver("a")));
        dialogue.broker_sends(header(1, 5));
        dialogue.broker_sends(body(1, b"hell"));
        dialogue.broker_sends(on(1, method));
        dialogue.ends_in_violation(
            ReplyCode::UNEXPECTED_FRAME,
            "a method where a content body was expected",
        );
    }
}

#[test]
fn a_header_without_a_method() {
    let text = "a content header where none was expected";
    let mut dialogue = Dialogue::with_channels(1);
    dialogue.broker_sends(header(1, 5));
    dialogue.ends_in_violation(ReplyCode::UNEXPECTED_FRAME, text);

    let mut dialogue = Dialogue::with_channels(1);
    dialogue.broker_sends(on(1, deliver("a")));
    dialogue.broker_sends(header(1, 5));
    dialogue.broker_sends(header(1, 5));
    dialogue.ends_in_violation(ReplyCode::UNEXPECTED_FRAME, text);

    let mut opening = Dialogue::open();
    opening.connection.open_channel().unwrap();
    opening.client_sends(on(1, channel::Open {}));
    opening.broker_sends(header(1, 5));
    opening.ends_in_violation(ReplyCode::UNEXPECTED_FRAME, text);
}

#[test]
fn a_body_without_a_header() {
    let text = "a content body where none was expected";
    for payload in [&b""[..], b"hello"] {
        let mut dialogue = Dialogue::with_channels(1);
        dialogue.broker_sends(body(1, payload));
        dialogue.ends_in_violation(ReplyCode::UNEXPECTED_FRAME, text);

        let mut dialogue = Dialogue::with_channels(1);
        dialogue.broker_sends(on(1, deliver("a")));
        dialogue.broker_sends(body(1, payload));
        dialogue.ends_in_violation(ReplyCode::UNEXPECTED_FRAME, text);

        let mut dialogue = Dialogue::with_channels(1);
        dialogue.broker_sends(on(1, deliver("a")));
        dialogue.broker_sends(header(1, 0));
        dialogue.event(content(1, deliver("a"), ""));
        dialogue.broker_sends(body(1, payload));
        dialogue.ends_in_violation(ReplyCode::UNEXPECTED_FRAME, text);
    }
}

#[test]
fn a_body_longer_than_announced() {
    let mut dialogue = Dialogue::with_channels(1);
    dialogue.broker_sends(on(1, deliver("a")));
    dialogue.broker_sends(header(1, 5));
    dialogue.broker_sends(body(1, b"hel"));
    dialogue.broker_sends(body(1, b"lo!"));
    dialogue.ends_in_violation(
        ReplyCode::FRAME_ERROR,
        "a body frame of 3 octets where 2 were left of the body",
    );
}

#[test]
fn a_body_of_all_the_octets_there_are() {
    let config = Config { max_body_size: u64::MAX, ..Config::default() };
    let mut dialogue = Dialogue::open_with(config, dialogue::tune());
    dialogue.open_channel(1);
    dialogue.broker_sends(on(1, deliver("a")));
    dialogue.broker_sends(header(1, u64::MAX));
    dialogue.broker_sends(body(1, b"hello"));
    dialogue.no_event();
}

#[test]
fn a_body_frame_beyond_frame_max() {
    let tune = connection::Tune { frame_max: 4096, ..dialogue::tune() };
    let mut dialogue = Dialogue::open_with(Config::default(), tune);
    dialogue.open_channel(1);
    dialogue.broker_sends(on(1, deliver("a")));
    dialogue.broker_sends(header(1, 10_000));
    dialogue.broker_sends(Frame::Body { channel: 1, payload: Bytes::from_static(&[0; 4088]) });
    dialogue.client_is_silent();
    dialogue.broker_sends(Frame::Body { channel: 1, payload: Bytes::from_static(&[0; 4089]) });
    dialogue.ends_in_violation(
        ReplyCode::FRAME_ERROR,
        "frame, octet 3: a payload of 4089 octets is announced, the limit is 4088",
    );
}

//! The limits that both sides agree on.

use super::dialogue::tune;
use super::*;

/// Ours, the broker's, and what is agreed on.
#[track_caller]
fn assert_negotiated(ours: (u16, u32, u16), theirs: (u16, u32, u16), agreed: (u16, u32, u16)) {
    let config =
        Config { channel_max: ours.0, frame_max: ours.1, heartbeat: ours.2, ..Config::default() };
    let tune = connection::Tune { channel_max: theirs.0, frame_max: theirs.1, heartbeat: theirs.2 };
    let (dialogue, tune_ok) = Dialogue::tuned(config, tune);
    let connection::TuneOk { channel_max, frame_max, heartbeat } = tune_ok;
    assert_eq!((channel_max, frame_max, heartbeat), agreed);
    assert_eq!(dialogue.connection.channel_max(), channel_max);
    assert_eq!(dialogue.connection.frame_max(), frame_max);
}

#[test]
fn the_smaller_limit_wins() {
    assert_negotiated((7, 8192, 5), (2047, 131_072, 60), (7, 8192, 5));
    assert_negotiated((2047, 131_072, 60), (7, 8192, 5), (7, 8192, 5));
    assert_negotiated((7, 131_072, 5), (2047, 8192, 60), (7, 8192, 5));
    assert_negotiated((65535, u32::MAX, 65535), (65535, u32::MAX, 65535), (65535, u32::MAX, 65535));
}

#[test]
fn zero_takes_the_other_sides_wish() {
    assert_negotiated((0, 0, 0), (2047, 131_072, 60), (2047, 131_072, 60));
    assert_negotiated((7, 8192, 5), (0, 0, 0), (7, 8192, 5));
    assert_negotiated((0, 8192, 0), (7, 0, 5), (7, 8192, 5));
}

#[test]
fn without_any_limit_the_defaults_hold_and_no_heartbeat() {
    assert_negotiated((0, 0, 0), (0, 0, 0), (2047, 131_072, 0));
}

#[test]
fn a_frame_max_below_4096_is_refused_and_4096_is_not() {
    assert_negotiated((2047, 131_072, 60), (2047, 4096, 60), (2047, 4096, 60));

    let mut dialogue = Dialogue::logged_in(Config::default());
    dialogue.broker_sends(on(0, connection::Tune { frame_max: 4095, ..tune() }));
    dialogue.ends(Err(ConnectionError::FrameMaxTooSmall { frame_max: 4095 }));

    let mut dialogue = Dialogue::logged_in(Config::default());
    dialogue.broker_sends(on(0, connection::Tune { frame_max: 1, ..tune() }));
    dialogue.ends_with_text(
        "the smaller frame-max of both sides is 1 octets; AMQP asks for 4096 or more",
    );
}

#[test]
fn the_broker_refuses_what_was_agreed_on() {
    let (mut dialogue, _) = Dialogue::tuned(Config::default(), tune());
    dialogue.broker_sends(on(
        0,
        connection::Close {
            reply_code: ReplyCode::NOT_ALLOWED,
            reply_text: ShortStr::from_static("NOT_ALLOWED - negotiated frame_max = 4096 is lower"),
            class_id: 10,
            method_id: 30,
        },
    ));
    dialogue.client_sends(on(0, connection::CloseOk {}));
    dialogue.ends(Err(ConnectionError::ClosedByPeer {
        code: ReplyCode::NOT_ALLOWED,
        text: "NOT_ALLOWED - negotiated frame_max = 4096 is lower".to_owned(),
        class_id: 10,
        method_id: 30,
    }));
}

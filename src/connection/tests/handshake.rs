//! From the protocol header to open-ok, and the ways to fail on that way.

use super::dialogue::{start, tune};
use super::*;

#[test]
fn the_handshake_from_beginning_to_end() {
    let config = Config { virtual_host: ShortStr::from_static("orders"), ..Config::default() };
    let mut dialogue = Dialogue::new(config);
    dialogue.client_is_silent();

    dialogue.broker_sends(on(0, start()));
    let Frame::Method { channel: 0, method: Method::ConnectionStartOk(_) } = dialogue.sent() else {
        panic!("start-ok");
    };
    dialogue.client_is_silent();

    dialogue.broker_sends(on(0, tune()));
    let tune_ok = connection::TuneOk { channel_max: 2047, frame_max: 131_072, heartbeat: 60 };
    dialogue.client_sends(on(0, tune_ok));
    // Tune-ok has no answer, so open is not held back.
    dialogue
        .client_sends(on(0, connection::Open { virtual_host: ShortStr::from_static("orders") }));
    dialogue.client_is_silent();
    dialogue.no_event();

    dialogue.broker_sends(on(0, connection::OpenOk {}));
    dialogue.event(Event::Opened);
    dialogue.no_event();
    dialogue.client_is_silent();
    assert!(!dialogue.connection.is_finished());
}

#[test]
fn what_the_broker_says_of_itself_is_kept() {
    let mut capabilities = FieldTable::new();
    capabilities.insert("direct_reply_to", true).unwrap();
    capabilities.insert("basic.nack", false).unwrap();
    let mut server_properties = FieldTable::new();
    server_properties.insert("product", "RabbitMQ").unwrap();
    server_properties.insert("capabilities", capabilities).unwrap();

    let mut dialogue = Dialogue::new(Config::default());
    assert!(!dialogue.connection.server_can("direct_reply_to"));
    let start = connection::Start { server_properties: server_properties.clone(), ..start() };
    dialogue.broker_sends(on(0, start));
    assert_eq!(*dialogue.connection.server_properties(), server_properties);
    assert!(dialogue.connection.server_can("direct_reply_to"));
    assert!(!dialogue.connection.server_can("basic.nack"));
    assert!(!dialogue.connection.server_can("product"));
}

#[test]
fn commands_wait_for_open_ok() {
    let (mut dialogue, _) = Dialogue::tuned(Config::default(), tune());
    assert_eq!(dialogue.connection.open_channel(), Err(Misuse::NotOpen));
    let update = dialogue.connection.update_secret(Secret::default(), ShortStr::EMPTY);
    assert_eq!(update, Err(Misuse::NotOpen));
    dialogue.client_is_silent();
}

// ---------------------------------------------------------------------- virtual host

#[test]
fn the_virtual_host_is_refused() {
    let (mut dialogue, _) = Dialogue::tuned(Config::default(), tune());
    dialogue.broker_sends(on(
        0,
        connection::Close {
            reply_code: ReplyCode::NOT_ALLOWED,
            reply_text: ShortStr::from_static("NOT_ALLOWED - vhost / not found"),
            class_id: 10,
            method_id: 40,
        },
    ));
    dialogue.client_sends(on(0, connection::CloseOk {}));
    dialogue.ends_with_text(
        "the broker refused the virtual host \"/\": NOT_ALLOWED - vhost / not found",
    );
}

// ---------------------------------------------------------------------- the broker goes silent

/// A dialogue at each point where the broker's answer is awaited, with the words for it.
fn stages() -> [(Dialogue, &'static str); 3] {
    [
        (Dialogue::new(Config::default()), "before its greeting (connection.start)"),
        (Dialogue::logged_in(Config::default()), "after the login (connection.start-ok)"),
        (
            Dialogue::tuned(
                Config { heartbeat: 0, ..Config::default() },
                connection::Tune { heartbeat: 0, ..tune() },
            )
            .0,
            "while the virtual host was opened (connection.open)",
        ),
    ]
}

#[test]
fn the_handshake_takes_too_long() {
    for (mut dialogue, stage) in stages() {
        dialogue.advance(Duration::from_millis(9_999));
        dialogue.no_event();
        dialogue.client_is_silent();
        dialogue.advance(Duration::from_millis(1));
        dialogue.ends_with_text(&format!(
            "the broker did not finish the handshake in time: it was silent {stage}"
        ));
    }
}

#[test]
fn the_time_for_the_handshake_is_one_for_all_of_it() {
    let config = Config { handshake_timeout: seconds(3), ..Config::default() };
    let mut dialogue = Dialogue::new(config);
    dialogue.advance(seconds(1));
    dialogue.broker_sends(on(0, start()));
    dialogue.sent();
    dialogue.advance(seconds(1));
    dialogue.broker_sends(on(0, tune()));
    dialogue.sent();
    dialogue.sent();
    dialogue.advance(seconds(1));
    dialogue.ends_with_text(
        "the broker did not finish the handshake in time: it was silent while the virtual host \
         was opened (connection.open)",
    );
}

#[test]
fn after_the_handshake_its_time_is_over_without_harm() {
    let mut dialogue = Dialogue::open_with(
        Config { heartbeat: 0, ..Config::default() },
        connection::Tune { heartbeat: 0, ..tune() },
    );
    assert_eq!(dialogue.connection.poll_timeout(), None);
    dialogue.advance(seconds(1000));
    dialogue.no_event();
}

#[test]
fn the_broker_closes_the_socket_without_a_word() {
    for (mut dialogue, stage) in stages() {
        dialogue.broker_closes_the_socket();
        let cause = match stage.split(' ').next() {
            Some("before") => ": it is probably no AMQP 0-9-1 broker",
            Some("after") => ": the credentials are probably wrong",
            _ => "",
        };
        let text = format!("the peer closed the connection without a word {stage}{cause}");
        dialogue.ends_with_text(&text);
    }
}

#[test]
fn the_socket_fails_during_the_handshake() {
    for (mut dialogue, stage) in stages() {
        dialogue.the_socket_fails("connection reset by peer");
        dialogue.ends(Err(ConnectionError::SilentClose { stage }));
    }
}

/// As TLS does, which tells late that the peer refuses our certificate.
#[test]
fn the_transport_knows_why_it_ends() {
    for (mut dialogue, _) in stages() {
        dialogue.connection.handle_transport_refusal("no certificate".to_owned());
        dialogue.ends_with_text("no certificate");
    }
    let mut dialogue = Dialogue::open();
    dialogue.connection.handle_transport_refusal("no certificate".to_owned());
    dialogue.ends_with_text("the connection was lost: no certificate");
}

#[test]
fn the_socket_ends_within_a_frame() {
    for (mut dialogue, stage) in stages() {
        dialogue.broker_sends_octets(b"\x01\x00\x00\x00");
        dialogue.broker_closes_the_socket();
        dialogue.ends(Err(ConnectionError::SilentClose { stage }));
    }
}

#[test]
fn the_user_gives_up_during_the_handshake() {
    for (mut dialogue, _) in stages() {
        dialogue.close();
        dialogue.ends(Ok(()));
    }
}

// ---------------------------------------------------------------------- the broker is confused

#[test]
fn methods_of_another_moment() {
    let at_the_wrong_moment = "at the wrong moment or from the wrong side";
    for (mut dialogue, _) in stages() {
        dialogue.broker_sends(on(0, connection::UpdateSecretOk {}));
        let text = format!("connection.update-secret-ok {at_the_wrong_moment}");
        dialogue.ends_in_violation(ReplyCode::COMMAND_INVALID, &text);
    }
    let [(mut greeting, _), (mut login, _), (mut opening, _)] = stages();
    greeting.broker_sends(on(0, tune()));
    let text = format!("connection.tune {at_the_wrong_moment}");
    greeting.ends_in_violation(ReplyCode::COMMAND_INVALID, &text);

    login.broker_sends(on(0, start()));
    let text = format!("connection.start {at_the_wrong_moment}");
    login.ends_in_violation(ReplyCode::COMMAND_INVALID, &text);

    opening.broker_sends(on(0, connection::Secure::default()));
    let text = format!("connection.secure {at_the_wrong_moment}");
    opening.ends_in_violation(ReplyCode::COMMAND_INVALID, &text);
}

#[test]
fn frames_on_channels_before_there_are_any() {
    for (mut dialogue, _) in stages() {
        dialogue.broker_sends(on(1, channel::OpenOk {}));
        dialogue.ends_in_violation(
            ReplyCode::UNEXPECTED_FRAME,
            "a frame on channel 1 during the handshake",
        );
    }
}

#[test]
fn another_version_in_start() {
    let mut dialogue = Dialogue::new(Config::default());
    dialogue
        .broker_sends(on(0, connection::Start { version_major: 8, version_minor: 0, ..start() }));
    dialogue.ends_in_violation(
        ReplyCode::NOT_IMPLEMENTED,
        "connection.start of AMQP 8-0 instead of 0-9",
    );
}

#[test]
fn heartbeats_during_the_handshake_are_harmless() {
    let mut dialogue = Dialogue::new(Config::default());
    dialogue.broker_sends(Frame::Heartbeat);
    dialogue.client_is_silent();
    dialogue.broker_sends(on(0, start()));
    dialogue.sent();
    dialogue.broker_sends(Frame::Heartbeat);
    dialogue.no_event();
    dialogue.client_is_silent();
}

//! What the broker says is told, without the secrets that it repeats.

use super::dialogue::{start, tune};
use super::*;

fn plain(username: &'static str, password: &'static str) -> Credentials {
    let username = LongStr::from_static(username);
    Credentials::Plain { username, password: Secret(LongStr::from_static(password)) }
}

/// The text of the error when the broker ends the connection with these words.
fn told(dialogue: &mut Dialogue, words: &'static str) -> String {
    let reply_text = ShortStr::from_static(words);
    let close = connection::Close { reply_text, ..connection::Close::default() };
    dialogue.broker_sends(on(0, close));
    match dialogue.connection.poll_event() {
        Some(Event::Closed(Err(ConnectionError::ClosedByPeer { text, .. }))) => text,
        other => panic!("the end is expected, not {other:?}"),
    }
}

#[track_caller]
fn is_told(credentials: Credentials, words: &'static str, shown: &str) {
    let config = Config { credentials, ..Config::default() };
    assert_eq!(told(&mut Dialogue::open_with(config, tune()), words), shown);
}

#[test]
fn a_password_that_the_broker_repeats() {
    let words = "not with xyzzy, nor with alice:xyzzy";
    is_told(plain("alice", "xyzzy"), words, "not with ***, nor with alice:***");
    let (username, password) = (LongStr::from_static("alice"), LongStr::from_static("xyzzy"));
    let amqplain = Credentials::AmqPlain { username, password: Secret(password) };
    is_told(amqplain, words, "not with ***, nor with alice:***");
}

#[test]
fn nothing_is_taken_out_for_a_password_that_is_none() {
    let words = "access to vhost '/' refused for user 'guest'";
    is_told(plain("guest", "guest"), words, words);
    is_told(plain("guest", ""), words, words);
    // Whoever logs in so has no password.
    let config = Config { credentials: Credentials::External, ..Config::default() };
    let mut dialogue = Dialogue::new(config);
    let mechanisms = LongStr::from_static("EXTERNAL");
    dialogue.broker_sends(on(0, connection::Start { mechanisms, ..start() }));
    assert!(matches!(
        dialogue.sent(),
        Frame::Method { channel: 0, method: Method::ConnectionStartOk(_) }
    ));
    assert_eq!(told(&mut dialogue, words), words);
}

#[test]
fn a_secret_that_has_been_renewed() {
    let config = Config { credentials: plain("alice", "xyzzy"), ..Config::default() };
    let mut dialogue = Dialogue::open_with(config, tune());
    let new_secret = Secret(LongStr::from_static("plugh"));
    dialogue.connection.update_secret(new_secret, ShortStr::EMPTY).unwrap();
    assert!(!format!("{:?}", dialogue.connection).contains("plugh"), "while it waits to be sent");
    assert_eq!(told(&mut dialogue, "neither xyzzy nor plugh"), "neither *** nor ***");
}

/// The words of octets that are not even UTF-8 are told as far as they are text.
#[test]
fn a_password_that_is_no_text() {
    let octets = LongStr::new(&b"\xff\xfexyzzy"[..]).unwrap();
    let username = LongStr::from_static("alice");
    let credentials = Credentials::Plain { username, password: Secret(octets.clone()) };
    let config = Config { credentials, ..Config::default() };
    let mut dialogue = Dialogue::open_with(config, tune());
    let reply_text = ShortStr::new([b"no ", octets.as_bytes()].concat()).unwrap();
    let close = connection::Close { reply_text, ..connection::Close::default() };
    dialogue.broker_sends(on(0, close));
    dialogue.client_sends(on(0, connection::CloseOk {}));
    dialogue.ends_with_text("the broker closed the connection: 0 no ***");
}

#[test]
fn a_secret_too_long_to_be_renewed() {
    let mut dialogue = Dialogue::open();
    let secret = "xyzzy".repeat(100_000);
    let new_secret = Secret(LongStr::try_from(&*secret).unwrap());
    let misuse = dialogue.connection.update_secret(new_secret, ShortStr::EMPTY).unwrap_err();
    assert_eq!(misuse, Misuse::FrameTooLarge { size: 500_017, frame_max: 131_072 });
    assert!(!format!("{misuse} {misuse:?}").contains("xyzzy"));
    // It was not sent, and is nothing to be looked for.
    assert_eq!(dialogue.connection.quote("xyzzy"), "xyzzy");
}

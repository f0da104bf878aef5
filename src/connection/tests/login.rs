//! What we say of ourselves in start-ok, and how we log in.

use super::dialogue::start;
use super::*;

/// Greets a client of this configuration and returns what it answers.
fn start_ok(config: Config) -> connection::StartOk {
    let mut dialogue = Dialogue::new(config);
    let mechanisms = LongStr::from_static("AMQPLAIN PLAIN EXTERNAL");
    dialogue.broker_sends(on(0, connection::Start { mechanisms, ..start() }));
    match dialogue.sent() {
        Frame::Method { channel: 0, method: Method::ConnectionStartOk(start_ok) } => start_ok,
        other => panic!("start-ok is expected, not {other:?}"),
    }
}

fn with(credentials: Credentials) -> Config {
    Config { credentials, ..Config::default() }
}

fn alice() -> (LongStr, Secret) {
    (LongStr::from_static("alice"), Secret(LongStr::from_static("p\u{e9}")))
}

#[test]
fn we_introduce_ourselves() {
    let connection_name = Some(LongStr::from_static("orders, hôst 7"));
    let start_ok = start_ok(Config { connection_name, ..Config::default() });

    let mut capabilities = FieldTable::new();
    for name in [
        "publisher_confirms",
        "exchange_exchange_bindings",
        "basic.nack",
        "consumer_cancel_notify",
        "connection.blocked",
        "authentication_failure_close",
    ] {
        capabilities.insert(name, true).unwrap();
    }
    let mut expected = FieldTable::new();
    expected.insert("product", "leveret").unwrap();
    expected.insert("version", env!("CARGO_PKG_VERSION")).unwrap();
    expected.insert("platform", "Rust").unwrap();
    expected.insert("capabilities", capabilities).unwrap();
    expected.insert("connection_name", "orders, hôst 7").unwrap();
    assert_eq!(start_ok.client_properties, expected);
    assert_eq!(start_ok.locale, "en_US");
}

#[test]
fn a_connection_without_a_name_has_none() {
    assert_eq!(start_ok(Config::default()).client_properties.get("connection_name"), None);
}

/// A start-ok beyond the broker's first frame limit of 4096 octets would fail without a word.
#[test]
fn a_connection_name_is_cut_between_characters() {
    let name = LongStr::try_from("é".repeat(3000)).unwrap();
    let start_ok = start_ok(Config { connection_name: Some(name), ..Config::default() });
    let shown = start_ok.client_properties.get("connection_name");
    assert_eq!(shown, Some(FieldValue::LongStr(LongStr::try_from("é".repeat(512)).unwrap())));

    let name = LongStr::try_from(format!("x{}", "é".repeat(3000))).unwrap();
    let start_ok = self::start_ok(Config { connection_name: Some(name), ..Config::default() });
    let shown = start_ok.client_properties.get("connection_name").unwrap();
    assert_eq!(shown.as_str(), Some(format!("x{}", "é".repeat(511)).as_str()));
}

#[test]
fn plain() {
    let start_ok = start_ok(Config::default());
    assert_eq!(start_ok.mechanism, "PLAIN");
    assert_eq!(start_ok.response.0.as_bytes(), b"\0guest\0guest");

    let (username, password) = alice();
    let start_ok = self::start_ok(with(Credentials::Plain { username, password }));
    assert_eq!(start_ok.response.0.as_bytes(), b"\0alice\0p\xc3\xa9");
}

#[test]
fn amqplain() {
    let (username, password) = alice();
    let start_ok = start_ok(with(Credentials::AmqPlain { username, password }));
    assert_eq!(start_ok.mechanism, "AMQPLAIN");
    assert_eq!(
        start_ok.response.0.as_bytes(),
        b"\x05LOGINS\0\0\0\x05alice\x08PASSWORDS\0\0\0\x03p\xc3\xa9"
    );
}

#[test]
fn external() {
    let start_ok = start_ok(with(Credentials::External));
    assert_eq!(start_ok.mechanism, "EXTERNAL");
    assert_eq!(start_ok.response.0.as_bytes(), b"");
}

#[test]
fn a_mechanism_that_the_broker_does_not_offer() {
    let mut dialogue = Dialogue::new(with(Credentials::External));
    dialogue.broker_sends(on(0, start()));
    dialogue.ends_with_text(
        "the broker offers the login mechanisms \"AMQPLAIN PLAIN ANONYMOUS\", and not EXTERNAL",
    );
}

#[test]
fn a_broker_that_offers_more_mechanisms_than_anybody_reads() {
    let mut dialogue = Dialogue::new(Config::default());
    let mechanisms = LongStr::try_from("X".repeat(100_000)).unwrap();
    dialogue.broker_sends(on(0, connection::Start { mechanisms, ..start() }));
    let offered = "X".repeat(255);
    dialogue.ends(Err(ConnectionError::NoMechanism { wanted: "PLAIN", offered }));
}

#[test]
fn a_mechanism_is_a_whole_word() {
    let mut dialogue = Dialogue::new(Config::default());
    let mechanisms = LongStr::from_static("AMQPLAIN PLAINER");
    dialogue.broker_sends(on(0, connection::Start { mechanisms, ..start() }));
    dialogue.ends(Err(ConnectionError::NoMechanism {
        wanted: "PLAIN",
        offered: "AMQPLAIN PLAINER".to_owned(),
    }));
}

#[test]
fn a_challenge_gets_the_same_response_once() {
    let mut dialogue = Dialogue::logged_in(Config::default());
    let challenge = LongStr::from_static("who?");
    dialogue.broker_sends(on(0, connection::Secure { challenge: challenge.clone() }));
    let response = Secret(LongStr::from_static("\0guest\0guest"));
    dialogue.client_sends(on(0, connection::SecureOk { response }));
    dialogue.no_event();

    dialogue.broker_sends(on(0, connection::Secure { challenge }));
    let text = "connection.secure at the wrong moment or from the wrong side";
    dialogue.ends_in_violation(ReplyCode::COMMAND_INVALID, text);
}

fn refusal() -> connection::Close {
    connection::Close {
        reply_code: ReplyCode::ACCESS_REFUSED,
        reply_text: ShortStr::from_static("ACCESS_REFUSED - Login was refused"),
        class_id: 0,
        method_id: 0,
    }
}

#[test]
fn a_login_that_the_broker_refuses() {
    let mut dialogue = Dialogue::logged_in(Config::default());
    dialogue.broker_sends(on(0, refusal()));
    dialogue.client_sends(on(0, connection::CloseOk {}));
    dialogue.ends_with_text(
        "the broker refused the login of this user: ACCESS_REFUSED - Login was refused",
    );
}

#[test]
fn the_same_code_at_another_time_is_no_refused_login() {
    let mut dialogue = Dialogue::open();
    dialogue.broker_sends(on(0, refusal()));
    dialogue.client_sends(on(0, connection::CloseOk {}));
    dialogue
        .ends_with_text("the broker closed the connection: 403 ACCESS_REFUSED - Login was refused");
}

#[test]
fn credentials_do_not_show() {
    let password = Secret(LongStr::from_static("xyzzy"));
    let username = LongStr::from_static("alice");
    for credentials in [
        Credentials::Plain { username: username.clone(), password: password.clone() },
        Credentials::AmqPlain { username, password },
    ] {
        let start_ok = start_ok(with(credentials.clone()));
        let shown = format!("{credentials:?} {start_ok:?}");
        assert!(!shown.contains("xyzzy"), "{shown}");
    }
}

#[test]
fn a_connection_that_waits_to_send_does_not_show_its_password() {
    let password = Secret(LongStr::from_static("xyzzy"));
    let username = LongStr::from_static("alice");
    let config = with(Credentials::Plain { username, password });
    let mut connection = Connection::new(config, Instant::default());
    let mut input = BytesMut::new();
    on(0, start()).encode(&mut input);
    connection.handle_input(Instant::default(), &mut input);
    assert!(connection.transmit_len() > 8, "start-ok waits");
    assert!(!format!("{connection:?}").contains("xyzzy"), "{connection:?}");
}

//! Whatever is in a password, and wherever that makes the parts of a URI fall: it does not show.

use super::*;

/// The pieces of a password around the characters that could tear it apart.
const PIECES: [&str; 2] = ["xyzzy", "PLUGH"];
const USER: &str = "plover";

/// Everything that a program could print of a parsed or refused URI.
fn shown(text: &str) -> String {
    match text.parse::<Uri>() {
        Ok(uri) => format!("{uri} {uri:?} {uri:#?}"),
        Err(error) => format!("{error} {error:?} {error:#?}"),
    }
}

/// Shapes of URIs that hold the password PASSWORD, right and wrong ones.
const SHAPES: [&str; 12] = [
    "amqp://plover:PASSWORD@host",
    "amqps://plover:PASSWORD@host:5672/vhost?heartbeat=5",
    "amqp://plover:PASSWORD@[::1]:5672/vhost",
    "amqp://plover:PASSWORD@",
    "amqp://:PASSWORD@host",
    "amqp://plover:PASSWORD@host:port",
    "amqp://plover:PASSWORD@host/a/b",
    "amqp://plover:PASSWORD@host?unknown=1",
    "amqp://plover:PASSWORD@host?password=PASSWORD&heartbeat=PASSWORD",
    "amqp://plover:PASSWORD@host#fragment",
    "http://plover:PASSWORD@host",
    "plover:PASSWORD@host",
];

#[track_caller]
fn assert_hidden(shape: &str, password: &str) {
    let text = shape.replace("PASSWORD", password);
    let shown = shown(&text);
    for piece in PIECES {
        assert!(!shown.contains(piece), "{text} shows as {shown}");
    }
    if text.parse::<Uri>().is_err() {
        assert!(!shown.contains(USER), "{text} shows its user: {shown}");
    }
}

#[test]
fn a_password_with_any_two_characters_in_it() {
    let characters = || (0..=0x7f_u8).map(char::from).chain(['é', '€']);
    let [first, second] = PIECES;
    for shape in SHAPES {
        for one in characters() {
            for other in characters() {
                assert_hidden(shape, &format!("{first}{one}{other}{second}"));
            }
        }
    }
}

#[test]
fn a_password_torn_apart_in_two_places() {
    let torn = ["@", ":", "/", "#", "?", "%", "[", "]", "://", "@:", "%zz", "%00", "%ff", "&", "="];
    let [first, second] = PIECES;
    for shape in SHAPES {
        for one in torn {
            for other in torn {
                assert_hidden(shape, &format!("{first}{one}{second}{other}{first}"));
                // A number, so that it passes for a port.
                assert_hidden(shape, &format!("5672{one}{second}{other}"));
            }
        }
    }
}

/// With the host forgotten, the user stands in its place and the password in that of the port.
#[test]
fn a_password_in_the_place_of_the_port() {
    for text in ["amqp://plover:xyzzy", "amqp://plover:xyzzy/vhost", "amqp://plover:xyzzy:5672"] {
        let shown = shown(text);
        assert!(!shown.contains("xyzzy") && !shown.contains(USER), "{text} shows as {shown}");
    }
}

/// So that the tests above can fail: the password is where they look for it.
#[test]
fn a_right_password_is_kept() {
    let uri = parse("amqp://plover:xyzzy%40PLUGH@host");
    assert_eq!(*uri.password(), secret("xyzzy@PLUGH"));
    assert_eq!(
        format!("{uri:?}"),
        "Uri { is_tls: false, username: \"plover\", password: Secret(***), addresses: \
         [Address { host: \"host\", port: 5672 }], virtual_host: \"/\", query: Query { heartbeat: \
         None, connection_timeout: None, channel_max: None, frame_max: None, auth_mechanism: None, \
         ca_certificate_file: None, certificate_file: None, key_file: None, server_name: None } }"
    );
}

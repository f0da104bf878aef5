//! Every example of the specification, every error with its text, and passwords that try to show.

use super::*;

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use leveret_codec::LongStr;

fn parse(text: &str) -> Uri {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn secret(text: &'static str) -> Secret {
    Secret(LongStr::from_static(text))
}

/// Of the only address.
fn host_and_port(uri: &Uri) -> (&str, u16) {
    let [address] = uri.addresses() else { panic!("{uri} has several addresses") };
    (address.host(), address.port())
}

#[track_caller]
fn assert_refused(text: &str, expected: &str) {
    match text.parse::<Uri>() {
        Ok(uri) => panic!("{text} is taken for {uri}"),
        Err(error) => assert_eq!(error.to_string(), expected, "{text}"),
    }
}

/// Appendix A of the specification, in its order. Its absent parts are our defaults here.
#[test]
fn the_examples_of_the_specification() {
    #[rustfmt::skip]
    let examples = [
        ("amqp://user:pass@host:10000/vhost", "user", "pass", "host", 10000, "vhost"),
        ("amqp://user%61:%61pass@ho%61st:10000/v%2fhost", "usera", "apass", "hoast", 10000, "v/host"),
        ("amqp://", "guest", "guest", "localhost", 5672, "/"),
        ("amqp://:@/", "", "", "localhost", 5672, ""),
        ("amqp://user@", "user", "", "localhost", 5672, "/"),
        ("amqp://user:pass@", "user", "pass", "localhost", 5672, "/"),
        ("amqp://host", "guest", "guest", "host", 5672, "/"),
        ("amqp://:10000", "guest", "guest", "localhost", 10000, "/"),
        ("amqp:///vhost", "guest", "guest", "localhost", 5672, "vhost"),
        ("amqp://host/", "guest", "guest", "host", 5672, ""),
        ("amqp://host/%2f", "guest", "guest", "host", 5672, "/"),
        ("amqp://[::1]", "guest", "guest", "::1", 5672, "/"),
    ];
    for (text, username, password, host, port, virtual_host) in examples {
        let uri = parse(text);
        assert_eq!(uri.username(), username, "{text}");
        assert_eq!(*uri.password(), secret(password), "{text}");
        assert_eq!(host_and_port(&uri), (host, port), "{text}");
        assert_eq!(uri.virtual_host(), virtual_host, "{text}");
        assert!(!uri.is_tls(), "{text}");
    }
}

#[test]
fn amqps_differs_in_its_port_only() {
    let uri = parse("amqps://user:pass@host/vhost");
    assert!(uri.is_tls());
    assert_eq!(host_and_port(&uri), ("host", 5671));
    assert_eq!(host_and_port(&parse("amqps://host:5672")), ("host", 5672));
    let plain = parse("amqp://user:pass@host:5671/vhost");
    assert_eq!(uri, Uri { is_tls: true, ..plain });
}

#[test]
fn the_scheme_is_taken_in_any_case() {
    assert!(parse("AMQPS://host").is_tls());
    assert_eq!(parse("Amqp://host"), parse("amqp://host"));
}

#[test]
fn percent_encoding_is_taken_in_any_case_and_decodes_to_utf8() {
    let uri = parse("amqp://J%C3%bcrgen:%e2%82%AC%40%2F%3a%23%3F%25@h%6Fst/%C3%A9+x");
    assert_eq!(uri.username(), "Jürgen");
    assert_eq!(*uri.password(), secret("€@/:#?%"));
    assert_eq!(host_and_port(&uri).0, "host");
    assert_eq!(uri.virtual_host(), "é+x", "a + is no space");
}

#[test]
fn unencoded_characters_beyond_ascii_stand_for_themselves() {
    let uri = parse("amqp://Jürgen:€@hôst/é");
    assert_eq!((uri.username(), host_and_port(&uri).0), ("Jürgen", "hôst"));
    assert_eq!(*uri.password(), secret("€"));
    assert_eq!(uri.virtual_host(), "é");
}

#[test]
fn ports_from_1_to_65535() {
    for (text, port) in [
        ("amqp://host:1", 1),
        ("amqp://host:65535", 65535),
        ("amqp://host:05672", 5672),
        // RFC 3986 has no digits mean the default.
        ("amqp://host:", 5672),
        ("amqp://[::1]:", 5672),
    ] {
        assert_eq!(host_and_port(&parse(text)).1, port, "{text}");
    }
}

#[test]
fn ipv6_hosts_lose_their_brackets_and_keep_their_zone() {
    let uri = parse("amqp://user@[2001:db8::7]:5673/");
    assert_eq!(host_and_port(&uri), ("2001:db8::7", 5673));
    assert_eq!(host_and_port(&parse("amqp://[fe80::1%25eth0]")).0, "fe80::1%eth0");
}

#[test]
fn several_addresses_share_the_rest() {
    let uri = parse("amqps://user:pass@one,two:5672,[::1],t%2cee:1/vhost?heartbeat=5");
    let addresses: Vec<_> = uri.addresses().iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["one:5671", "two:5672", "[::1]:5671", "t,ee:1"]);
    assert_eq!((uri.username(), uri.heartbeat()), ("user", Some(5)));
    let printed = "amqps://user:***@one:5671,two:5672,[::1]:5671,t%2cee:1/vhost?heartbeat=5";
    assert_eq!(uri.to_string(), printed);
}

#[test]
fn the_query_is_read() {
    let uri = parse(
        "amqp://host?heartbeat=5&connection_timeout=10000&channel_max=0&frame_max=131072\
         &auth_mechanism=PLAIN",
    );
    assert_eq!(uri.heartbeat(), Some(5));
    assert_eq!(uri.connection_timeout(), Some(Duration::from_secs(10)));
    assert_eq!(uri.channel_max(), Some(0));
    assert_eq!(uri.frame_max(), Some(131_072));
    assert_eq!(uri.auth_mechanism(), Some(AuthMechanism::Plain));
    assert_eq!(uri.virtual_host(), "/", "a query is no path");
}

#[test]
fn the_query_says_how_tls_is_done() {
    let uri = parse(
        "amqps://host?cacertfile=/etc/my%20ca.pem&certfile=C:%5cguest.pem&keyfile=key\
         &server_name_indication=rabbit.example&verify=verify_peer&auth_mechanism=external",
    );
    assert_eq!(uri.ca_certificate_file(), Some("/etc/my ca.pem"));
    assert_eq!(uri.certificate_file(), Some("C:\\guest.pem"));
    assert_eq!(uri.key_file(), Some("key"));
    assert_eq!(uri.server_name(), Some("rabbit.example"));
    assert_eq!(uri.auth_mechanism(), Some(AuthMechanism::External));
    let uri = parse("amqps://host?certfile=both.pem");
    assert_eq!((uri.certificate_file(), uri.key_file()), (Some("both.pem"), None));
}

#[test]
fn an_empty_query_says_nothing() {
    for text in ["amqp://host", "amqp://host?", "amqp://host?&"] {
        assert_eq!(parse(text).query, Query::default(), "{text}");
    }
}

#[test]
fn names_and_values_in_the_query_are_percent_decoded() {
    assert_eq!(parse("amqp://host?heart%62eat=%35").heartbeat(), Some(5));
}

#[test]
fn the_limits_of_the_querys_numbers() {
    let uri = parse("amqp://?heartbeat=65535&connection_timeout=1&channel_max=65535&frame_max=0");
    assert_eq!(uri.heartbeat(), Some(65535));
    assert_eq!(uri.connection_timeout(), Some(Duration::from_millis(1)));
    assert_eq!(uri.channel_max(), Some(65535));
    assert_eq!(uri.frame_max(), Some(0));
    let uri = parse("amqp://?connection_timeout=4294967295&frame_max=4096&heartbeat=0");
    assert_eq!(uri.connection_timeout(), Some(Duration::from_millis(4_294_967_295)));
    assert_eq!(uri.frame_max(), Some(4096));
    assert_eq!(uri.heartbeat(), Some(0));
}

#[test]
fn the_first_mechanism_that_we_know_counts() {
    let mechanism = |query: &str| parse(&format!("amqp://host?{query}")).auth_mechanism();
    assert_eq!(mechanism("auth_mechanism=AmqPlain"), Some(AuthMechanism::AmqPlain));
    assert_eq!(mechanism("auth_mechanism=EXTERNAL"), Some(AuthMechanism::External));
    assert_eq!(
        mechanism("auth_mechanism=crdemo&auth_mechanism=external&auth_mechanism=plain"),
        Some(AuthMechanism::External)
    );
}

#[test]
fn anything_that_becomes_a_uri_is_taken_and_a_uri_too() {
    fn host(uri: impl TryInto<Uri, Error: Into<UriError>>) -> Result<String, UriError> {
        uri.try_into().map(|uri| uri.addresses[0].host.clone()).map_err(Into::into)
    }
    assert_eq!(host("amqp://a"), Ok("a".to_string()));
    assert_eq!(host("amqp://b".to_string()), Ok("b".to_string()));
    let borrowed = "amqp://c".to_string();
    assert_eq!(host(&borrowed), Ok("c".to_string()));
    assert_eq!(host(parse("amqp://d")), Ok("d".to_string()));
    assert_eq!(host("e"), Err(UriError::MissingScheme));
}

#[test]
fn display_says_everything_but_the_password() {
    for (text, shown) in [
        ("amqp://", "amqp://guest:***@localhost:5672/%2f"),
        ("AMQPS://user@host/", "amqps://user:***@host:5671/"),
        ("amqp://%40:x@[fe80::1%25eth0]/a%2fb", "amqp://%40:***@[fe80::1%25eth0]:5672/a%2fb"),
        ("amqp://hôst/a b".replace(' ', "%20").as_str(), "amqp://guest:***@h%c3%b4st:5672/a%20b"),
        (
            "amqp://?auth_mechanism=EXTERNAL&frame_max=0&channel_max=7&connection_timeout=1500\
             &heartbeat=30",
            "amqp://guest:***@localhost:5672/%2f?heartbeat=30&connection_timeout=1500\
             &channel_max=7&frame_max=0&auth_mechanism=external",
        ),
        (
            "amqps://?verify=verify_peer&server_name_indication=a&keyfile=k&certfile=c%26d\
             &cacertfile=/e/f.pem",
            "amqps://guest:***@localhost:5671/%2f?cacertfile=%2fe%2ff.pem&certfile=c%26d\
             &keyfile=k&server_name_indication=a",
        ),
    ] {
        let uri = parse(text);
        assert_eq!(uri.to_string(), shown);
        let same_but_for_the_password = Uri { password: secret("***"), ..uri };
        assert_eq!(parse(shown), same_but_for_the_password, "what is shown can be read again");
    }
}

mod refused;
mod secrecy;

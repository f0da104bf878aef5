//! Every error, with its exact text.

use super::*;

const MISSING_SCHEME: &str =
    "the URI does not begin with amqp:// or amqps://, as amqp://localhost:5672 does";
const AT_SIGN: &str =
    "an \"@\" may only stand once, before the host: in a user, password or virtual host, write %40";
const FRAGMENT: &str =
    "an AMQP URI has no fragment: in a user, password or virtual host, write # as %23";
const COLON: &str =
    "there is more than one \":\" before the \"@\": in a user or password, write %3a";
const IPV6: &str = "the host in brackets is no IPv6 address, as in amqp://[::1]:5672";
const UNBRACKETED: &str = "there is more than one \":\" in host and port: an IPv6 address is \
     written in brackets, as in amqp://[::1]:5672, and several hosts have commas between them";
const PORT: &str = "the port is no number from 1 to 65535: the URI is amqp://host:port, or \
     amqp://user:password@host:port";
const SLASH: &str = "there is more than one \"/\" after the host: a \"/\" in the name of a virtual host is \
     written %2f";

#[test]
fn without_a_scheme() {
    for text in ["", "localhost:5672", "amqp:host", "amqp:/host", "//host", "://host", "1://host"] {
        assert_refused(text, MISSING_SCHEME);
    }
}

#[test]
fn with_a_scheme_of_something_else() {
    assert_refused(
        "http://host:15672",
        "the URI begins with http://, where amqp:// or amqps:// is expected",
    );
    assert_refused(
        "amqpz://",
        "the URI begins with amqpz://, where amqp:// or amqps:// is expected",
    );
}

#[test]
fn with_whitespace() {
    let text = |offset| {
        format!(
            "octet {offset} of the URI is a space or control character: trim the URI, or write \
             the character as its UTF-8 octets with a \"%\" before each, such as %20"
        )
    };
    assert_refused("amqp://host\n", &text(11));
    assert_refused(" amqp://host", &text(0));
    assert_refused("amqp://ü:pass word@host", &text(14));
    assert_refused("amqp://host/\u{a0}", &text(12));
    assert_refused("amqp://host/\u{7f}", &text(12));
}

#[test]
fn with_an_at_sign_too_many() {
    for text in [
        "amqp://user:p@ss@host",
        "amqp://user:p/ss@host",
        "amqp://user:p?ss@host",
        "amqp://user:p#ss@host",
        "amqp://user:5/ss@host",
        "amqp://host/v@host",
        "amqp://user@host/v@host",
        "amqp://host?heartbeat=@",
    ] {
        assert_refused(text, AT_SIGN);
    }
}

#[test]
fn with_a_fragment() {
    for text in ["amqp://host#", "amqp://host/v#1", "amqp://user:pass@host?heartbeat=1#x"] {
        assert_refused(text, FRAGMENT);
    }
}

#[test]
fn with_a_colon_too_many_in_the_password() {
    assert_refused("amqp://user:pa:ss@host", COLON);
    assert_refused("amqp://user::@host", COLON);
}

#[test]
fn with_percent_signs_that_encode_nothing() {
    for (text, part) in [
        ("amqp://us%er@host", "the user"),
        ("amqp://user:100%@host", "the password"),
        ("amqp://user:%+5@host", "the password"),
        ("amqp://user:%é@host", "the password"),
        ("amqp://h%6", "the host"),
        ("amqp://[::1%eth0]", "the host"),
        ("amqp://host/%xx", "the virtual host"),
        ("amqp://host?h%=1", "the name of a query parameter"),
        ("amqp://host?heartbeat=%", "the value of a query parameter"),
    ] {
        let expected = format!(
            "{part} contains a \"%\" without two hexadecimal digits after it: write % as %25"
        );
        assert_refused(text, &expected);
    }
}

#[test]
fn with_octets_that_are_no_utf8() {
    for (text, part) in [
        ("amqp://%ff@host", "the user"),
        ("amqp://user:%c3@host", "the password"),
        ("amqp://%e9t%e9", "the host"),
        ("amqp://host/%80", "the virtual host"),
        ("amqp://host?%80=1", "the name of a query parameter"),
        ("amqp://host?heartbeat=%80", "the value of a query parameter"),
    ] {
        let expected = format!(
            "{part} is no UTF-8 when percent-decoded: characters beyond ASCII are UTF-8 octets"
        );
        assert_refused(text, &expected);
    }
}

#[test]
fn with_the_octet_0() {
    for (text, part) in [
        ("amqp://us%00er@host", "the user"),
        ("amqp://user:pa%00ss@host", "the password"),
        ("amqp://h%00st", "the host"),
        ("amqp://host/%00", "the virtual host"),
    ] {
        let expected = format!("{part} contains the octet 0 (%00), which is not allowed there");
        assert_refused(text, &expected);
    }
}

#[test]
fn with_a_virtual_host_of_more_than_255_octets() {
    let longest = format!("amqp://host/{}", "%c3%a9".repeat(127) + "x");
    assert_eq!(parse(&longest).virtual_host().len(), 255);
    assert_refused(
        &format!("{longest}x"),
        "the virtual host has 256 octets when percent-decoded, the limit is 255",
    );
}

#[test]
fn with_a_virtual_host_of_two_segments() {
    for text in ["amqp://host/a/b", "amqp://host//", "amqp://host/vhost/", "amqp:////"] {
        assert_refused(text, SLASH);
    }
}

#[test]
fn with_brackets_around_no_ipv6_address() {
    for text in [
        "amqp://[::1",
        "amqp://[]",
        "amqp://[host]",
        "amqp://[127.0.0.1]",
        "amqp://[::1]5672",
        "amqp://[::1]x:5672",
        "amqp://[::1]]",
        "amqp://[[::1]]",
        "amqp://[%25eth0]",
    ] {
        assert_refused(text, IPV6);
    }
}

#[test]
fn with_an_ipv6_address_without_brackets() {
    for text in ["amqp://::1", "amqp://2001:db8::7", "amqp://a,2001:db8::7", "amqp://%3a%3a1"] {
        assert_refused(text, UNBRACKETED);
    }
}

#[test]
fn with_an_address_that_is_empty_among_several() {
    let text = "an address before or after a \",\" is empty: several are written as in \
         amqp://one:5672,two:5672, and a \",\" in a user or password as %2c";
    for uri in ["amqp://,", "amqp://one,", "amqp://,two:5672/", "amqp://u:p@one,,two/v?heartbeat=1"]
    {
        assert_refused(uri, text);
    }
    assert_refused("amqp://one,two:0", PORT);
    assert_refused("amqp://one,[::g]", IPV6);
}

#[test]
fn with_a_port_that_is_none() {
    for port in ["0", "000", "65536", "99999999999999999999", "+5672", "-1", "5672x", "amqp", "%35"]
    {
        assert_refused(&format!("amqp://host:{port}"), PORT);
        assert_refused(&format!("amqps://user:pass@[::1]:{port}/vhost"), PORT);
    }
}

#[test]
fn with_an_unknown_parameter() {
    for (query, name) in [
        ("hartbeat=5", "\"hartbeat\""),
        ("Heartbeat=5", "\"Heartbeat\""),
        ("=5", "\"\""),
        ("heartbeat=5&%0aforged=1", "\"\\nforged\""),
    ] {
        let expected = format!(
            "unknown query parameter {name}: known are auth_mechanism, channel_max, \
             connection_timeout, frame_max and heartbeat, and for TLS cacertfile, certfile, \
             keyfile, server_name_indication and verify"
        );
        assert_refused(&format!("amqp://host?{query}"), &expected);
    }
}

#[test]
fn with_a_parameter_for_tls_that_is_not_supported() {
    for name in ["customize_hostname_check", "depth", "fail_if_no_peer_cert", "password"] {
        let expected = format!(
            "the query parameter {name} is for TLS and not supported: remove it; supported are \
             cacertfile, certfile, keyfile, server_name_indication and verify"
        );
        assert_refused(&format!("amqps://host?heartbeat=5&{name}=x/y"), &expected);
        assert_refused(&format!("amqp://host?{name}=x/y"), &expected);
    }
}

/// Whoever writes it takes the connection for a safe one.
#[test]
fn with_a_parameter_for_tls_where_there_is_none() {
    for name in ["cacertfile", "certfile", "keyfile", "server_name_indication", "verify"] {
        let expected = format!(
            "the query parameter {name} is for TLS, and amqp:// is without: write amqps://, and \
             its port (5671 unless configured)"
        );
        assert_refused(&format!("amqp://host?heartbeat=5&{name}=x/y"), &expected);
    }
}

#[test]
fn with_a_broker_that_is_not_verified() {
    let expected = "verify=verify_none would take anybody for the broker and send it the \
                    password, so Leveret always verifies: name the CA that has signed the \
                    broker's certificate, with the query parameter cacertfile, and the host that \
                    it is for, if that is another, with server_name_indication";
    assert_refused("amqps://host?verify=verify_none", expected);
    assert_refused("amqps://host?verify=verify_peer&verify=verify_none", expected);
    assert_refused(
        "amqps://host?verify=VERIFY_PEER",
        "the value of the query parameter verify is to be verify_peer",
    );
    for name in ["disable", ""] {
        assert_refused(
            &format!("amqps://host?server_name_indication={name}"),
            "the value of the query parameter server_name_indication is to be the name or address \
             that the broker's certificate is for, which is always checked",
        );
    }
}

#[test]
fn with_files_that_have_no_path() {
    for name in ["cacertfile", "certfile", "keyfile"] {
        let expected =
            format!("the value of the query parameter {name} is to be the path of a file");
        assert_refused(&format!("amqps://host?{name}="), &expected);
    }
}

#[test]
fn with_a_key_to_nothing() {
    assert_refused(
        "amqps://host?keyfile=/tmp/key.pem",
        "the query parameter keyfile is the key to a client certificate: name that too, with \
         certfile",
    );
}

#[test]
fn with_a_parameter_given_twice() {
    for parameter in ["heartbeat=5", "connection_timeout=5", "channel_max=5", "frame_max=0"] {
        let (name, _) = parameter.split_once('=').unwrap();
        assert_refused(
            &format!("amqp://host?{parameter}&{parameter}"),
            &format!("the query parameter {name} is given more than once"),
        );
    }
    for parameter in [
        "cacertfile=a",
        "certfile=a",
        "keyfile=a",
        "server_name_indication=a",
        "verify=verify_peer",
    ] {
        let (name, _) = parameter.split_once('=').unwrap();
        assert_refused(
            &format!("amqps://host?{parameter}&{parameter}"),
            &format!("the query parameter {name} is given more than once"),
        );
    }
}

#[test]
fn with_a_value_that_cannot_be() {
    let seconds = "a number of seconds from 0 to 65535";
    let milliseconds = "a number of milliseconds from 1 to 4294967295";
    let channels = "a number from 0 to 65535, where 0 leaves it to the broker";
    let octets = "a number of octets from 4096 to 4294967295, or 0, which leaves it to the broker";
    for (name, expected, values) in [
        ("heartbeat", seconds, ["65536", "5s"]),
        ("connection_timeout", milliseconds, ["0", "4294967296"]),
        ("channel_max", channels, ["65536", "0x10"]),
        ("frame_max", octets, ["4095", "1"]),
    ] {
        let expected = format!("the value of the query parameter {name} is to be {expected}");
        for value in values.into_iter().chain(["", "-1", "+1", "1.5", "infinity"]) {
            assert_refused(&format!("amqp://host?{name}={value}"), &expected);
        }
        assert_refused(&format!("amqp://host?{name}"), &expected);
    }
}

#[test]
fn with_mechanisms_of_which_we_know_none() {
    for query in ["auth_mechanism=crdemo", "auth_mechanism=", "auth_mechanism=a&auth_mechanism=b"] {
        assert_refused(
            &format!("amqp://host?{query}"),
            "Leveret knows no auth_mechanism of this URI: it knows plain, amqplain and external",
        );
    }
}

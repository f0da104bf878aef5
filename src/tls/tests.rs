//! What no broker can show.

use std::time::Duration;

use super::{Tls, TlsError, TlsOptions};
use crate::uri::Uri;

#[test]
fn times_are_told_in_the_unit_that_suits_them() {
    for (seconds, words) in [
        (0, "0 seconds"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (7_199, "119 minutes"),
        (7_200, "2 hours"),
        (172_799, "47 hours"),
        (172_800, "2 days"),
        (1_000_000_000, "11574 days"),
    ] {
        let error = TlsError::Expired { since: Duration::from_secs(seconds) }.to_string();
        assert!(error.contains(&format!(" expired {words} ago ")), "{seconds}: {error}");
    }
}

#[test]
fn a_broker_is_known_by_its_host_unless_something_else_is_said() {
    for (uri, name) in [
        ("amqps://rabbit.example:1", "rabbit.example"),
        ("amqps://192.0.2.7", "192.0.2.7"),
        ("amqps://[2001:db8::7]", "2001:db8::7"),
        ("amqps://[fe80::1%25eth0]", "fe80::1"),
        ("amqps://[fe80::1%25eth0]?server_name_indication=rabbit", "rabbit"),
    ] {
        let parsed: Uri = uri.parse().unwrap();
        let tls = Tls::new(TlsOptions::new(), &parsed);
        let [address] = parsed.addresses() else { panic!("{uri}") };
        assert_eq!(tls.server_name(address).unwrap().to_str(), name, "{uri}");
    }
}

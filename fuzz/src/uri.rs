//! URIs: what is printed reads back the same, and the password is not printed.

use leveret::uri::Uri;

/// Reads, prints, and reads again.
pub fn check(octets: &[u8]) {
    let Ok(text) = core::str::from_utf8(octets) else { return };
    let uri = match text.parse::<Uri>() {
        Ok(uri) => uri,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let printed = uri.to_string();
    let again = match printed.parse::<Uri>() {
        Ok(again) => again,
        Err(error) => panic!("{printed} is printed and not read: {error}"),
    };
    assert_eq!(again.to_string(), printed);
    assert_eq!(facts(&again), facts(&uri), "{printed}");
    hides(uri.password().0.as_bytes(), text, &[&printed, &format!("{uri:?}")]);
}

/// Everything but the password.
fn facts(uri: &Uri) -> impl PartialEq + core::fmt::Debug {
    (
        (uri.is_tls(), uri.username().to_owned(), uri.addresses().to_vec()),
        (uri.virtual_host().clone(), uri.heartbeat(), uri.connection_timeout()),
        (uri.channel_max(), uri.frame_max(), uri.auth_mechanism()),
        [uri.ca_certificate_file(), uri.certificate_file(), uri.key_file(), uri.server_name()]
            .map(|text| text.map(str::to_owned)),
    )
}

/// The password is in no text, unless by chance: as a part of what stands elsewhere in the URI, or
/// of what is always printed.
fn hides(password: &[u8], uri: &str, texts: &[&str]) {
    let Ok(password) = core::str::from_utf8(password) else { return };
    let chance = uri.matches(password).count() != 1 || password.len() < 5;
    for text in texts {
        assert!(chance || ALWAYS.contains(password) || !text.contains(password), "{text}");
    }
}

const ALWAYS: &str = "Uri { is_tls: false, true, username: , password: Secret(***), addresses: [Address { host: , port: 5672, 5671 }], \
    virtual_host: , query: Query { heartbeat: Some(), None, connection_timeout: None, \
    channel_max: None, frame_max: None, auth_mechanism: None, ca_certificate_file: None, \
    certificate_file: None, key_file: None, server_name: None } } guest localhost amqp:// amqps:// Plain AmqPlain External";

//! [`Config`]: who we are, how we log in, and the limits that we ask for.

use bytes::{BufMut, Bytes, BytesMut};
use core::time::Duration;

use leveret_codec::{FieldTable, FieldValue, LongStr, Secret, ShortStr};

/// What a [`Connection`](super::Connection) is made with.
#[derive(Debug, Clone)]
pub struct Config {
    /// How to log in.
    pub credentials: Credentials,
    /// The virtual host to enter, `/` if nothing else is said.
    pub virtual_host: ShortStr,
    /// Shown in the broker's log and management pages.
    pub connection_name: Option<LongStr>,
    /// The most channels at a time. 0 takes the broker's offer.
    pub channel_max: u16,
    /// The largest frame in octets, header and end included, at least 4096. 0 takes the broker's
    /// offer.
    pub frame_max: u32,
    /// Seconds between signs of life. The smaller of both sides' wishes holds; if one of them is
    /// 0, the other.
    pub heartbeat: u16,
    /// How long the handshake may take, from the protocol header to `connection.open-ok`.
    pub handshake_timeout: Duration,
    /// How long to wait for the answer to our own `connection.close`.
    pub close_timeout: Duration,
    /// The largest message body to receive, in octets. A larger one is read past and not kept:
    /// [`Unreadable::BodyTooLarge`](super::Unreadable::BodyTooLarge).
    pub max_body_size: u64,
    /// The largest frame to receive, in octets, where that is more than the negotiated frame-max:
    /// RabbitMQ does not split methods and content headers, so a large header table exceeds it. A
    /// content header that is larger still is read past and not kept
    /// ([`Unreadable::PropertiesTooLarge`](super::Unreadable::PropertiesTooLarge)), any other frame
    /// ends the connection.
    pub max_received_frame: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            credentials: Credentials::default(),
            virtual_host: ShortStr::from_static("/"),
            connection_name: None,
            channel_max: 2047,
            frame_max: 0x2_0000,
            heartbeat: 60,
            handshake_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(5),
            max_body_size: 0x0800_0000,
            max_received_frame: 0x10_0000,
        }
    }
}

/// How to log in: a SASL mechanism with what it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credentials {
    /// PLAIN: user and password as they are (RFC 4616).
    Plain {
        /// The user.
        username: LongStr,
        /// The password.
        password: Secret,
    },
    /// AMQPLAIN: the same two in a field table.
    AmqPlain {
        /// The user.
        username: LongStr,
        /// The password.
        password: Secret,
    },
    /// EXTERNAL: the transport has said who we are, such as a TLS client certificate.
    External,
}

/// RabbitMQ's default user, which it lets in from its own host only.
impl Default for Credentials {
    fn default() -> Self {
        Self::Plain {
            username: LongStr::from_static("guest"),
            password: Secret(LongStr::from_static("guest")),
        }
    }
}

impl Credentials {
    /// The mechanism's name on the wire.
    pub fn mechanism(&self) -> &'static str {
        match self {
            Self::Plain { .. } => "PLAIN",
            Self::AmqPlain { .. } => "AMQPLAIN",
            Self::External => "EXTERNAL",
        }
    }

    /// The response in `connection.start-ok`.
    pub(super) fn response(&self) -> Secret {
        let octets = match self {
            Self::Plain { username, password } => {
                let mut response = BytesMut::new();
                response.put_u8(0);
                response.put_slice(username.as_bytes());
                response.put_u8(0);
                response.put_slice(password.0.as_bytes());
                response.freeze()
            }
            Self::AmqPlain { username, password } => amqplain_response(username, &password.0),
            Self::External => Bytes::new(),
        };
        // Longer than a LongStr it can be only with a password of a gigabyte.
        Secret(LongStr::new(octets).unwrap_or_default())
    }
}

/// A field table without its length in front.
fn amqplain_response(username: &LongStr, password: &LongStr) -> Bytes {
    let mut table = FieldTable::new();
    // Names this short fit; values can be too long together only beyond a gigabyte.
    let _ = table.insert("LOGIN", FieldValue::LongStr(username.clone()));
    let _ = table.insert("PASSWORD", FieldValue::LongStr(password.clone()));
    table.into_fields()
}

/// What we say of ourselves. RabbitMQ acts on the last three capabilities, and lists the others.
pub(super) fn client_properties(config: &Config) -> FieldTable {
    const CAPABILITIES: [&str; 6] = [
        "publisher_confirms",
        "exchange_exchange_bindings",
        "basic.nack",
        "consumer_cancel_notify",
        "connection.blocked",
        "authentication_failure_close",
    ];
    let mut capabilities = FieldTable::new();
    for name in CAPABILITIES {
        let _ = capabilities.insert(name, true);
    }
    let mut properties = FieldTable::new();
    // None of these can be too long or too deep.
    let _ = properties.insert("product", "leveret");
    let _ = properties.insert("version", env!("CARGO_PKG_VERSION"));
    let _ = properties.insert("platform", "Rust");
    let _ = properties.insert("capabilities", capabilities);
    if let Some(name) = &config.connection_name {
        // A start-ok beyond the broker's first frame limit of 4096 octets fails without a word.
        let text = name.to_string_lossy();
        let mut end = text.len().min(1024);
        while !text.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        let short = text.get(..end).unwrap_or_default();
        if let Ok(name) = LongStr::try_from(short) {
            let _ = properties.insert("connection_name", FieldValue::LongStr(name));
        }
    }
    properties
}

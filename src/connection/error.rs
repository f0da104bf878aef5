//! [`ConnectionError`]: why there is no connection, or no longer.

use alloc::string::String;

use leveret_codec::{DecodeError, Problem, ProtocolHeader, ReplyCode};

/// Why a connection ended, or never came to be. Each says whose doing it was and what to look at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The peer's first octets are no AMQP 0-9-1.
    #[error(transparent)]
    NotAmqp(#[from] NotAmqp),
    /// The broker refused user and password (403 before the connection was tuned).
    #[error("the broker refused the login of this user: {text}")]
    LoginRefused {
        /// The broker's words.
        text: String,
    },
    /// The broker closed the connection without a word where it expected the login.
    ///
    /// RabbitMQ does so for a malformed response or an unknown mechanism, older brokers for a
    /// wrong password, and any peer for a protocol that it does not speak.
    #[error("the peer closed the connection without a word {stage}{}", usual_cause(stage))]
    SilentClose {
        /// What was going on.
        stage: &'static str,
    },
    /// The transport ended before the connection was open, and knows why: what TLS calls an alert.
    #[error("{reason}")]
    TransportRefused {
        /// Why.
        reason: String,
    },
    /// The broker offers no login of the kind that was asked for.
    #[error("the broker offers the login mechanisms \"{offered}\", and not {wanted}")]
    NoMechanism {
        /// What was asked for.
        wanted: &'static str,
        /// What the broker offers.
        offered: String,
    },
    /// The broker does not let us into the virtual host: there is none of that name, or the user
    /// may not enter, or a limit is reached (530 in answer to `connection.open`).
    #[error("the broker refused the virtual host \"{virtual_host}\": {text}")]
    VirtualHostRefused {
        /// The virtual host.
        virtual_host: String,
        /// The broker's words.
        text: String,
    },
    /// The limits leave no room to work in.
    #[error(
        "the smaller frame-max of both sides is {frame_max} octets; AMQP asks for 4096 or more"
    )]
    FrameMaxTooSmall {
        /// What would have been agreed on.
        frame_max: u32,
    },
    /// The handshake was not done in time.
    #[error("the broker did not finish the handshake in time: it was silent {stage}")]
    HandshakeTimeout {
        /// What was going on.
        stage: &'static str,
    },
    /// The broker closed the connection and said why.
    #[error("the broker closed the connection: {}", said(*.code, .text))]
    ClosedByPeer {
        /// The code.
        code: ReplyCode,
        /// The broker's words.
        text: String,
        /// The class of the method that it answers, or 0.
        class_id: u16,
        /// The method that it answers, or 0.
        method_id: u16,
    },
    /// The peer broke the protocol. It was told so with `connection.close`.
    #[error("the peer broke the AMQP protocol ({code}): {text}")]
    ProtocolViolation {
        /// The code that the peer was told.
        code: ReplyCode,
        /// What it did.
        text: String,
    },
    /// The transport ended while the connection was open.
    #[error("the connection was lost: {reason}")]
    Lost {
        /// The operating system's words, or that the peer closed the socket.
        reason: String,
    },
    /// Nothing came from the peer for two heartbeat intervals.
    #[error("the peer has been silent for {seconds} s, twice the heartbeat: taken for dead")]
    HeartbeatTimeout {
        /// How long it was silent.
        seconds: u64,
    },
}

/// What the peer is instead of an AMQP 0-9-1 broker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAmqp {
    /// A broker that wants another version.
    #[error("the peer does not speak AMQP 0-9-1; it answered with \"{0}\"{hint}", hint = version_hint(*.0))]
    OtherVersion(ProtocolHeader),
    /// A web server.
    #[error(
        "the peer is an HTTP server and no AMQP broker: RabbitMQ's AMQP port is usually 5672, \
         15672 is its web page"
    )]
    Http,
    /// A TLS port.
    #[error(
        "the peer speaks TLS on this port: use amqps://, or the port without TLS (usually 5672)"
    )]
    Tls,
    /// Anything else.
    #[error("the peer is no AMQP broker: {0}")]
    Other(DecodeError),
}

fn usual_cause(stage: &str) -> &'static str {
    match stage.split(' ').next() {
        Some("before") => ": it is probably no AMQP 0-9-1 broker",
        Some("after") => ": the credentials are probably wrong",
        _ => "",
    }
}

fn version_hint(header: ProtocolHeader) -> &'static str {
    match header.version {
        [3, 1, 0, 0] | [0, 1, 0, 0] => " (AMQP 1.0)",
        [0, 0, 9, 1] => ", which is 0-9-1: something on the way has changed what we sent",
        _ => "",
    }
}

/// The broker's words, which begin with the name of the code, after its number.
pub(crate) fn said(code: ReplyCode, text: &str) -> String {
    if text.is_empty() { alloc::format!("{code}") } else { alloc::format!("{} {text}", code.0) }
}

impl NotAmqp {
    /// What octets are that fail to be the first frame of a broker.
    pub(super) fn recognise(octets: &[u8], error: DecodeError) -> Self {
        const TLS_RECORDS: core::ops::RangeInclusive<u8> = 0x14..=0x17;
        if let Problem::ProtocolHeader(header) = error.problem() {
            return Self::OtherVersion(*header);
        }
        match octets {
            [b'H', b'T', b'T', b'P', ..] => Self::Http,
            [record, 0x03, ..] if TLS_RECORDS.contains(record) => Self::Tls,
            _ => Self::Other(error),
        }
    }
}

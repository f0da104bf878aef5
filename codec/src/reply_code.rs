//! [`ReplyCode`]: why a channel or connection was closed, or a message returned.

use core::fmt;

use bytes::BytesMut;

use crate::DecodeError;
use crate::wire::{Reader, Wire};

/// What an error ends: one channel, or the whole connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Soft: the channel is closed, its connection and the other channels go on.
    Channel,
    /// Hard: the connection is closed, and with it every channel.
    Connection,
}

/// A reply code (AMQP 0-9-1, 1.2 "Constants"), open for codes that this crate does not know.
///
/// ```
/// use leveret_codec::{Level, ReplyCode};
///
/// assert_eq!(ReplyCode::NOT_FOUND.to_string(), "404 NOT_FOUND");
/// assert_eq!(ReplyCode::NOT_FOUND.level(), Some(Level::Channel));
/// assert_eq!(ReplyCode(999).to_string(), "999");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct ReplyCode(pub u16);

macro_rules! reply_codes {
    ($($name:ident = $code:literal, $level:expr, $doc:literal;)*) => {
        impl ReplyCode {
            $(#[doc = $doc] pub const $name: Self = Self($code);)*

            /// The name in the specification, which begins RabbitMQ's reply-text.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some(stringify!($name)),)*
                    _ => None,
                }
            }

            /// What the code ends. `None`: it ends nothing (200, or a code of no known name).
            pub const fn level(self) -> Option<Level> {
                match self.0 {
                    $($code => $level,)*
                    _ => None,
                }
            }
        }
    };
}

const CHANNEL: Option<Level> = Some(Level::Channel);
const CONNECTION: Option<Level> = Some(Level::Connection);

reply_codes! {
    REPLY_SUCCESS = 200, None, "An orderly close.";
    CONTENT_TOO_LARGE = 311, CHANNEL, "The body was larger than the peer takes.";
    NO_ROUTE = 312, CHANNEL, "In `basic.return`: no queue matched a mandatory message.";
    NO_CONSUMERS = 313, CHANNEL, "In `basic.return`: nobody could take an immediate message at once.";
    CONNECTION_FORCED = 320, CONNECTION, "An operator or a shutdown closed the connection.";
    INVALID_PATH = 402, CONNECTION, "The virtual host is unknown; RabbitMQ says 530 instead.";
    ACCESS_REFUSED = 403, CHANNEL, "The user lacks the permission; at login, the credentials are wrong.";
    NOT_FOUND = 404, CHANNEL, "No such queue or exchange.";
    RESOURCE_LOCKED = 405, CHANNEL, "The queue is exclusive to another connection.";
    PRECONDITION_FAILED = 406, CHANNEL, "The resource is not as the method wants it.";
    FRAME_ERROR = 501, CONNECTION, "A frame could not be decoded.";
    SYNTAX_ERROR = 502, CONNECTION, "A field held an illegal value.";
    COMMAND_INVALID = 503, CONNECTION, "A method out of order, or not for this side.";
    CHANNEL_ERROR = 504, CONNECTION, "A method on a channel that is not open, or opened twice.";
    UNEXPECTED_FRAME = 505, CONNECTION, "A frame of the wrong type for this moment.";
    RESOURCE_ERROR = 506, CONNECTION, "The peer has run out of something.";
    NOT_ALLOWED = 530, CONNECTION, "The peer does not allow it: virtual host, limits, consumer tags.";
    NOT_IMPLEMENTED = 540, CONNECTION, "The peer does not implement it.";
    INTERNAL_ERROR = 541, CONNECTION, "The peer has failed.";
}

impl fmt::Display for ReplyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{} {name}", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}

impl Wire for ReplyCode {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        u16::decode(reader).map(Self)
    }

    fn encode(&self, out: &mut BytesMut) {
        self.0.encode(out);
    }
}

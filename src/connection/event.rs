//! [`Event`] and [`Misuse`]: what a connection tells its user, and what it refuses to do.

use alloc::string::String;

use leveret_codec::{Method, channel as channel_method};

use super::{ConnectionError, Content};

/// What has happened to a [`Connection`](super::Connection).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The handshake is done; channels may be opened.
    Opened,
    /// The channel may be used.
    ChannelOpened {
        /// Its number.
        channel: u16,
    },
    /// The channel is gone and its number free.
    ChannelClosed {
        /// Its number.
        channel: u16,
        /// Why, if the broker closed it; `None` answers our own close.
        close: Option<channel_method::Close>,
    },
    /// The broker asks to pause content on the channel, or to go on.
    Flow {
        /// The channel.
        channel: u16,
        /// Whether content may be sent.
        active: bool,
    },
    /// A method without content, of the classes queue, basic and confirm.
    Method {
        /// The channel.
        channel: u16,
        /// The method.
        method: Method,
    },
    /// A message that has come to its end: delivered, returned or got.
    Content {
        /// The channel.
        channel: u16,
        /// The message.
        content: Content,
    },
    /// The broker has an alarm on and does not read what is published.
    Blocked {
        /// Such as "low on memory".
        reason: String,
    },
    /// The alarm is off.
    Unblocked,
    /// The broker has taken the new credentials.
    SecretUpdated,
    /// The last event: the connection is over. `Ok` after an orderly [`close`](super::Connection::close).
    Closed(Result<(), ConnectionError>),
}

/// A command that this connection cannot carry out now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misuse {
    /// Before [`Event::Opened`], or after the end.
    #[error("the connection is not open")]
    NotOpen,
    /// The channel was never opened, or not yet, or is closed.
    #[error("channel {0} is not open")]
    ChannelNotOpen(u16),
    /// All channel numbers are in use.
    #[error("all {0} channels of the connection are in use")]
    NoFreeChannel(u16),
    /// Methods and content headers cannot be split.
    #[error("{size} octets of headers or arguments do not fit into a frame of {frame_max}")]
    FrameTooLarge {
        /// Octets of the whole frame.
        size: usize,
        /// The negotiated limit.
        frame_max: u32,
    },
}

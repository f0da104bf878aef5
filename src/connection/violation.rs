//! [`Violation`]: the peer did what the protocol forbids.

use alloc::string::String;

use leveret_codec::{DecodeError, ReplyCode, ShortStr};

/// What the peer did, and the code of the `connection.close` that tells it so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub(crate) code: ReplyCode,
    pub(crate) text: String,
}

impl Violation {
    pub(crate) fn new(code: ReplyCode, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    pub(super) fn out_of_order(method: &leveret_codec::Method) -> Self {
        let text = alloc::format!("{} at the wrong moment or from the wrong side", method.name());
        Self::new(ReplyCode::COMMAND_INVALID, text)
    }

    pub(crate) fn unasked(method: &str) -> Self {
        let text = alloc::format!("{method} that nobody asked for");
        Self::new(ReplyCode::COMMAND_INVALID, text)
    }

    pub(super) fn channel_not_open(channel: u16) -> Self {
        Self::new(
            ReplyCode::CHANNEL_ERROR,
            alloc::format!("a frame on channel {channel}, which is not open"),
        )
    }

    /// The reply-text on the wire: `NAME - explanation`, as RabbitMQ writes it.
    pub(super) fn reply_text(&self) -> ShortStr {
        let name = self.code.name().unwrap_or_default();
        ShortStr::truncated(&alloc::format!("{name} - {}", self.text))
    }
}

impl From<DecodeError> for Violation {
    fn from(error: DecodeError) -> Self {
        Self::new(error.reply_code(), alloc::format!("{error}"))
    }
}

//! [`Raise`]: how a broker says no.

use alloc::format;
use alloc::string::{String, ToString};

use leveret_codec::{ReplyCode, ShortStr};

/// An error and what it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Raise {
    /// `channel.close` with the ids of the method that failed.
    Channel { code: ReplyCode, text: String },
    /// `connection.close` with these ids, or those of the method that failed.
    Connection { code: ReplyCode, text: String, ids: Option<(u16, u16)> },
    /// A process of the broker has died: the socket is closed without a word.
    Silence,
}

pub(super) type Raised<T = ()> = Result<T, Raise>;

impl Raise {
    pub(super) fn channel(code: ReplyCode, text: impl Into<String>) -> Self {
        Self::Channel { code, text: text.into() }
    }

    pub(super) fn connection(code: ReplyCode, text: impl Into<String>) -> Self {
        Self::Connection { code, text: text.into(), ids: None }
    }

    /// A fault in the octets: no method is to blame.
    pub(super) fn frame(code: ReplyCode, text: impl Into<String>) -> Self {
        Self::Connection { code, text: text.into(), ids: Some((0, 0)) }
    }

    /// A process of the broker has crashed, and its supervisor says so.
    pub(super) fn crash() -> Self {
        Self::frame(ReplyCode::INTERNAL_ERROR, "")
    }

    pub(super) fn not_found(what: impl Into<String>) -> Self {
        Self::channel(ReplyCode::NOT_FOUND, what)
    }

    pub(super) fn precondition(what: impl Into<String>) -> Self {
        Self::channel(ReplyCode::PRECONDITION_FAILED, what)
    }
}

/// `NAME - explanation`, at most 255 octets, the last three dots if it was longer.
pub(super) fn reply_text(code: ReplyCode, text: &str) -> ShortStr {
    let name = code.name().unwrap_or_default();
    let full = if text.is_empty() { name.to_string() } else { format!("{name} - {text}") };
    if full.len() <= ShortStr::MAX_LEN {
        return ShortStr::truncated(&full);
    }
    let mut end = ShortStr::MAX_LEN.saturating_sub(3);
    while !full.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    ShortStr::truncated(&format!("{}...", full.get(..end).unwrap_or_default()))
}

/// `queue 'Q' in vhost 'V'`.
pub(super) fn queue_in(virtual_host: &str, queue: &ShortStr) -> String {
    format!("queue '{queue}' in vhost '{virtual_host}'")
}

/// Octets as Erlang prints a binary: `<<0,60,0,11>>`.
pub(super) fn erlang_binary(octets: &[u8]) -> String {
    let numbers = octets.iter().map(u8::to_string);
    format!("<<{}>>", numbers.collect::<alloc::vec::Vec<_>>().join(","))
}

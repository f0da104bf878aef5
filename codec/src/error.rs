//! [`DecodeError`]: what was wrong with the peer's octets, where, and the code that answers it.

use crate::{ProtocolHeader, ReplyCode};

/// Octets that are not AMQP 0-9-1.
///
/// The message names the frame, method or table, the offset in its payload, and the fault.
/// [`reply_code`](Self::reply_code) is what to put into the `connection.close` that follows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{subject}, octet {offset}: {problem}")]
pub struct DecodeError {
    subject: &'static str,
    offset: usize,
    problem: Problem,
}

/// The ways in which octets can be wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The first octet is none of 1, 2, 3 and 8.
    #[error("0x{octet:02x} is no frame type")]
    UnknownFrameType {
        /// The octet in the place of the frame type.
        octet: u8,
    },
    /// The frame is announced with more payload than the limit allows. Nothing of it was read.
    #[error("a payload of {size} octets is announced, the limit is {limit}")]
    FrameTooLarge {
        /// Octets of payload that the header announces.
        size: u32,
        /// Octets of payload allowed.
        limit: u32,
    },
    /// The octet after the payload is not 0xCE.
    #[error("the frame ends in 0x{octet:02x} instead of 0xce")]
    BadFrameEnd {
        /// The octet in the place of the frame end.
        octet: u8,
    },
    /// A heartbeat with a payload, or on a channel.
    #[error("a heartbeat has no payload and belongs to channel 0")]
    BadHeartbeat,
    /// A field is longer than what is left for it.
    #[error("a field of {needed} octets is cut off, {left} are left")]
    Truncated {
        /// Octets that the field has.
        needed: usize,
        /// Octets that are left.
        left: usize,
    },
    /// Everything was read, and there is more.
    #[error("{surplus} octets too many")]
    Surplus {
        /// Octets that nothing asked for.
        surplus: usize,
    },
    /// Leveret does not know the method.
    #[error("there is no method {class}/{method} here")]
    UnknownMethod {
        /// Class id.
        class: u16,
        /// Method id.
        method: u16,
    },
    /// A content header of a class without content.
    #[error("class {class} carries no content")]
    NoContent {
        /// Class id.
        class: u16,
    },
    /// A field table or array holds a value of a type that does not exist.
    #[error("a table value has the unknown type 0x{tag:02x}")]
    UnknownFieldType {
        /// The octet in the place of the type.
        tag: u8,
    },
    /// Tables in tables, deeper than [`MAX_DEPTH`](crate::FieldTable::MAX_DEPTH).
    #[error("tables and arrays are nested more than {limit} deep")]
    TooDeep {
        /// How deep they may be.
        limit: u8,
    },
    /// Eight octets that begin with "AMQP" where a frame should be: the peer refuses the version.
    #[error("the peer answered with the protocol header {0}")]
    ProtocolHeader(ProtocolHeader),
}

impl DecodeError {
    pub(crate) fn new(subject: &'static str, offset: usize, problem: Problem) -> Self {
        Self { subject, offset, problem }
    }

    /// The peer has sent a protocol header instead of its first frame.
    pub fn version_refused(header: ProtocolHeader) -> Self {
        Self::new("frame", 0, Problem::ProtocolHeader(header))
    }

    /// What was being decoded: "frame", "content header", or a method such as "basic.deliver".
    pub fn subject(&self) -> &'static str {
        self.subject
    }

    /// Where in it, in octets from its beginning.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// What was wrong.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// The code of the `connection.close` that answers these octets.
    ///
    /// RabbitMQ answers all of them with 501, except that it drops the connection without a word
    /// for an unknown method, where the specification (4.2.3) asks for 503.
    pub fn reply_code(&self) -> ReplyCode {
        match self.problem {
            Problem::UnknownMethod { .. } => ReplyCode::COMMAND_INVALID,
            Problem::NoContent { .. } => ReplyCode::UNEXPECTED_FRAME,
            _ => ReplyCode::FRAME_ERROR,
        }
    }
}

//! [`Version`]: which RabbitMQ to behave as, and every difference that makes.

/// A version of RabbitMQ that the broker can behave as, as it is configured when nothing is. All of
/// them still make queues that are neither durable nor exclusive, which 4.3 only warns of in its
/// log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[non_exhaustive]
pub enum Version {
    /// RabbitMQ 3.10, of Debian 12.
    V3_10,
    /// RabbitMQ 4.0, of Debian 13.
    V4_0,
    /// RabbitMQ 4.3.
    #[default]
    V4_3,
}

/// The differences, each by its name.
impl Version {
    /// What the broker calls itself in `server-properties`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V3_10 => "3.10.8",
            Self::V4_0 => "4.0.5",
            Self::V4_3 => "4.3.6",
        }
    }

    /// The least frame-max that is accepted, and the limit before one is agreed on.
    pub(super) fn min_frame_max(self) -> u32 {
        if self >= Self::V4_3 { 8192 } else { 4096 }
    }

    /// The largest body that is accepted.
    pub(super) fn max_message_size(self) -> u64 {
        if self >= Self::V4_0 { 16 << 20 } else { 128 << 20 }
    }

    /// The login mechanisms, as they are announced.
    pub(super) fn mechanisms(self) -> &'static str {
        match self {
            Self::V3_10 => "PLAIN AMQPLAIN",
            Self::V4_0 => "PLAIN AMQPLAIN ANONYMOUS",
            Self::V4_3 => "AMQPLAIN PLAIN ANONYMOUS",
        }
    }

    /// The protocol header that answers one that is not understood.
    pub(super) fn refusal(self, version: [u8; 4]) -> [u8; 4] {
        match version {
            [0, 0, minor, _] if minor >= 9 => [0, 0, 9, 1],
            _ if self >= Self::V4_0 => [3, 1, 0, 0],
            _ => [0, 0, 9, 1],
        }
    }

    /// Direct Reply-to is a kind of queue (4.2 and later) instead of a matter of channels: replies
    /// advance the delivery tag, a mandatory reply of good form is never returned, and addresses
    /// are known to the queue methods.
    pub(super) fn has_volatile_queues(self) -> bool {
        self >= Self::V4_3
    }

    /// A delivery mode is 1 or 2. Later any octet passes, and means the one or the other.
    pub(super) fn checks_delivery_mode(self) -> bool {
        self < Self::V4_0
    }

    /// Publishing to what is no reply address, and begins as one, ends the connection.
    pub(super) fn parses_reply_addresses(self) -> bool {
        self <= Self::V4_0
    }

    /// Headers are written anew on their way, in the order of their names. Before, that is so only
    /// for messages whose reply-to is rewritten, and the order stays.
    pub(super) fn rewrites_headers(self) -> bool {
        self >= Self::V4_0
    }

    /// `basic.qos` with `global` limits the channel as a whole. Later it means each consumer, as
    /// without.
    pub(super) fn shares_prefetch(self) -> bool {
        self <= Self::V4_0
    }

    /// A passive declare takes one of the three permissions, whichever.
    pub(super) fn guards_passive_declare(self) -> bool {
        self >= Self::V4_3
    }

    /// The permission that is missing has a name in the text of a 403.
    pub(super) fn names_the_permission(self) -> bool {
        self >= Self::V4_0
    }

    /// A body longer than announced, or announced as longer than 512 MiB, is an error at once.
    pub(super) fn checks_body_size(self) -> bool {
        self >= Self::V4_3
    }
}

//! [`Letter`]: a reply, and where it goes.

use alloc::format;
use alloc::string::String;

use leveret_codec::{BasicProperties, ShortStr, basic};

use super::destination::Destination;
use super::plain;
use crate::connection::{Connection, Misuse};
use crate::message::{REPLY_TO, check, is_delivery_mode, time_to_live};
use crate::{Fault, Reply};

/// A reply, and where it goes.
#[derive(Debug, Clone)]
#[must_use = "a letter is to be sent"]
pub struct Letter {
    pub(super) destination: Destination,
    pub(super) reply: Reply,
    pub(super) is_fault: bool,
}

/// What has become of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// A reply was written.
    Reply,
    /// A fault was written.
    Fault,
    /// Nothing: nobody waits for it.
    Nothing,
    /// It is kept until there is a channel.
    Held,
    /// Nothing: nobody waits for it any longer.
    Expired,
    /// The channel or the connection is gone.
    Failed,
}

impl Letter {
    #[cfg(test)]
    pub(crate) fn new(reply_to: ShortStr, correlation_id: Option<ShortStr>, reply: Reply) -> Self {
        let destination =
            Destination::new(reply_to.as_bytes(), correlation_id.as_ref().map(ShortStr::as_bytes));
        Self { destination, reply, is_fault: false }
    }

    /// To the default exchange, not mandatory: up to RabbitMQ 4.1 a mandatory reply comes back
    /// even if it was delivered, and in no version does that tell whether the caller is there.
    pub(crate) fn publish(self, connection: &mut Connection, channel: u16) -> Sent {
        let Self { destination, reply, is_fault } = self;
        if reply.properties.is_unset() {
            let body_size = u64::try_from(reply.body.len()).unwrap_or(u64::MAX);
            let published = connection.publish_with(channel, &reply.body, |out| {
                plain::write(channel, &destination, body_size, out);
            });
            return if published.is_ok() { Sent::Reply } else { Sent::Failed };
        }
        // What a short string was made of.
        let short = |octets| ShortStr::copied(octets).unwrap_or_default();
        let (reply_to, correlation_id) =
            (short(destination.address()), destination.correlation_id().map(short));
        let publish = basic::Publish { routing_key: reply_to, ..basic::Publish::default() };
        let properties =
            reply_properties(reply.properties.into(), &publish.routing_key, correlation_id.clone());
        let problem = match check(&properties) {
            Err(problem) => String::from(problem),
            Ok(()) => match connection.publish(channel, &publish, &properties, &reply.body) {
                Ok(()) => return if is_fault { Sent::Fault } else { Sent::Reply },
                Err(misuse @ Misuse::FrameTooLarge { .. }) => format!("{misuse}"),
                Err(_) => return Sent::Failed,
            },
        };
        let fault = Fault::new(Fault::INVALID_REPLY, problem).into_reply();
        let properties =
            reply_properties(fault.properties.into(), &publish.routing_key, correlation_id);
        match connection.publish(channel, &publish, &properties, &fault.body) {
            Ok(()) => Sent::Fault,
            Err(_) => Sent::Failed,
        }
    }

    /// Octets of its body.
    pub(crate) fn size(&self) -> usize {
        self.reply.body.len()
    }
}

/// The properties that make it the reply, less those that do harm if a handler echoes its request's.
/// The broker would close the channel over another's user-id, and over a reply-to of our own without
/// a consumer. With the address that it goes to as its own, a reply to the queue of a server would be
/// a request, and so would the reply to that, without end.
fn reply_properties(
    mut properties: BasicProperties,
    address: &ShortStr,
    correlation_id: Option<ShortStr>,
) -> BasicProperties {
    properties.correlation_id = correlation_id;
    properties.delivery_mode =
        properties.delivery_mode.filter(|mode| is_delivery_mode(*mode)).or(Some(1));
    properties.user_id = None;
    properties.reply_to =
        properties.reply_to.filter(|reply_to| *reply_to != REPLY_TO && reply_to != address);
    properties.expiration =
        properties.expiration.filter(|text| time_to_live(text.as_bytes()).is_some());
    properties
}

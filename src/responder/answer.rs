//! From an answer to the reply on the wire and the end of the request.

use alloc::format;
use alloc::string::String;

use leveret_codec::{BasicProperties, ShortStr, basic};

use super::Responder;
use crate::message::REPLY_TO;
use crate::{Fault, Instant, Reply};

/// A request that has been handed out: where its reply goes, and what is to be acknowledged.
///
/// One that is dropped instead of answered stays unacknowledged: the broker delivers it again when
/// the connection ends.
#[derive(Debug)]
#[must_use = "a request is acknowledged by its answer"]
pub struct Pending {
    pub(super) channel: u16,
    pub(super) delivery_tag: u64,
    /// Opaque: brokers differ in its form, and it may be the name of an ordinary queue.
    pub(super) reply_to: Option<ShortStr>,
    pub(super) correlation_id: Option<ShortStr>,
}

/// What a handler came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// A reply. The request is acknowledged.
    Reply(Reply),
    /// A fault. The request is acknowledged: it was run.
    Fault(Fault),
    /// It panicked, with this message. The caller gets a fault, and the request is rejected
    /// without requeue, which lets a dead-letter exchange keep it.
    Panic(String),
}

impl Responder {
    /// Answers a request: writes the reply, if anybody waits for one, and then acknowledges.
    pub fn answer(&mut self, now: Instant, pending: Pending, answer: Answer) {
        self.running = self.running.saturating_sub(1);
        let panicked = matches!(answer, Answer::Panic(_));
        let (reply, fault) = match answer {
            Answer::Reply(reply) => self.within_limits(reply),
            Answer::Fault(fault) => (fault.into_reply(), true),
            Answer::Panic(message) => (Fault::new(Fault::PANIC, message).into_reply(), true),
        };
        let counter = if fault { &mut self.stats.faults } else { &mut self.stats.replies };
        *counter = counter.saturating_add(1);
        if panicked {
            self.stats.panics = self.stats.panics.saturating_add(1);
        }

        let Pending { channel, delivery_tag, reply_to, correlation_id } = pending;
        match reply_to {
            Some(reply_to) => self.publish(channel, reply_to, correlation_id, reply),
            None => self.stats.without_reply_to = self.stats.without_reply_to.saturating_add(1),
        }
        // After the end of the connection there is nothing to acknowledge: the request has gone
        // back to its queue.
        let _ = if panicked {
            self.connection.send(channel, basic::Reject { delivery_tag, requeue: false })
        } else {
            self.connection.send(channel, basic::Ack { delivery_tag, multiple: false })
        };
        self.close_when_drained(now);
    }

    fn within_limits(&self, reply: Reply) -> (Reply, bool) {
        let (size, limit) = (reply.body.len(), self.max_reply_size);
        if size > limit {
            let message = format!("the reply has {size} octets, the server's limit is {limit}");
            return (Fault::new(Fault::REPLY_TOO_LARGE, message).into_reply(), true);
        }
        (reply, false)
    }

    /// To the default exchange, not mandatory: up to RabbitMQ 4.1 a mandatory reply comes back
    /// even if it was delivered, and in no version does that tell whether the caller is there.
    fn publish(
        &mut self,
        channel: u16,
        reply_to: ShortStr,
        correlation_id: Option<ShortStr>,
        reply: Reply,
    ) {
        let publish = basic::Publish { routing_key: reply_to, ..basic::Publish::default() };
        let properties = reply_properties(reply.properties, correlation_id.clone());
        let sent = self.connection.publish(channel, publish.clone(), properties, &reply.body);
        if let Err(misuse) = sent {
            let fault = Fault::new(Fault::INVALID_REPLY, format!("{misuse}")).into_reply();
            let properties = reply_properties(fault.properties, correlation_id);
            let _ = self.connection.publish(channel, publish, properties, &fault.body);
        }
    }
}

/// The properties that make it the reply, less those that the broker would close the channel over
/// if a handler echoed its request's: another's user-id, and a reply-to of our own without a
/// consumer.
fn reply_properties(
    mut properties: BasicProperties,
    correlation_id: Option<ShortStr>,
) -> BasicProperties {
    properties.correlation_id = correlation_id;
    properties.delivery_mode.get_or_insert(1);
    properties.user_id = None;
    properties.reply_to = properties.reply_to.filter(|reply_to| *reply_to != REPLY_TO);
    properties.expiration = properties
        .expiration
        .filter(|time| time.len() < 12 && time.as_bytes().iter().all(u8::is_ascii_digit))
        .filter(|time| !time.is_empty());
    properties
}

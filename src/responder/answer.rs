//! From an answer to the reply on the wire and the end of the request.

use alloc::format;
use alloc::string::String;

use leveret_codec::{BasicProperties, ShortStr, basic};

use super::Responder;
use super::held::Letter;
use super::queue::{Queue, State};
use crate::connection::{Connection, Misuse};
use crate::message::{REPLY_TO, check, is_delivery_mode, time_to_live};
use crate::{Fault, Instant, Reply};

/// A request that has been handed out: where its reply goes, and what is to be acknowledged.
///
/// One that is dropped instead of answered stays unacknowledged: the broker delivers it again when
/// the connection ends.
#[derive(Debug)]
#[must_use = "a request is acknowledged by its answer"]
pub struct Pending {
    pub(super) queue: usize,
    pub(super) generation: u32,
    pub(super) consumer: u32,
    pub(super) delivery_tag: u64,
    pub(super) redelivered: bool,
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
    ///
    /// One exception: a request that was delivered before is acknowledged first. Up to RabbitMQ
    /// 4.0 a forged reply address ends the connection of whoever replies to it, before the broker
    /// comes to the acknowledgement behind it, and the request would go on to do so to every other
    /// server. This way it goes no further than to the second.
    ///
    /// A request whose channel has gone in the meantime is replied to on the next one, and not
    /// acknowledged: the broker has taken it back.
    pub fn answer(&mut self, now: Instant, pending: Pending, answer: Answer) {
        let Pending { queue: index, generation, consumer, delivery_tag, redelivered, .. } = pending;
        let Pending { reply_to, correlation_id, .. } = pending;
        let Some(queue) = self.queues.get_mut(index) else { return };
        queue.answer(consumer);
        let (channel, held) = (queue.channel, queue.generation == generation);
        let panicked = matches!(answer, Answer::Panic(_));
        let settle = |connection: &mut Connection| match (held, panicked) {
            (false, _) => Ok(()),
            (true, true) => {
                connection.send(channel, basic::Reject { delivery_tag, requeue: false })
            }
            (true, false) => connection.send(channel, basic::Ack { delivery_tag, multiple: false }),
        };

        if redelivered {
            // After the end of the connection there is nothing to acknowledge.
            let _ = settle(&mut self.connection);
        }
        let (reply, fault) = match answer {
            Answer::Reply(reply) => (reply, false),
            Answer::Fault(fault) => (fault.into_reply(), true),
            Answer::Panic(message) => (Fault::new(Fault::PANIC, message).into_reply(), true),
        };
        let (reply, fault) = self.within_limits(reply, fault);
        match reply_to {
            Some(reply_to) => {
                let letter = Letter { reply_to, correlation_id, reply, is_fault: fault };
                self.send(index, letter);
            }
            None => self.count(Sent::Nothing),
        }
        if !redelivered {
            let _ = settle(&mut self.connection);
        }
        self.stats.panics = self.stats.panics.saturating_add(panicked.into());
        self.close_when_drained(now);
    }

    /// Sends a reply on its queue's channel, or on that of another queue, or keeps it for the next
    /// channel that is opened.
    fn send(&mut self, index: usize, letter: Letter) {
        let own = self.queues.get(index).into_iter();
        let channels = own.chain(&self.queues).map(|queue| queue.channel);
        let open = channels.into_iter().find(|channel| self.connection.is_channel_open(*channel));
        match open {
            Some(channel) => self.publish(channel, letter),
            None if self.expects_channel() && self.held.push(letter) => {}
            None => self.count(Sent::Failed),
        }
    }

    /// Whether there will be a channel again.
    fn expects_channel(&self) -> bool {
        let is_under_way = |queue: &Queue| match queue.state {
            State::Opening => true,
            State::Resting { .. } => !self.draining,
            _ => false,
        };
        self.ended.is_none() && (!self.link.is_connected() || self.queues.iter().any(is_under_way))
    }

    /// A channel has been opened: what was held goes first.
    pub(super) fn send_held(&mut self, channel: u16) {
        while self.connection.is_channel_open(channel)
            && let Some(letter) = self.held.pop()
        {
            self.publish(channel, letter);
        }
    }

    /// What was held will never be sent.
    pub(super) fn drop_held(&mut self) {
        while self.held.pop().is_some() {
            self.count(Sent::Failed);
        }
    }

    fn count(&mut self, sent: Sent) {
        let counter = match sent {
            Sent::Reply => &mut self.stats.replies,
            Sent::Fault => &mut self.stats.faults,
            Sent::Nothing => &mut self.stats.without_reply_to,
            Sent::Failed => &mut self.stats.unsent,
        };
        *counter = counter.saturating_add(1);
    }

    fn within_limits(&self, reply: Reply, fault: bool) -> (Reply, bool) {
        let (size, limit) = (reply.body.len(), self.max_reply_size);
        if size > limit {
            let message = format!("the reply has {size} octets, the server's limit is {limit}");
            return (Fault::new(Fault::REPLY_TOO_LARGE, message).into_reply(), true);
        }
        (reply, fault)
    }

    /// To the default exchange, not mandatory: up to RabbitMQ 4.1 a mandatory reply comes back
    /// even if it was delivered, and in no version does that tell whether the caller is there.
    fn publish(&mut self, channel: u16, letter: Letter) {
        let sent = self.try_publish(channel, letter);
        self.count(sent);
    }

    fn try_publish(&mut self, channel: u16, letter: Letter) -> Sent {
        let Letter { reply_to, correlation_id, reply, is_fault } = letter;
        let publish = basic::Publish { routing_key: reply_to, ..basic::Publish::default() };
        let properties =
            reply_properties(reply.properties, &publish.routing_key, correlation_id.clone());
        let problem = match check(&properties) {
            Err(problem) => String::from(problem),
            Ok(()) => {
                let sent =
                    self.connection.publish(channel, publish.clone(), properties, &reply.body);
                match sent {
                    Ok(()) => return if is_fault { Sent::Fault } else { Sent::Reply },
                    Err(misuse @ Misuse::FrameTooLarge { .. }) => format!("{misuse}"),
                    Err(_) => return Sent::Failed,
                }
            }
        };
        let fault = Fault::new(Fault::INVALID_REPLY, problem).into_reply();
        let properties = reply_properties(fault.properties, &publish.routing_key, correlation_id);
        match self.connection.publish(channel, publish, properties, &fault.body) {
            Ok(()) => Sent::Fault,
            Err(_) => Sent::Failed,
        }
    }
}

/// What has become of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    Reply,
    Fault,
    /// Nobody waits for it.
    Nothing,
    /// The channel or the connection is gone.
    Failed,
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
    properties.expiration = properties.expiration.filter(|text| time_to_live(text).is_some());
    properties
}

//! Consumers, deliveries and their acknowledgement.

use alloc::format;
use alloc::vec::Vec;
use core::cmp::Reverse;

use leveret_codec::{ReplyCode, ShortStr, basic};

use super::channel::{Message, Unacknowledged};
use super::dead_letters::Death;
use super::direct_reply::is_address;
use super::node::{Node, SessionId};
use super::permissions::Act;
use super::queue::Consumer;
use super::queues::count;
use super::raise::{Raise, Raised, queue_in};
use crate::Instant;
use crate::message::REPLY_TO;

impl Node {
    pub(super) fn consume(
        &mut self,
        id: SessionId,
        now: Instant,
        number: u16,
        consume: basic::Consume,
    ) -> Raised {
        if consume.queue == REPLY_TO {
            return self.consume_replies(id, number, consume);
        }
        let name = self.named(id, number, &consume.queue)?;
        let channel = self.channel(id, number)?;
        if channel.consumers.contains_key(&consume.consumer_tag) {
            let text = format!("attempt to reuse consumer tag '{}'", consume.consumer_tag);
            return Err(Raise::connection(ReplyCode::NOT_ALLOWED, text));
        }
        let prefetch = channel.prefetch;
        if is_address(&name) {
            return self.refuse_address(id, number, &name, false);
        }
        self.permit_queue(id, Act::Read, &name)?;
        let tag = match consume.consumer_tag {
            tag if tag.is_empty() => self.random.name("amq.ctag-"),
            tag => tag.detached(),
        };
        let described = queue_in(&self.host_name(id), &name);
        let queue = self.existing(id, &name)?;
        // An exclusive one is the only one.
        let taken = queue.consumers.front().is_some_and(|consumer| consumer.exclusive);
        if taken || (consume.exclusive && !queue.consumers.is_empty()) {
            let text = format!("{described} in exclusive use");
            return Err(Raise::channel(ReplyCode::ACCESS_REFUSED, text));
        }
        let priority = consume.arguments.get("x-priority").and_then(|value| value.as_i64());
        queue.consumers.push_back(Consumer {
            session: id,
            channel: number,
            tag: tag.clone(),
            no_ack: consume.no_ack,
            exclusive: consume.exclusive,
            prefetch,
            unacknowledged: 0,
            priority: priority.unwrap_or_default(),
        });
        self.channel(id, number)?.consumers.insert(tag.clone(), name.clone());
        self.answer(id, number, consume.nowait, basic::ConsumeOk { consumer_tag: tag })?;
        let host = self.host_name(id);
        self.dispatch(&host, &name, now);
        Ok(())
    }

    /// A tag that nobody has is cancelled all the same.
    pub(super) fn cancel(
        &mut self,
        id: SessionId,
        now: Instant,
        number: u16,
        cancel: basic::Cancel,
    ) -> Raised {
        let host = self.host_name(id);
        let tag = cancel.consumer_tag;
        let channel = self.channel(id, number)?;
        if let Some(consumer) = channel.reply_consumer.take_if(|consumer| consumer.tag == tag) {
            self.addresses.remove(&consumer.address);
        } else if let Some(queue) = channel.consumers.remove(&tag) {
            self.remove_consumer(&host, &queue, id, number, &tag, now);
        }
        self.answer(id, number, cancel.nowait, basic::CancelOk { consumer_tag: tag })
    }

    fn remove_consumer(
        &mut self,
        host: &str,
        name: &ShortStr,
        id: SessionId,
        number: u16,
        tag: &ShortStr,
        now: Instant,
    ) {
        self.remove_consumers(host, name, now, |consumer| consumer.is(id, number, tag));
    }

    /// A queue that deletes itself goes with its last consumer.
    pub(super) fn remove_consumers(
        &mut self,
        host: &str,
        name: &ShortStr,
        now: Instant,
        goes: impl Fn(&Consumer) -> bool,
    ) {
        let Some(queue) = self.queue_mut(host, name) else { return };
        queue.consumers.retain(|consumer| !goes(consumer));
        queue.use_now(now);
        if queue.auto_delete && queue.consumers.is_empty() {
            self.delete_queue(host, name);
        }
    }

    /// Delivers what the queue has to who has room for it.
    pub(super) fn dispatch(&mut self, host: &str, name: &ShortStr, now: Instant) {
        self.now = now;
        loop {
            self.expire_queue(host, name, now);
            if !self.deliver_one(host, name) {
                return;
            }
        }
    }

    /// Delivers the message in front, expired or not. Whether there was one, and somebody for it.
    pub(super) fn deliver_one(&mut self, host: &str, name: &ShortStr) -> bool {
        let Self { hosts, sessions, .. } = self;
        let takes = |consumer: &Consumer| {
            let session = sessions.get(&consumer.session);
            let session = session.filter(|session| session.transmit.len() < MAX_UNREAD);
            let channel = session.and_then(|session| session.channels.get(&consumer.channel));
            channel.is_some_and(|channel| consumer.no_ack || channel.has_room())
        };
        let queue = hosts.get_mut(host).and_then(|host| host.queues.get_mut(name));
        let Some(queue) = queue else { return false };
        let incarnation = queue.incarnation;
        let Some((consumer, message)) = queue.next_delivery(takes) else { return false };
        let (id, number, no_ack) = (consumer.session, consumer.channel, consumer.no_ack);
        let tag = consumer.tag.clone();
        if !no_ack {
            consumer.unacknowledged = consumer.unacknowledged.saturating_add(1);
        }
        let from = (name, incarnation);
        self.deliver(id, number, from, tag, no_ack, message);
        true
    }

    /// The client has read what was sent: there is room for what its consumers wait for.
    pub(super) fn deliver_to(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get(&id) else { return };
        let host = session.virtual_host.clone();
        let queues = session.channels.values().flat_map(|channel| channel.consumers.values());
        let queues: Vec<ShortStr> = queues.cloned().collect();
        for queue in queues {
            self.dispatch(&host, &queue, self.now);
        }
    }

    fn deliver(
        &mut self,
        id: SessionId,
        number: u16,
        (queue, incarnation): (&ShortStr, u64),
        consumer_tag: ShortStr,
        no_ack: bool,
        message: Message,
    ) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(channel) = session.channels.get_mut(&number) else { return };
        let delivery_tag = channel.next_delivery_tag();
        let deliver = basic::Deliver {
            consumer_tag: consumer_tag.clone(),
            delivery_tag,
            redelivered: message.redelivered,
            exchange: message.exchange.clone(),
            routing_key: message.routing_key.clone(),
        };
        let content = message.content.clone();
        if !no_ack {
            let queue = queue.detached();
            let unacknowledged = Unacknowledged { queue, incarnation, consumer_tag, message };
            channel.unacknowledged.insert(delivery_tag, unacknowledged);
        }
        session.send_content(number, deliver, &content);
    }

    pub(super) fn get(
        &mut self,
        id: SessionId,
        now: Instant,
        number: u16,
        get: &basic::Get,
    ) -> Raised {
        let name = self.named(id, number, &get.queue)?;
        if is_address(&name) {
            return self.refuse_address(id, number, &name, true);
        }
        let host = self.host_name(id);
        self.permit_queue(id, Act::Read, &name)?;
        self.expire_queue(&host, &name, now);
        let queue = self.existing(id, &name)?;
        queue.use_now(now);
        let Some(message) = queue.pop() else {
            return self.answer(id, number, false, basic::GetEmpty {});
        };
        let (message_count, incarnation) = (count(queue.len()), queue.incarnation);
        let session = self.session(id)?;
        let Some(channel) = session.channels.get_mut(&number) else { return Ok(()) };
        let delivery_tag = channel.next_delivery_tag();
        let ok = basic::GetOk {
            delivery_tag,
            redelivered: message.redelivered,
            exchange: message.exchange.clone(),
            routing_key: message.routing_key.clone(),
            message_count,
        };
        let content = message.content.clone();
        if !get.no_ack {
            let consumer_tag = ShortStr::EMPTY;
            let got = Unacknowledged { queue: name, incarnation, consumer_tag, message };
            channel.unacknowledged.insert(delivery_tag, got);
        }
        session.send_content(number, ok, &content);
        Ok(())
    }

    // ------------------------------------------------------------------ settling

    /// Ends deliveries: acknowledged, put back, or refused.
    pub(super) fn settle(
        &mut self,
        id: SessionId,
        now: Instant,
        number: u16,
        delivery_tag: u64,
        multiple: bool,
        fate: Fate,
    ) -> Raised {
        let host = self.host_name(id);
        let channel = self.channel(id, number)?;
        let tags: Vec<u64> = match (delivery_tag, multiple) {
            (0, true) => channel.unacknowledged.keys().copied().collect(),
            (tag, true) => channel.unacknowledged.range(..=tag).map(|(tag, _)| *tag).collect(),
            (tag, false) => channel.unacknowledged.get(&tag).map(|_| tag).into_iter().collect(),
        };
        // Also with `multiple`, the tag has to be that of a delivery that is not settled.
        let known = channel.unacknowledged.contains_key(&delivery_tag);
        if !known && (delivery_tag, multiple) != (0, true) {
            return Err(Raise::precondition(format!("unknown delivery tag {delivery_tag}")));
        }
        let mut settled: Vec<Unacknowledged> =
            tags.iter().filter_map(|tag| channel.unacknowledged.remove(tag)).collect();
        if fate == Fate::Requeued {
            settled.sort_unstable_by_key(|delivery| Reverse(delivery.message.position));
        }
        let mut queues: Vec<ShortStr> = Vec::new();
        for Unacknowledged { queue, incarnation, consumer_tag, message } in settled {
            let found = self.queue_mut(&host, &queue);
            if let Some(found) = found.filter(|found| found.incarnation == incarnation) {
                let mut consumers = found.consumers.iter_mut();
                if let Some(consumer) =
                    consumers.find(|consumer| consumer.is(id, number, &consumer_tag))
                {
                    consumer.unacknowledged = consumer.unacknowledged.saturating_sub(1);
                }
                match fate {
                    Fate::Acknowledged => {}
                    Fate::Requeued => found.put_back(message),
                    Fate::Refused => self.dead_letter(&host, &queue, message, Death::Rejected),
                }
            }
            if !queues.contains(&queue) {
                queues.push(queue);
            }
        }
        for queue in queues {
            self.dispatch(&host, &queue, now);
        }
        Ok(())
    }

    /// Puts everything unacknowledged back.
    pub(super) fn recover(&mut self, id: SessionId, now: Instant, number: u16) -> Raised {
        self.settle(id, now, number, 0, true, Fate::Requeued)
    }
}

/// Octets that may wait for a client to read them when one more message is delivered to it. Beyond,
/// messages wait in their queues, where memory is watched.
const MAX_UNREAD: usize = 1 << 20;

/// What becomes of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Acknowledged,
    Requeued,
    Refused,
}

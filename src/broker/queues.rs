//! The methods of class queue.

use alloc::format;
use alloc::vec::Vec;

use leveret_codec::{Method, ReplyCode, ShortStr, queue as method};

use super::direct_reply::is_address;
use super::equivalence::{check_arguments, check_equivalence};
use super::node::{Node, SessionId};
use super::permissions::Act;
use super::publishing::is_exchange;
use super::queue::Queue;
use super::raise::{Raise, Raised, queue_in};
use crate::Instant;
use crate::message::REPLY_TO;

impl Node {
    pub(super) fn queue_method(
        &mut self,
        id: SessionId,
        now: Instant,
        number: u16,
        method: Method,
    ) -> Raised {
        match method {
            Method::QueueDeclare(declare) => self.declare(id, now, number, declare),
            Method::QueueBind(bind) => {
                let queue = self.named(id, number, &bind.queue)?;
                self.bind(id, &queue, &bind.exchange)?;
                self.answer(id, number, bind.nowait, method::BindOk {})
            }
            Method::QueueUnbind(unbind) => {
                let queue = self.named(id, number, &unbind.queue)?;
                self.bind(id, &queue, &unbind.exchange)?;
                self.answer(id, number, false, method::UnbindOk {})
            }
            Method::QueuePurge(purge) => {
                let name = self.named(id, number, &purge.queue)?;
                let message_count = self.purge(id, &name)?;
                self.answer(id, number, purge.nowait, method::PurgeOk { message_count })
            }
            Method::QueueDelete(delete) => {
                let (queue, message_count) = self.check_delete(id, number, &delete)?;
                // Who deletes hears first, then who consumed.
                self.answer(id, number, delete.nowait, method::DeleteOk { message_count })?;
                let host = self.host_name(id);
                self.delete_queue(&host, &queue);
                Ok(())
            }
            // Those that only a broker sends.
            _ => Err(Raise::connection(ReplyCode::COMMAND_INVALID, "unimplemented method")),
        }
    }

    fn declare(
        &mut self,
        id: SessionId,
        now: Instant,
        number: u16,
        declare: method::Declare,
    ) -> Raised {
        let host = self.host_name(id);
        let mut name = strip_line_ends(&declare.queue);
        if name == REPLY_TO {
            let ok = method::DeclareOk { queue: REPLY_TO, message_count: 0, consumer_count: 1 };
            return self.answer(id, number, declare.nowait, ok);
        }
        if is_address(&name) {
            return self.declare_address(id, number, name, declare.nowait);
        }
        if name.is_empty() && declare.passive {
            name = self.named(id, number, &name)?;
        } else if name.is_empty() {
            name = self.random.name("amq.gen-");
        } else if !declare.passive
            && name.as_bytes().starts_with(b"amq.")
            && self.queue_mut(&host, &name).is_none()
        {
            let text = format!("queue name '{name}' contains reserved prefix 'amq.*'");
            return Err(Raise::channel(ReplyCode::ACCESS_REFUSED, text));
        }
        let described = queue_in(&host, &name);
        match declare.passive {
            true => self.permit_sight(id, &name)?,
            false => self.permit_queue(id, Act::Configure, &name)?,
        }
        match self.queue_mut(&host, &name) {
            Some(queue) if declare.passive => allow(queue, id, &described)?,
            Some(queue) => {
                if queue.exclusive.is_some() != declare.exclusive {
                    return Err(locked(&described));
                }
                allow(queue, id, &described)?;
                check_equivalence(queue, &declare, &described)?;
            }
            None if declare.passive => return Err(Raise::not_found(format!("no {described}"))),
            None => {
                check_arguments(&declare.arguments, &described)?;
                self.queues_made = self.queues_made.saturating_add(1);
                let mut queue = Queue::new(
                    declare.durable && !declare.exclusive,
                    declare.exclusive.then_some(id),
                    declare.auto_delete,
                    declare.arguments.detached(),
                    now,
                );
                queue.incarnation = self.queues_made;
                if let Some(host) = self.hosts.get_mut(&host) {
                    host.queues.insert(name.clone(), queue);
                }
            }
        }
        self.channel(id, number)?.last_queue = name.clone();
        let Some(queue) = self.queue_mut(&host, &name) else { return Err(Raise::Silence) };
        queue.use_now(now);
        let ok = method::DeclareOk {
            queue: name,
            message_count: count(queue.len()),
            consumer_count: count(queue.consumers.len()),
        };
        self.answer(id, number, declare.nowait, ok)
    }

    /// Only the default exchange routes here, whose bindings nobody may change.
    fn bind(&mut self, id: SessionId, queue: &ShortStr, exchange: &ShortStr) -> Raised {
        if self.settings.version.has_volatile_queues() && is_address(queue) {
            let text = "cannot bind or unbind to a volatile (direct reply-to) queue";
            return Err(Raise::channel(ReplyCode::ACCESS_REFUSED, text));
        }
        self.existing(id, queue)?;
        if exchange.is_empty() {
            let text = "operation not permitted on the default exchange";
            return Err(Raise::channel(ReplyCode::ACCESS_REFUSED, text));
        }
        if is_exchange(exchange) {
            let text = "bindings: this is a broker for tests of request/reply";
            return Err(Raise::connection(ReplyCode::NOT_IMPLEMENTED, text));
        }
        let host = self.host_name(id);
        Err(Raise::not_found(format!("no exchange '{exchange}' in vhost '{host}'")))
    }

    fn purge(&mut self, id: SessionId, name: &ShortStr) -> Raised<u32> {
        if self.settings.version.has_volatile_queues() && is_address(name) {
            return Ok(0);
        }
        self.permit_queue(id, Act::Read, name)?;
        let queue = self.existing(id, name)?;
        Ok(count(queue.purge()))
    }

    /// Whether the queue may be deleted, if it is there; its name, and how many messages it has.
    fn check_delete(
        &mut self,
        id: SessionId,
        number: u16,
        delete: &method::Delete,
    ) -> Raised<(ShortStr, u32)> {
        let name = self.named(id, number, &delete.queue)?;
        let host = self.host_name(id);
        let described = queue_in(&host, &name);
        self.permit_queue(id, Act::Configure, &name)?;
        let Some(queue) = self.queue_mut(&host, &name) else { return Ok((name, 0)) };
        allow(queue, id, &described)?;
        if delete.if_unused && !queue.consumers.is_empty() {
            return Err(Raise::precondition(format!("{described} in use")));
        }
        if delete.if_empty && queue.len() > 0 {
            return Err(Raise::precondition(format!("{described} not empty")));
        }
        let messages = count(queue.len());
        Ok((name, messages))
    }

    /// The queue goes, and its consumers hear of it, if they can.
    pub(super) fn delete_queue(&mut self, host: &str, name: &ShortStr) {
        let queues = self.hosts.get_mut(host).map(|host| &mut host.queues);
        let Some(queue) = queues.and_then(|queues| queues.remove(name)) else { return };
        for consumer in queue.consumers {
            let Some(session) = self.sessions.get_mut(&consumer.session) else { continue };
            if let Some(channel) = session.channels.get_mut(&consumer.channel) {
                channel.consumers.remove(&consumer.tag);
                if session.hears_of_cancel {
                    let cancel =
                        leveret_codec::basic::Cancel { consumer_tag: consumer.tag, nowait: true };
                    session.send(consumer.channel, cancel);
                }
            }
        }
    }

    // ------------------------------------------------------------------ names

    /// The queue that an empty name means.
    pub(super) fn named(
        &mut self,
        id: SessionId,
        number: u16,
        name: &ShortStr,
    ) -> Raised<ShortStr> {
        let name = strip_line_ends(name);
        if !name.is_empty() {
            return Ok(name);
        }
        let last = self.channel(id, number)?.last_queue.clone();
        if last.is_empty() {
            return Err(Raise::not_found("no previously declared queue"));
        }
        Ok(last)
    }

    /// A queue that is there and not another connection's own.
    pub(super) fn existing(&mut self, id: SessionId, name: &ShortStr) -> Raised<&mut Queue> {
        let host = self.host_name(id);
        let described = queue_in(&host, name);
        let queue = self
            .queue_mut(&host, name)
            .ok_or_else(|| Raise::not_found(format!("no {described}")))?;
        allow(queue, id, &described)?;
        Ok(queue)
    }

    pub(super) fn answer(
        &mut self,
        id: SessionId,
        number: u16,
        nowait: bool,
        method: impl Into<Method>,
    ) -> Raised {
        if !nowait {
            self.session(id)?.send(number, method);
        }
        Ok(())
    }
}

fn allow(queue: &Queue, id: SessionId, described: &str) -> Raised {
    match queue.exclusive {
        Some(owner) if owner != id => Err(locked(described)),
        _ => Ok(()),
    }
}

fn locked(described: &str) -> Raise {
    Raise::channel(
        ReplyCode::RESOURCE_LOCKED,
        format!(
            "cannot obtain exclusive access to locked {described}. It could be originally declared \
             on another connection or the exclusive property value does not match that of the \
             original declaration."
        ),
    )
}

/// RabbitMQ takes carriage returns and line feeds out of names. They are kept, and the buffer that
/// they came in must not be.
fn strip_line_ends(name: &ShortStr) -> ShortStr {
    if !name.as_bytes().iter().any(|octet| matches!(octet, b'\r' | b'\n')) {
        return name.detached();
    }
    let kept = name.as_bytes().iter().copied().filter(|octet| !matches!(octet, b'\r' | b'\n'));
    ShortStr::new(kept.collect::<Vec<_>>()).unwrap_or_default()
}

pub(super) fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

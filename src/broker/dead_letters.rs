//! Messages and queues whose time is over, and where refused messages go.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use leveret_codec::{FieldTable, ShortStr};

use super::channel::Message;
use super::node::Node;
use crate::Instant;

impl Node {
    pub(super) fn expire(&mut self, host: &str, now: Instant) {
        let names: Vec<ShortStr> =
            self.hosts.get(host).into_iter().flat_map(|host| host.queues.keys().cloned()).collect();
        for name in names {
            self.expire_queue(host, &name, now);
        }
    }

    pub(super) fn expire_queue(&mut self, host: &str, name: &ShortStr, now: Instant) {
        let Some(queue) = self.queue_mut(host, name) else { return };
        if queue.unused_until().is_some_and(|until| until <= now) {
            return self.delete_queue(host, name);
        }
        for message in queue.take_expired(now) {
            self.dead_letter(host, name, message, Death::Expired);
        }
    }

    /// A message that its queue is done with goes where the queue's arguments say, or nowhere. A
    /// queue is the only place there is, so the exchange has to be the default one.
    pub(super) fn dead_letter(
        &mut self,
        host: &str,
        name: &ShortStr,
        mut message: Message,
        death: Death,
    ) {
        let Some(queue) = self.queue_mut(host, name) else { return };
        let Some((exchange, key)) = queue.dead_letters().filter(|(to, _)| to.is_empty()) else {
            return;
        };
        let target = key.unwrap_or_else(|| message.routing_key.clone());
        let properties = &mut message.content.properties;
        // What does not fit into the headers is not told.
        let mut none = FieldTable::new();
        let headers = match message.content.deep_headers {
            Some(_) => &mut none,
            None => properties.headers.get_or_insert_default(),
        };
        let reason = if death == Death::Expired { "expired" } else { "rejected" };
        let _ = headers.insert("x-first-death-reason", reason);
        if let Ok(queue) = leveret_codec::LongStr::try_from(name.to_string()) {
            let _ = headers.insert("x-first-death-queue", queue);
        }
        properties.expiration = None;
        message.expires = None;
        message.redelivered = false;
        message.exchange = exchange;
        message.routing_key = target.clone();
        // What has only ever expired on its way turns in a circle if it comes back, and is dropped.
        match death {
            Death::Rejected => message.died_in.clear(),
            Death::Expired => message.died_in.push(name.detached()),
        }
        if !message.died_in.contains(&target) {
            let host = host.to_string();
            self.letters.push_back(Letter { host, target, message });
        }
    }

    /// Puts the dead letters into their queues, where they may die again.
    pub(super) fn post_letters(&mut self, now: Instant) {
        while let Some(Letter { host, target, message }) = self.letters.pop_front() {
            self.enqueue(&host, &target, now, message);
        }
    }
}

/// What a message died of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Death {
    Expired,
    Rejected,
}

/// A dead message on its way to another queue.
#[derive(Debug)]
pub(super) struct Letter {
    host: String,
    target: ShortStr,
    message: Message,
}

//! How channels and connections end, and what they give back.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::cmp::Reverse;

use leveret_codec::{ShortStr, channel as channel_method, connection as method};

use super::channel::Unacknowledged;
use super::node::{Node, SessionId};
use super::queue::Consumer;
use super::raise::{Raise, Raised, reply_text};
use super::session::State;
use crate::Instant;

impl Node {
    /// Carries an error out.
    pub(super) fn raise(
        &mut self,
        id: SessionId,
        now: Instant,
        number: u16,
        ids: (u16, u16),
        raise: Raise,
    ) {
        match raise {
            Raise::Channel { code, text } => {
                self.release_channel(id, now, number);
                let Ok(session) = self.session(id) else { return };
                let (class_id, method_id) = ids;
                let reply_text = reply_text(code, &text);
                session.send(
                    number,
                    channel_method::Close { reply_code: code, reply_text, class_id, method_id },
                );
                if let Some(channel) = session.channels.get_mut(&number) {
                    channel.closing = true;
                }
            }
            Raise::Connection { code, text, ids: given } => {
                self.release(id, now);
                if let Ok(session) = self.session(id) {
                    session.close(now, code, &text, given.unwrap_or(ids));
                }
            }
            Raise::Silence => self.handle_eof(id, now),
        }
    }

    /// The client has closed the connection.
    pub(super) fn closed_by_client(&mut self, id: SessionId, now: Instant) -> Raised {
        self.release(id, now);
        let session = self.session(id)?;
        session.send(0, method::CloseOk {});
        session.state = State::Closed;
        Ok(())
    }

    /// Gives back everything that a connection has: consumers, messages, queues of its own.
    pub(super) fn release(&mut self, id: SessionId, now: Instant) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let host = session.virtual_host.clone();
        let numbers: Vec<u16> = session.channels.keys().copied().collect();
        self.release_channels(id, now, &numbers);
        if let Some(session) = self.sessions.get_mut(&id) {
            session.channels.clear();
        }
        let queues = self.hosts.get(&host).into_iter().flat_map(|host| host.queues.iter());
        let own = queues.filter(|(_, queue)| queue.exclusive == Some(id));
        let own: Vec<ShortStr> = own.map(|(name, _)| name.clone()).collect();
        for name in own {
            self.delete_queue(&host, &name);
        }
    }

    /// Gives back everything that a channel has.
    pub(super) fn release_channel(&mut self, id: SessionId, now: Instant, number: u16) {
        self.release_channels(id, now, &[number]);
    }

    /// First all consumers go, so that none of them gets what comes back then. The numbers are in
    /// their order.
    fn release_channels(&mut self, id: SessionId, now: Instant, numbers: &[u16]) {
        let host = self.host_name(id);
        let mut unacknowledged = Vec::new();
        let mut consumed = BTreeSet::new();
        for number in numbers {
            let Ok(channel) = self.channel(id, *number) else { continue };
            let reply_consumer = channel.reply_consumer.take();
            consumed.extend(core::mem::take(&mut channel.consumers).into_values());
            unacknowledged.extend(core::mem::take(&mut channel.unacknowledged).into_values());
            if let Some(consumer) = reply_consumer {
                self.addresses.remove(&consumer.address);
            }
        }
        let goes = |consumer: &Consumer| {
            consumer.session == id && numbers.binary_search(&consumer.channel).is_ok()
        };
        for queue in &consumed {
            self.remove_consumers(&host, queue, now, goes);
        }
        unacknowledged
            .sort_unstable_by_key(|delivery: &Unacknowledged| Reverse(delivery.message.position));
        let mut queues: Vec<ShortStr> = Vec::new();
        for delivery in unacknowledged {
            let queue = self.queue_mut(&host, &delivery.queue);
            if let Some(queue) = queue.filter(|queue| queue.incarnation == delivery.incarnation) {
                queue.put_back(delivery.message);
            }
            if !queues.contains(&delivery.queue) {
                queues.push(delivery.queue);
            }
        }
        for queue in queues {
            self.dispatch(&host, &queue, now);
        }
    }
}

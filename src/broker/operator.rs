//! What the levers do to a [`Node`]: what an operator, or trouble, does to a real broker.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use leveret_codec::{ReplyCode, ShortStr, basic, connection as method};

use super::counts::QueueStats;
use super::node::{Node, SessionId};
use super::queue::Queue;
use super::raise::Raise;
use super::session::State;
use crate::Instant;

impl Node {
    /// User and virtual host of a client that has opened its connection.
    pub(super) fn guest(&self, id: SessionId) -> Option<(&str, &str)> {
        let session = self.sessions.get(&id)?;
        (!session.virtual_host.is_empty()).then_some((&*session.user, &*session.virtual_host))
    }

    // ------------------------------------------------------------------ alarms

    /// From now on, whoever publishes is blocked.
    pub fn set_alarm(&mut self, reason: ShortStr) {
        self.alarm = Some(reason);
    }

    /// The alarm that [`set_alarm`](Self::set_alarm) raised is over.
    pub fn clear_alarm(&mut self) {
        self.alarm = None;
        self.end_of_alarm();
    }

    /// Why publishers are blocked, if they are.
    pub(super) fn alarm(&self) -> Option<ShortStr> {
        let memory = self.out_of_memory.then(|| ShortStr::from_static("low on memory"));
        self.alarm.clone().or(memory)
    }

    /// When the last alarm is over, whoever was blocked is read again, and told so if it was told
    /// before.
    pub(super) fn end_of_alarm(&mut self) {
        if self.alarm().is_some() {
            return;
        }
        for session in self.sessions.values_mut() {
            if !core::mem::take(&mut session.blocked) {
                continue;
            }
            session.resumed = true;
            if session.hears_of_blocked && session.state == State::Running {
                session.send(0, method::Unblocked {});
            }
        }
    }

    // ------------------------------------------------------------------ queues

    /// The virtual hosts that have a queue of this name.
    fn hosts_of(&self, queue: &ShortStr) -> Vec<String> {
        let hosts = self.hosts.iter().filter(|(_, host)| host.queues.contains_key(queue));
        hosts.map(|(name, _)| name.clone()).collect()
    }

    /// Deletes it in every virtual host that has it. Whether there was any.
    pub fn delete_queues(&mut self, queue: &ShortStr) -> bool {
        let hosts = self.hosts_of(queue);
        for host in &hosts {
            self.delete_queue(host, queue);
        }
        !hosts.is_empty()
    }

    /// Cancels its consumers, as RabbitMQ does when a queue moves. What they have is still theirs
    /// to acknowledge. How many there were.
    pub fn cancel_consumers(&mut self, queue: &ShortStr, now: Instant) -> usize {
        let mut cancelled = 0_usize;
        for host in self.hosts_of(queue) {
            let Some(found) = self.queue_mut(&host, queue) else { continue };
            found.use_now(now);
            for consumer in core::mem::take(&mut found.consumers) {
                cancelled = cancelled.saturating_add(1);
                let Some(session) = self.sessions.get_mut(&consumer.session) else { continue };
                let Some(channel) = session.channels.get_mut(&consumer.channel) else { continue };
                channel.consumers.remove(&consumer.tag);
                if session.hears_of_cancel {
                    let cancel = basic::Cancel { consumer_tag: consumer.tag, nowait: true };
                    session.send(consumer.channel, cancel);
                }
            }
        }
        cancelled
    }

    /// What the queues of this name hold, if there are any.
    pub fn queue_stats(&self, queue: &ShortStr) -> Option<QueueStats> {
        let hosts = self.hosts_of(queue);
        let found = hosts.iter().filter_map(|host| self.hosts.get(host)?.queues.get(queue));
        let channels = self
            .sessions
            .values()
            .filter(|session| hosts.contains(&session.virtual_host))
            .flat_map(|session| session.channels.values());
        let unacknowledged = channels.flat_map(|channel| channel.unacknowledged.values());
        let stats = QueueStats {
            ready: found.clone().map(Queue::len).sum(),
            unacknowledged: unacknowledged.filter(|delivery| delivery.queue == *queue).count(),
            consumers: found.map(|queue| queue.consumers.len()).sum(),
        };
        (!hosts.is_empty()).then_some(stats)
    }

    /// How many queues there are, and what they hold together.
    pub(super) fn totals(&self) -> (usize, QueueStats) {
        let queues = || self.hosts.values().flat_map(|host| host.queues.values());
        let channels = self.sessions.values().flat_map(|session| session.channels.values());
        let totals = QueueStats {
            ready: queues().map(Queue::len).sum(),
            unacknowledged: channels.map(|channel| channel.unacknowledged.len()).sum(),
            consumers: queues().map(|queue| queue.consumers.len()).sum(),
        };
        (queues().count(), totals)
    }

    // ------------------------------------------------------------------ connections

    /// Closes a connection with a code. One that has not logged in yet is only dropped.
    pub fn close_session(&mut self, id: SessionId, now: Instant, code: ReplyCode, text: &str) {
        let Some(session) = self.sessions.get(&id) else { return };
        match session.state {
            State::Running => {
                let raise = Raise::frame(code, text.to_string());
                self.raise(id, now, 0, (0, 0), raise);
            }
            State::ExpectCloseOk | State::Closed => {}
            _ => self.handle_eof(id, now),
        }
    }

    /// Closes a channel with a code. Whether it was open.
    pub fn close_channel(
        &mut self,
        id: SessionId,
        now: Instant,
        number: u16,
        code: ReplyCode,
        text: &str,
    ) -> bool {
        let Ok(channel) = self.channel(id, number) else { return false };
        if channel.closing {
            return false;
        }
        let raise = Raise::channel(code, text.to_string());
        self.raise(id, now, number, (0, 0), raise);
        true
    }

    /// Sends octets between two frames. Whether there is still somebody to send them to.
    pub(super) fn send_raw(&mut self, id: SessionId, octets: &[u8]) -> bool {
        let Some(session) = self.sessions.get_mut(&id) else { return false };
        if session.state == State::Closed {
            return false;
        }
        session.transmit.extend_from_slice(octets);
        true
    }
}

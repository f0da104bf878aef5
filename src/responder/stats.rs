//! [`ServerStats`]: what a server has done so far, and is doing.

use core::iter::Sum;

use super::Responder;

/// What a server has done so far, and is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStats {
    /// Requests received.
    pub requests: u64,
    /// Those that may have been delivered before, to this server or another.
    pub redelivered: u64,
    /// Replies sent that are no faults.
    pub replies: u64,
    /// Faults sent, those of panics included.
    pub faults: u64,
    /// Handlers that panicked.
    pub panics: u64,
    /// Requests without a reply address: run, and not answered.
    pub without_reply_to: u64,
    /// Requests that were too large, or whose headers could not be read: neither run nor answered,
    /// but rejected without requeue, so that a dead-letter exchange can keep them. They are not
    /// among `requests`.
    pub unreadable: u64,
    /// Requests that had waited here for longer than their caller does: rejected without requeue, and
    /// not run.
    pub expired: u64,
    /// Answers that could not be sent, now or later.
    pub unsent: u64,
    /// Consumers that the broker has cancelled, and that were made anew.
    pub cancelled_by_broker: u64,
    /// Channels that the broker has closed, and that were made anew.
    pub channels_closed: u64,
    /// Connections that were ready, and lost.
    pub disconnects: u64,
    /// Requests whose handlers run at this moment.
    pub running: usize,
    /// Replies that wait for a connection or a channel at this moment.
    pub held: usize,
}

/// What several have done.
impl Sum for ServerStats {
    fn sum<I: Iterator<Item = Self>>(each: I) -> Self {
        each.fold(Self::default(), |sum, one| Self {
            requests: sum.requests.saturating_add(one.requests),
            redelivered: sum.redelivered.saturating_add(one.redelivered),
            replies: sum.replies.saturating_add(one.replies),
            faults: sum.faults.saturating_add(one.faults),
            panics: sum.panics.saturating_add(one.panics),
            without_reply_to: sum.without_reply_to.saturating_add(one.without_reply_to),
            unreadable: sum.unreadable.saturating_add(one.unreadable),
            expired: sum.expired.saturating_add(one.expired),
            unsent: sum.unsent.saturating_add(one.unsent),
            cancelled_by_broker: sum.cancelled_by_broker.saturating_add(one.cancelled_by_broker),
            channels_closed: sum.channels_closed.saturating_add(one.channels_closed),
            disconnects: sum.disconnects.saturating_add(one.disconnects),
            running: sum.running.saturating_add(one.running),
            held: sum.held.saturating_add(one.held),
        })
    }
}

impl Responder {
    /// How it goes.
    pub fn stats(&self) -> ServerStats {
        let running = self.queues.iter().map(|queue| queue.running).fold(0, usize::saturating_add);
        let (held, disconnects) = (self.held.len(), self.link.losses());
        ServerStats { running, held, disconnects, ..self.stats }
    }
}

//! [`Stats`]: what a client has done so far, and is doing.

use core::iter::Sum;

use super::Requester;

/// What a client has done so far, and is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Calls made.
    pub calls: u64,
    /// Calls that got their reply.
    pub replies: u64,
    /// Calls that were answered with a fault.
    pub faults: u64,
    /// Calls that failed in any other way.
    pub failures: u64,
    /// Calls that their user dropped before they ended.
    pub dropped: u64,
    /// How often a call was sent again ([`Retry`](crate::Retry)).
    pub retries: u64,
    /// Connections that were ready, and lost.
    pub disconnects: u64,
    /// Replies that came after their call had ended, or a second time: dropped.
    pub late_replies: u64,
    /// Replies whose correlation-id is none of ours, or missing: dropped.
    pub unknown_replies: u64,
    /// Replies that were too large, or whose headers could not be read. The call they answer fails
    /// with [`CallError::UnreadableReply`](crate::CallError::UnreadableReply); where none is to be seen in them, they are dropped.
    pub unreadable_replies: u64,
    /// Calls that have not ended, at this moment.
    pub pending: usize,
    /// Those of them that wait to be sent: for a connection, for others to end
    /// (`max_in_flight`), for the socket to take what came
    /// before, or for the end of an alarm.
    pub waiting: usize,
}

/// What several have done.
impl Sum for Stats {
    fn sum<I: Iterator<Item = Self>>(each: I) -> Self {
        each.fold(Self::default(), |sum, one| Self {
            calls: sum.calls.saturating_add(one.calls),
            replies: sum.replies.saturating_add(one.replies),
            faults: sum.faults.saturating_add(one.faults),
            failures: sum.failures.saturating_add(one.failures),
            dropped: sum.dropped.saturating_add(one.dropped),
            retries: sum.retries.saturating_add(one.retries),
            disconnects: sum.disconnects.saturating_add(one.disconnects),
            late_replies: sum.late_replies.saturating_add(one.late_replies),
            unknown_replies: sum.unknown_replies.saturating_add(one.unknown_replies),
            unreadable_replies: sum.unreadable_replies.saturating_add(one.unreadable_replies),
            pending: sum.pending.saturating_add(one.pending),
            waiting: sum.waiting.saturating_add(one.waiting),
        })
    }
}

impl Requester {
    /// How it goes.
    pub fn stats(&self) -> Stats {
        let waiting = self.calls.waiting();
        let disconnects = self.link.losses();
        Stats { pending: self.pending(), waiting, disconnects, ..self.stats }
    }

    /// Calls that have not ended.
    pub(super) fn pending(&self) -> usize {
        let Stats { calls, replies, faults, failures, dropped, .. } = self.stats;
        let ended = [replies, faults, failures, dropped].into_iter().fold(0, u64::saturating_add);
        usize::try_from(calls.saturating_sub(ended)).unwrap_or(usize::MAX)
    }
}

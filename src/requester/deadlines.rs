//! When calls run out of time: a queue and a heap that forget lazily.

use alloc::collections::{BinaryHeap, VecDeque};
use core::cmp::Reverse;

use super::calls::{CallId, Calls};
use crate::Instant;
use crate::time::earlier;

/// Most calls end long before their deadline, and taking each out of the middle would cost more than
/// the call. So entries stay until their time has come, or until they are most of all; then those of
/// ended calls are dropped in one pass.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    /// Most deadlines: calls of one timeout run out of it in the order in which they were made.
    in_order: VecDeque<Deadline>,
    /// Those that were earlier than the last of the others.
    others: BinaryHeap<Reverse<Deadline>>,
}

type Deadline = (Instant, CallId);

/// Below this many entries it is not worth a pass.
const SLACK: usize = 64;

impl Deadlines {
    #[inline]
    pub(super) fn push(&mut self, deadline: Instant, id: CallId, calls: &Calls) {
        let length = self.in_order.len().saturating_add(self.others.len());
        if length > calls.len().saturating_mul(2).saturating_add(SLACK) {
            self.forget_ended(calls);
        }
        match self.in_order.back() {
            Some((last, _)) if deadline < *last => self.others.push(Reverse((deadline, id))),
            _ => self.in_order.push_back((deadline, id)),
        }
    }

    fn forget_ended(&mut self, calls: &Calls) {
        self.in_order.retain(|(_, id)| calls.is_pending(*id));
        self.others.retain(|Reverse((_, id))| calls.is_pending(*id));
    }

    /// When to look again. It may be the deadline of a call that has ended.
    pub(super) fn next(&self) -> Option<Instant> {
        let in_order = self.in_order.front().map(|(deadline, _)| *deadline);
        earlier(in_order, self.others.peek().map(|Reverse((deadline, _))| *deadline))
    }

    /// A pending call whose time is over.
    pub(super) fn pop_expired(&mut self, now: Instant, calls: &Calls) -> Option<CallId> {
        while self.next()? <= now {
            let (_, id) = self.pop()?;
            if calls.is_pending(id) {
                return Some(id);
            }
        }
        None
    }

    /// The earliest of all.
    fn pop(&mut self) -> Option<Deadline> {
        match (self.in_order.front(), self.others.peek()) {
            (Some(in_order), Some(Reverse(other))) if other < in_order => {
                self.others.pop().map(|Reverse(other)| other)
            }
            (Some(_), _) => self.in_order.pop_front(),
            (None, _) => self.others.pop().map(|Reverse(other)| other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Retry;
    use crate::requester::calls::{Call, Phase};
    use alloc::vec::Vec;
    use core::time::Duration;

    fn second(second: u64) -> Instant {
        Instant::from_start(Duration::from_secs(second))
    }

    fn insert(deadline: Instant, deadlines: &mut Deadlines, calls: &mut Calls) -> CallId {
        let id = calls.insert(Call::new(Phase::BEGUN, Retry::Never, Duration::ZERO, deadline));
        deadlines.push(deadline, id, calls);
        id
    }

    /// Calls with these deadlines.
    fn with_deadlines(seconds: &[u64]) -> (Deadlines, Calls, Vec<CallId>) {
        let (mut deadlines, mut calls) = (Deadlines::default(), Calls::new(7));
        let ids =
            seconds.iter().map(|at| insert(second(*at), &mut deadlines, &mut calls)).collect();
        (deadlines, calls, ids)
    }

    #[test]
    fn they_come_in_the_order_of_time_whatever_the_order_they_were_made_in() {
        let seconds = [5, 9, 2, 9, 7, 12, 1, 5];
        let (mut deadlines, calls, ids) = with_deadlines(&seconds);
        let mut came = Vec::new();
        for now in 0..=12 {
            assert!(
                deadlines.next().is_some_and(|next| next > second(now) || seconds.contains(&now))
            );
            while let Some(id) = deadlines.pop_expired(second(now), &calls) {
                assert_eq!(ids.iter().zip(seconds).find(|(it, _)| **it == id).unwrap().1, now);
                came.push(now);
            }
        }
        assert_eq!(came, [1, 2, 5, 5, 7, 9, 9, 12]);
        assert_eq!(deadlines.next(), None);
    }

    #[test]
    fn those_of_ended_calls_do_not_gather() {
        for at in [|number: u64| number, |number| u64::MAX / 2_000_000_000 - number] {
            let (mut deadlines, mut calls, waiting) = with_deadlines(&[4_000, 3_000]);
            for number in 0..1_000 {
                let id = insert(second(at(number)), &mut deadlines, &mut calls);
                assert!(calls.remove(id).is_some());
                let length = deadlines.in_order.len() + deadlines.others.len();
                // The call itself was there when the last pass was thought better of.
                assert!(length <= 2 * (waiting.len() + 1) + SLACK + 1, "{length}");
            }
            let last = second(u64::MAX);
            let mut expired = core::iter::from_fn(|| deadlines.pop_expired(last, &calls));
            assert!(expired.by_ref().eq(waiting.into_iter().rev()));
        }
    }
}

//! When calls run out of time: a heap that forgets lazily.

use alloc::collections::BinaryHeap;
use core::cmp::Reverse;

use super::calls::{CallId, Calls};
use crate::Instant;

/// Most calls end long before their deadline, and taking each out of the middle of a heap would
/// cost more than the call. So entries stay until their time has come, or until they are most of
/// the heap; then those of ended calls are dropped in one pass.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    heap: BinaryHeap<Reverse<(Instant, CallId)>>,
}

/// Below this many entries it is not worth a pass.
const SLACK: usize = 64;

impl Deadlines {
    pub(super) fn push(&mut self, deadline: Instant, id: CallId, calls: &mut Calls) {
        if self.heap.len() > calls.len().saturating_mul(2).saturating_add(SLACK) {
            self.heap.retain(|Reverse((_, id))| is_pending(calls, *id));
        }
        self.heap.push(Reverse((deadline, id)));
    }

    /// When to look again. It may be the deadline of a call that has ended.
    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((deadline, _))| *deadline)
    }

    /// A pending call whose time is over.
    pub(super) fn pop_expired(&mut self, now: Instant, calls: &mut Calls) -> Option<CallId> {
        while self.next()? <= now {
            let Reverse((_, id)) = self.heap.pop()?;
            if is_pending(calls, id) {
                return Some(id);
            }
        }
        None
    }
}

fn is_pending(calls: &mut Calls, id: CallId) -> bool {
    calls.get_mut(id).is_some_and(|call| !call.phase.is_done())
}

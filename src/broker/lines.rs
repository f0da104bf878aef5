//! [`Lines`]: all connections of a broker below AMQP, and what is planned for those to come.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use super::counts::{BrokerStats, Counts};
use super::node::SessionId;
use super::observe::Observer;
use super::transport::{Faults, Line};

/// What is to happen to a connection from its beginning on.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Plan {
    pub(super) refuses: bool,
    pub(super) delay: Duration,
    pub(super) faults: Faults,
}

#[derive(Debug)]
pub(super) struct Lines {
    /// Whether frames are recorded.
    records: bool,
    /// Who is told what passes.
    observer: Option<Observer>,
    book: Mutex<Book>,
    /// Those who wait for something to change.
    watchers: Mutex<Vec<Waker>>,
}

#[derive(Debug, Default)]
struct Book {
    /// Oldest first.
    lines: VecDeque<Arc<Line>>,
    accepted: u64,
    /// The counts of lines that are no longer listed.
    received: Counts,
    sent: Counts,
    /// Those of the next connections, each with its number.
    plans: VecDeque<(u64, Plan)>,
    planned: u64,
}

/// How many connections that have ended are still listed.
const ENDED: usize = 100;

impl Lines {
    pub(super) fn new(records: bool, observer: Option<Observer>) -> Self {
        Self { records, observer, book: Mutex::default(), watchers: Mutex::default() }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ------------------------------------------------------------------ connections

    pub(super) fn accept(&self, id: SessionId, faults: Faults) -> Arc<Line> {
        let line = Line::new(id, faults, self.records, self.observer.clone());
        let mut book = self.book();
        book.accepted = book.accepted.saturating_add(1);
        book.lines.push_back(Arc::clone(&line));
        line
    }

    pub(super) fn end(&self, line: &Line) {
        line.end();
        let mut book = self.book();
        let ended = book.lines.iter().filter(|line| !line.is_open()).count();
        if ended > ENDED
            && let Some(oldest) = book.lines.iter().position(|line| !line.is_open())
            && let Some(line) = book.lines.remove(oldest)
        {
            let (received, sent) = line.counts();
            book.received.add(received);
            book.sent.add(sent);
        }
    }

    pub(super) fn all(&self) -> Vec<Arc<Line>> {
        self.book().lines.iter().cloned().collect()
    }

    /// What has passed over all of them.
    pub(super) fn stats(&self) -> BrokerStats {
        let book = self.book();
        let (mut received, mut sent) = (book.received, book.sent);
        for line in &book.lines {
            let (more_received, more_sent) = line.counts();
            received.add(more_received);
            sent.add(more_sent);
        }
        BrokerStats {
            connections_accepted: book.accepted,
            connections_open: book.lines.iter().filter(|line| line.is_open()).count(),
            frames_received: received.frames,
            frames_sent: sent.frames,
            octets_received: received.octets,
            octets_sent: sent.octets,
            published: received.published,
            delivered: sent.delivered,
            returned: sent.returned,
            acknowledged: received.acknowledged,
            ..BrokerStats::default()
        }
    }

    // ------------------------------------------------------------------ plans

    /// A plan for the first connection to come that has none. Its number is for
    /// [`change_plan`](Self::change_plan).
    pub(super) fn add_plan(&self) -> u64 {
        let mut book = self.book();
        book.planned = book.planned.saturating_add(1);
        let number = book.planned;
        book.plans.push_back((number, Plan::default()));
        number
    }

    /// Nothing happens if the connection has come already.
    pub(super) fn change_plan(&self, number: u64, change: impl FnOnce(&mut Plan)) {
        let mut book = self.book();
        if let Some((_, plan)) = book.plans.iter_mut().find(|(own, _)| *own == number) {
            change(plan);
        }
    }

    pub(super) fn next_plan(&self) -> Plan {
        self.book().plans.pop_front().map(|(_, plan)| plan).unwrap_or_default()
    }

    // ------------------------------------------------------------------ waiting

    /// Something may be different from what it was.
    pub(super) fn changed(&self) {
        let mut watchers = self.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        let woken = core::mem::take(&mut *watchers);
        drop(watchers);
        woken.into_iter().for_each(Waker::wake);
    }

    /// Waits until it is true, asking again whenever something has changed.
    pub(super) async fn until(&self, mut condition: impl FnMut() -> bool) {
        poll_fn(|context| {
            // Watch first, then look: what changes in between is not missed.
            let mut watchers = self.watchers.lock().unwrap_or_else(PoisonError::into_inner);
            if !watchers.iter().any(|watcher| watcher.will_wake(context.waker())) {
                watchers.push(context.waker().clone());
            }
            drop(watchers);
            if condition() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

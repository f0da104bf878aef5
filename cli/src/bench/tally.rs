//! [`Tally`]: what has come of the calls so far.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use leveret::CallError;

use crate::failure::Failure;

/// Shared by all callers.
#[derive(Debug)]
pub(super) struct Tally(Mutex<Counts>);

#[derive(Debug, Clone)]
pub(super) struct Counts {
    /// In nanoseconds, of the calls that succeeded.
    pub(super) latencies: Histogram<u64>,
    /// By kind.
    pub(super) errors: BTreeMap<&'static str, Errors>,
}

/// The errors of one kind.
#[derive(Debug, Clone)]
pub(super) struct Errors {
    pub(super) count: u64,
    /// What a single call that ends so exits with.
    pub(super) code: u8,
    /// The words of the first.
    pub(super) text: String,
}

impl Tally {
    pub(super) fn new() -> Self {
        let latencies = Histogram::new(3).expect("three digits are among those that there are");
        Self(Mutex::new(Counts { latencies, errors: BTreeMap::new() }))
    }

    pub(super) fn succeeded(&self, latency: Duration) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        let recorded = self.lock().latencies.record(nanoseconds.max(1));
        recorded.expect("the histogram grows with what it holds");
    }

    pub(super) fn failed(&self, error: CallError) {
        let kind = kind(&error);
        let mut counts = self.lock();
        let errors = counts.errors.entry(kind).or_insert_with(|| {
            let text = error.to_string();
            Errors { count: 0, code: Failure::from(error).code(), text }
        });
        errors.count = errors.count.saturating_add(1);
    }

    pub(super) fn counts(&self) -> Counts {
        self.lock().clone()
    }

    /// How many have succeeded, and how many failed.
    pub(super) fn done(&self) -> (u64, u64) {
        let counts = self.lock();
        (counts.succeeded(), counts.failed())
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    pub(super) fn succeeded(&self) -> u64 {
        self.latencies.len()
    }

    pub(super) fn failed(&self) -> u64 {
        self.errors.values().map(|errors| errors.count).sum()
    }

    /// Those with the highest exit code.
    pub(super) fn worst(&self) -> Option<&Errors> {
        self.errors.values().max_by_key(|errors| errors.code)
    }
}

fn kind(error: &CallError) -> &'static str {
    match error {
        CallError::Unroutable { .. } => "unroutable",
        CallError::Timeout { .. } => "timeout",
        CallError::Busy { .. } => "busy",
        CallError::Disconnected { .. } => "disconnected",
        CallError::Refused { .. } => "refused",
        CallError::ChannelClosed { .. } => "channel-closed",
        CallError::BodyTooLarge { .. } => "body-too-large",
        CallError::InvalidRequest(_) => "invalid-request",
        CallError::Fault(_) => "fault",
        CallError::UnreadableReply(_) => "unreadable-reply",
        CallError::Closed { .. } => "closed",
        _ => "other",
    }
}

//! What has become of each request, in some bits for each, so that the book does not grow.

use std::sync::atomic::{AtomicU64, Ordering};

use leveret::Request;

/// Which calls have begun, which have been run, and which were said not to have been.
pub(crate) struct Book {
    calls: u64,
    begun: AtomicU64,
    run: Bits,
    not_executed: Bits,
    /// Requests that were run twice, and the second time not marked as delivered again.
    doubles: AtomicU64,
    /// Requests that none of the calls has made.
    strange: AtomicU64,
    /// Replies to other calls.
    wrong: AtomicU64,
    /// Replies without a handler that has seen the request.
    invented: AtomicU64,
}

impl Book {
    pub(crate) fn new(calls: u64) -> Self {
        Self {
            calls,
            begun: AtomicU64::new(0),
            run: Bits::new(calls),
            not_executed: Bits::new(calls),
            doubles: AtomicU64::new(0),
            strange: AtomicU64::new(0),
            wrong: AtomicU64::new(0),
            invented: AtomicU64::new(0),
        }
    }

    /// The number of the next call, if there is to be one.
    pub(crate) fn begin(&self) -> Option<u64> {
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        (number < self.calls).then_some(number)
    }

    /// A handler has got this request.
    pub(crate) fn run(&self, request: &Request) {
        match number(&request.body).and_then(|number| self.run.set(number)) {
            Some(true) if !request.redelivered => count(&self.doubles),
            Some(_) => {}
            None => count(&self.strange),
        }
    }

    /// A call has got this reply.
    pub(crate) fn answered(&self, call: u64, reply: &[u8]) {
        if number(reply) != Some(call) {
            count(&self.wrong);
        }
        if !self.run.has(call) {
            count(&self.invented);
        }
    }

    /// A call has been told that nobody has run its request, and nobody will.
    pub(crate) fn not_executed(&self, call: u64) {
        self.not_executed.set(call);
    }

    /// What was not true.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let counts = [
            (self.run.in_common(&self.not_executed), "requests were run and said not to be"),
            (self.doubles.load(Ordering::SeqCst), "requests were run twice"),
            (self.strange.load(Ordering::SeqCst), "requests came from nowhere"),
            (self.wrong.load(Ordering::SeqCst), "replies went to the wrong call"),
            (self.invented.load(Ordering::SeqCst), "replies came from nowhere"),
        ];
        let found = counts.iter().filter(|(count, _)| *count > 0);
        found.map(|(count, what)| format!("{count} {what}")).collect()
    }
}

/// The call that a body belongs to.
fn number(body: &[u8]) -> Option<u64> {
    body.first_chunk().copied().map(u64::from_be_bytes)
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::SeqCst);
}

/// A set of numbers.
struct Bits(Vec<AtomicU64>);

impl Bits {
    /// Each word is written to, so that it is resident from the beginning.
    fn new(numbers: u64) -> Self {
        let bits = Self((0..=numbers / 64).map(|_| AtomicU64::new(u64::MAX)).collect());
        bits.0.iter().for_each(|word| word.store(0, Ordering::SeqCst));
        bits
    }

    fn word(&self, number: u64) -> Option<&AtomicU64> {
        self.0.get(usize::try_from(number / 64).ok()?)
    }

    /// Whether it was there before. `None`: it cannot be.
    fn set(&self, number: u64) -> Option<bool> {
        let bit = 1 << (number % 64);
        Some(self.word(number)?.fetch_or(bit, Ordering::SeqCst) & bit != 0)
    }

    fn has(&self, number: u64) -> bool {
        self.word(number).is_some_and(|word| word.load(Ordering::SeqCst) >> (number % 64) & 1 == 1)
    }

    fn in_common(&self, other: &Self) -> u64 {
        let pairs = self.0.iter().zip(&other.0);
        pairs
            .map(|(one, other)| one.load(Ordering::SeqCst) & other.load(Ordering::SeqCst))
            .map(|both| u64::from(both.count_ones()))
            .sum()
    }
}

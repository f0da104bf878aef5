//! One run of a client: so many calls to warm up, then those that count.

use std::cell::OnceCell;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use crate::Result;
use crate::measurement::{Latencies, Spent, Usage};

/// Calls are counted when they end, so that the number in flight is the same from the first that counts
/// to the last.
pub(crate) struct Run {
    warm_up: u64,
    calls: u64,
    /// Tells whoever waits for it that the calls that count begin.
    announces: bool,
    ended: AtomicU64,
    begin: OnceLock<Usage>,
    end: OnceLock<Usage>,
    /// Of each thread.
    latencies: Mutex<Vec<Arc<Mutex<Latencies>>>>,
}

thread_local! {
    static OWN: OnceCell<Arc<Mutex<Latencies>>> = const { OnceCell::new() };
}

impl Run {
    pub(crate) fn new(warm_up: u64, calls: u64, announces: bool) -> Arc<Self> {
        Arc::new(Self {
            warm_up: warm_up.max(1),
            calls: calls.max(1),
            announces,
            ended: AtomicU64::new(0),
            begin: OnceLock::new(),
            end: OnceLock::new(),
            latencies: Mutex::default(),
        })
    }

    /// A call has ended, now. Whether its caller is to make another.
    pub(crate) fn ended(&self, begin: Instant, end: Instant) -> bool {
        let number = self.ended.fetch_add(1, Relaxed) + 1;
        if number <= self.warm_up {
            if number == self.warm_up {
                self.begins();
            }
            return true;
        }
        let last = self.warm_up + self.calls;
        if number > last {
            return false;
        }
        OWN.with(|own| lock(own.get_or_init(|| self.latencies_of_thread())).record(begin, end));
        if number == last {
            _ = self.end.set(Usage::now().expect("getrusage"));
        }
        number < last
    }

    #[cold]
    fn begins(&self) {
        if self.announces {
            println!("begin");
        }
        _ = self.begin.set(Usage::now().expect("getrusage"));
    }

    #[cold]
    fn latencies_of_thread(&self) -> Arc<Mutex<Latencies>> {
        let own = Arc::new(Mutex::new(Latencies::new().expect("the bounds are right")));
        lock(&self.latencies).push(Arc::clone(&own));
        own
    }

    /// What was spent on the calls that count, and how long they took.
    pub(crate) fn result(&self) -> Result<(Spent, Latencies)> {
        let (begin, end) =
            self.begin.get().zip(self.end.get()).ok_or("the run ended before its last call")?;
        let mut latencies = Latencies::new()?;
        for own in lock(&self.latencies).iter() {
            latencies.add(&lock(own))?;
        }
        Ok((end.since(begin, self.calls), latencies))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! [`Load`]: how many calls are made, how many at once, and when each is due.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use leveret::CallError;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::tally::Tally;

#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    /// Callers, each with one call at a time.
    pub(super) concurrency: usize,
    /// The most calls.
    pub(super) calls: Option<u64>,
    /// No call begins later.
    pub(super) duration: Option<Duration>,
    /// Calls due a second. Without, each caller calls as soon as its last call has ended.
    pub(super) rate: Option<f64>,
}

/// A timer that rings on time may do so this much late. That is not the server's doing.
const TIMER_SLACK: Duration = Duration::from_millis(2);

impl Load {
    /// Makes the calls. What is dropped makes no more, and forgets those under way.
    pub(super) async fn run<F>(
        self,
        tally: &Arc<Tally>,
        call: impl Fn() -> F + Clone + Send + 'static,
    ) where
        F: Future<Output = Result<(), CallError>> + Send,
    {
        let start = Instant::now();
        let next = Arc::new(AtomicU64::new(0));
        let most = self.calls.and_then(|calls| usize::try_from(calls).ok()).unwrap_or(usize::MAX);
        let mut callers = JoinSet::new();
        for _ in 0..self.concurrency.min(most) {
            let (tally, next, call) = (Arc::clone(tally), Arc::clone(&next), call.clone());
            callers.spawn(async move {
                while let Some(begin) = self.turn(start, &next).await {
                    match call().await {
                        Ok(()) => tally.succeeded(begin.elapsed()),
                        Err(error) => tally.failed(error),
                    }
                }
            });
        }
        while let Some(ended) = callers.join_next().await {
            ended.expect("callers do not panic");
        }
    }

    /// Waits until the next call is due. From when on its latency counts, unless there is none to make.
    ///
    /// With a rate, that is when it was due, even if its caller was still busy with an earlier one: a
    /// server that stalls once is slow for all who would have called meanwhile, not only for those few
    /// that were just calling (coordinated omission).
    async fn turn(&self, start: Instant, next: &AtomicU64) -> Option<Instant> {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let end = self.duration.map(|duration| start + duration);
        let due = match self.rate {
            Some(rate) => start + Duration::try_from_secs_f64(number as f64 / rate).ok()?,
            None => Instant::now(),
        };
        if self.calls.is_some_and(|calls| number >= calls) || end.is_some_and(|end| due >= end) {
            return None;
        }
        sleep_until(due).await;
        let now = Instant::now();
        if end.is_some_and(|end| now >= end) {
            return None;
        }
        Some(if now.duration_since(due) <= TIMER_SLACK { now } else { due })
    }

    /// How many calls were due within the duration, where that is known.
    pub(super) fn due(&self) -> Option<u64> {
        let due = (self.duration?.as_secs_f64() * self.rate?).ceil() as u64;
        Some(self.calls.map_or(due, |calls| calls.min(due)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers in a millisecond, but for the first call, which takes a second. In virtual
    /// time: the latencies are exact.
    async fn latencies(load: Load) -> Vec<u64> {
        let tally = Arc::new(Tally::new());
        let calls = Arc::new(AtomicU64::new(0));
        let call = move || {
            let first = calls.fetch_add(1, Ordering::Relaxed) == 0;
            async move {
                tokio::time::sleep(Duration::from_millis(if first { 1000 } else { 1 })).await;
                Ok(())
            }
        };
        load.run(&tally, call).await;
        let latencies = tally.counts().latencies;
        latencies
            .iter_recorded()
            .flat_map(|step| {
                let milliseconds = step.value_iterated_to().div_ceil(1_000_000).saturating_sub(1);
                vec![milliseconds; usize::try_from(step.count_at_value()).unwrap()]
            })
            .collect()
    }

    const ONE: Load = Load { concurrency: 1, calls: Some(20), duration: None, rate: None };

    #[tokio::test(start_paused = true)]
    async fn with_a_rate_a_stall_counts_for_all_who_had_to_wait() {
        let seen = latencies(Load { rate: Some(100.0), ..ONE }).await;
        // Due every 10 ms, and begun one after the other once the first has ended.
        let mut expected = vec![1000];
        expected.extend((1..20).map(|number| 1000 - 10 * number + number));
        expected.sort_unstable();
        let near = |(seen, expected): (&u64, &u64)| seen.abs_diff(*expected) <= 1;
        assert!(seen.iter().zip(&expected).all(near), "{seen:?}, not {expected:?}");
        assert_eq!(seen.len(), 20);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_rate_only_one_call_is_slow() {
        let seen = latencies(ONE).await;
        assert_eq!(seen.iter().filter(|latency| **latency > 10).count(), 1, "{seen:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_are_due_and_not_made_in_time_are_known() {
        let duration = Some(Duration::from_millis(500));
        let load = Load { calls: None, duration, rate: Some(100.0), ..ONE };
        assert_eq!(load.due(), Some(50));
        // The first call ends after the duration, so it is the only one.
        assert_eq!(latencies(load).await.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn calls_are_made_at_the_rate() {
        let start = Instant::now();
        let load = Load { rate: Some(50.0), concurrency: 200, calls: Some(101), ..ONE };
        assert_eq!(latencies(load).await.len(), 101);
        // The last is due after two seconds.
        let elapsed = start.elapsed().as_millis();
        assert!((2000..2010).contains(&elapsed), "{elapsed} ms");
    }
}

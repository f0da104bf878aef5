//! [`Progress`]: a bar on stderr, if that is a terminal.

use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::{Instant, interval};

use super::load::Load;
use super::tally::Tally;

pub(super) struct Progress {
    bar: ProgressBar,
    load: Load,
    tally: Arc<Tally>,
}

const PACE: Duration = Duration::from_millis(200);

/// Over how long the rate is taken.
const WINDOW: u32 = 5;

impl Progress {
    pub(super) fn new(load: Load, tally: &Arc<Tally>) -> Self {
        let style = ProgressStyle::with_template("{bar:30} {percent:>3}%  {msg}")
            .expect("the template is one");
        // In thousandths, of the calls or of the time.
        let bar = ProgressBar::with_draw_target(Some(1000), ProgressDrawTarget::stderr());
        Self { bar: bar.with_style(style), load, tally: Arc::clone(tally) }
    }

    /// Draws until it is dropped.
    pub(super) async fn draw(&self) {
        if self.bar.is_hidden() {
            return std::future::pending().await;
        }
        let start = Instant::now();
        let mut ticks = interval(PACE);
        let mut before = vec![(start, 0)];
        loop {
            ticks.tick().await;
            let (succeeded, failed) = self.tally.done();
            let (now, done) = (Instant::now(), succeeded.saturating_add(failed));
            let (then, less) = before.first().copied().unwrap_or((start, 0));
            let seconds = now.duration_since(then).as_secs_f64().max(0.001);
            let rate = done.saturating_sub(less) as f64 / seconds;
            before.push((now, done));
            if before.len() > WINDOW as usize {
                before.remove(0);
            }
            self.bar.set_position(self.thousandths(done, start.elapsed()));
            self.bar.set_message(format!("{done} calls, {rate:.0}/s, {failed} failed"));
        }
    }

    fn thousandths(&self, done: u64, elapsed: Duration) -> u64 {
        let of_calls = self.load.calls.map_or(0.0, |calls| done as f64 / calls as f64);
        let of_time = self
            .load
            .duration
            .map_or(0.0, |duration| elapsed.as_secs_f64() / duration.as_secs_f64());
        (of_calls.max(of_time).min(1.0) * 1000.0) as u64
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

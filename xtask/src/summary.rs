//! The table at the end: which phase went how on which broker.

use std::{
    fmt,
    time::{Duration, Instant},
};

use crate::Result;

#[derive(Default)]
pub(crate) struct Summary {
    rows: Vec<Row>,
}

struct Row {
    broker: String,
    phase: String,
    passed: bool,
    duration: Duration,
}

impl Summary {
    /// Runs a phase, prints why it failed if it did, and notes how it went.
    pub(crate) fn phase<T>(
        &mut self,
        broker: &str,
        phase: &str,
        run: impl FnOnce() -> Result<T>,
    ) -> Option<T> {
        eprintln!("\nxtask: {broker}: {phase}");
        let began = Instant::now();
        let outcome = run().inspect_err(|error| eprintln!("xtask: {broker}: {phase}: {error}"));
        self.rows.push(Row {
            broker: broker.to_owned(),
            phase: phase.to_owned(),
            passed: outcome.is_ok(),
            duration: began.elapsed(),
        });
        outcome.ok()
    }

    pub(crate) fn passed(&self) -> bool {
        self.rows.iter().all(|row| row.passed)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<16} {:<18} {:<7} {:>8}", "broker", "phase", "result", "seconds")?;
        for Row { broker, phase, passed, duration } in &self.rows {
            let result = if *passed { "ok" } else { "FAILED" };
            let seconds = duration.as_secs_f32();
            writeln!(f, "{broker:<16} {phase:<18} {result:<7} {seconds:>8.1}")?;
        }
        Ok(())
    }
}

//! What came of a scenario: a row of the table that `cargo xtask faults` prints.

use std::env;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::Duration;

use crate::broker::variable;
use crate::ledger::Tally;

#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) scenario: String,
    pub(crate) tally: Tally,
    /// From when the broker could be reached again to the first success, fault by fault.
    pub(crate) recoveries: Vec<Duration>,
    pub(crate) result: String,
}

impl Figures {
    /// Appends the row to the table.
    pub(crate) fn record(&self) -> std::io::Result<()> {
        let Some(path) = env::var_os("LEVERET_FAULTS_TABLE") else { return Ok(()) };
        let Self { scenario, tally, recoveries, result } = self;
        let mut recoveries = recoveries.clone();
        recoveries.sort();
        let errors = tally.errors.iter().map(|(name, count)| format!("{count} {name}"));
        let errors = errors.collect::<Vec<_>>().join(", ");
        let milliseconds = |time: Option<&Duration>| match time {
            Some(time) => time.as_millis().to_string(),
            None => "-".to_owned(),
        };
        let cells = [
            scenario.clone(),
            variable("LEVERET_BROKER_VERSION"),
            errors,
            result.clone(),
            recoveries.len().to_string(),
            tally.calls.to_string(),
            tally.ok.to_string(),
            tally.not_executed.to_string(),
            tally.redelivered.to_string(),
            tally.slowest.as_millis().to_string(),
            milliseconds(recoveries.get(recoveries.len() / 2)),
            milliseconds(recoveries.last()),
        ];
        let mut table = OpenOptions::new().append(true).create(true).open(path)?;
        writeln!(table, "{}", cells.join("\t"))
    }
}

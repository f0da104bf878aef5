//! What libFuzzer said, in a table.

use std::fmt;

#[derive(Default)]
pub(super) struct Report {
    rows: Vec<Row>,
}

struct Row {
    target: String,
    runs: String,
    runs_per_second: String,
    /// Edges of the control flow, and these together with how often they were taken.
    coverage: String,
    features: String,
    /// The input that failed, and the words of the failure.
    found: Option<(String, String)>,
}

impl Report {
    pub(super) fn add(&mut self, target: &str, log: &str) {
        let statistic = |name: &str| {
            let line = log.lines().rev().find_map(|line| line.strip_prefix(name));
            line.map_or("?", |value| value.trim_start_matches(':').trim()).to_owned()
        };
        let status = log.lines().rev().find(|line| line.contains(" cov: ")).unwrap_or_default();
        let after = |name: &str| {
            let mut words = status.split_whitespace().skip_while(|word| *word != name);
            words.nth(1).unwrap_or("?").to_owned()
        };
        let input = log.lines().find_map(|line| line.split_once("Test unit written to "));
        let unfinished = !log.contains("stat::number_of_executed_units");
        let found = input.map(|(_, file)| file.to_owned()).or(unfinished.then(String::new));
        self.rows.push(Row {
            target: target.to_owned(),
            runs: statistic("stat::number_of_executed_units"),
            runs_per_second: statistic("stat::average_exec_per_sec"),
            coverage: after("cov:"),
            features: after("ft:"),
            found: found.map(|file| (file, words(log))),
        });
    }

    pub(super) fn is_clean(&self) -> bool {
        self.rows.iter().all(|row| row.found.is_none())
    }
}

/// The panic, or the end of what was said.
fn words(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    let start = lines.iter().position(|line| line.contains("panicked at"));
    let start = start.unwrap_or(lines.len().saturating_sub(20));
    lines.into_iter().skip(start).take(20).collect::<Vec<_>>().join("\n")
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<14} {:>10} {:>9} {:>7} {:>9}  result",
            "target", "runs", "runs/s", "edges", "features"
        )?;
        for row in &self.rows {
            let Row { target, runs, runs_per_second, coverage, features, .. } = row;
            let result = if row.found.is_some() { "FOUND" } else { "ok" };
            writeln!(
                f,
                "{target:<14} {runs:>10} {runs_per_second:>9} {coverage:>7} {features:>9}  {result}"
            )?;
        }
        for row in &self.rows {
            if let Some((file, words)) = &row.found {
                writeln!(f, "\n{}: {words}", row.target)?;
                writeln!(f, "again: cargo run -p leveret-fuzz --bin {} -- {file}", row.target)?;
            }
        }
        Ok(())
    }
}

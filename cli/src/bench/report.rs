//! [`Report`]: what came of it, for people or for programs.

use serde_json::{Map, Value, json};

use super::load::Load;
use super::tally::Counts;

pub(super) struct Report {
    pub(super) queue: String,
    pub(super) size: usize,
    pub(super) load: Load,
    /// From the first call's beginning to the last one's end.
    pub(super) seconds: f64,
    pub(super) counts: Counts,
    /// Whether it was ended before its time.
    pub(super) interrupted: bool,
}

const QUANTILES: [(&str, f64); 7] = [
    ("p50", 0.5),
    ("p75", 0.75),
    ("p90", 0.9),
    ("p95", 0.95),
    ("p99", 0.99),
    ("p99.9", 0.999),
    ("p99.99", 0.9999),
];

/// Rows of the histogram.
const ROWS: i32 = 12;

impl Report {
    pub(super) fn calls(&self) -> u64 {
        self.counts.succeeded().saturating_add(self.counts.failed())
    }

    pub(super) fn rate(&self) -> f64 {
        if self.seconds > 0.0 { self.calls() as f64 / self.seconds } else { 0.0 }
    }

    /// How many calls were due, and not begun in time since all callers were waiting.
    pub(super) fn missed(&self) -> u64 {
        if self.interrupted {
            return 0;
        }
        self.load.due().map_or(0, |due| due.saturating_sub(self.calls()))
    }

    /// By name, in milliseconds. None if no call succeeded.
    pub(super) fn latencies(&self) -> Vec<(&'static str, f64)> {
        let latencies = &self.counts.latencies;
        if latencies.is_empty() {
            return Vec::new();
        }
        let mut named = vec![("min", latencies.min() as f64), ("mean", latencies.mean())];
        named.extend(QUANTILES.map(|(name, at)| (name, latencies.value_at_quantile(at) as f64)));
        named.push(("max", latencies.max() as f64));
        named.into_iter().map(|(name, nanoseconds)| (name, nanoseconds / 1e6)).collect()
    }

    /// How many calls took up to so many milliseconds, and longer than the row before. Each row is
    /// wider than that by the same factor, for the slow ones are far from the others.
    pub(super) fn histogram(&self) -> Vec<(f64, u64)> {
        let latencies = &self.counts.latencies;
        if latencies.is_empty() {
            return Vec::new();
        }
        let (low, high) = (latencies.min().max(1) as f64, latencies.max() as f64);
        let factor = (high / low).powf(1.0 / f64::from(ROWS));
        let mut rows: Vec<(f64, u64)> = (1..=ROWS).map(|row| (low * factor.powi(row), 0)).collect();
        for step in latencies.iter_recorded() {
            let value = step.value_iterated_to() as f64;
            let row = rows.iter().position(|(up_to, _)| value <= *up_to);
            let row = row.unwrap_or(rows.len().saturating_sub(1));
            rows[row].1 = rows[row].1.saturating_add(step.count_at_value());
        }
        rows.into_iter().map(|(nanoseconds, count)| (nanoseconds / 1e6, count)).collect()
    }

    pub(super) fn json(&self) -> Value {
        let latency: Map<String, Value> =
            self.latencies().into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let errors: Map<String, Value> = (self.counts.errors.iter())
            .map(|(kind, errors)| ((*kind).into(), errors.count.into()))
            .collect();
        let histogram: Vec<Value> = (self.histogram().into_iter())
            .map(|(up_to, count)| json!({"up_to_ms": up_to, "count": count}))
            .collect();
        json!({
            "queue": self.queue,
            "size": self.size,
            "concurrency": self.load.concurrency,
            "target_rate": self.load.rate,
            "corrected": self.load.rate.is_some(),
            "calls": self.calls(),
            "succeeded": self.counts.succeeded(),
            "failed": self.counts.failed(),
            "missed": self.missed(),
            "seconds": self.seconds,
            "rate": self.rate(),
            "latency_ms": latency,
            "histogram": histogram,
            "errors": errors,
        })
    }

    /// A line of names, and one of values.
    pub(super) fn csv(&self) -> String {
        let errors = self.counts.errors.iter().map(|(kind, it)| format!("{kind}={}", it.count));
        let mut columns = vec![
            ("queue".to_owned(), quoted(&self.queue)),
            ("size".into(), self.size.to_string()),
            ("concurrency".into(), self.load.concurrency.to_string()),
            ("target_rate".into(), self.load.rate.map(|rate| rate.to_string()).unwrap_or_default()),
            ("corrected".into(), self.load.rate.is_some().to_string()),
            ("calls".into(), self.calls().to_string()),
            ("succeeded".into(), self.counts.succeeded().to_string()),
            ("failed".into(), self.counts.failed().to_string()),
            ("missed".into(), self.missed().to_string()),
            ("seconds".into(), format!("{:.6}", self.seconds)),
            ("rate".into(), format!("{:.3}", self.rate())),
        ];
        let latencies = self.latencies();
        for name in
            ["min", "mean"].into_iter().chain(QUANTILES.map(|(name, _)| name)).chain(["max"])
        {
            let found = latencies.iter().find(|(own, _)| *own == name);
            let value = found.map(|(_, value)| format!("{value:.6}")).unwrap_or_default();
            columns.push((format!("{name}_ms"), value));
        }
        columns.push(("errors".into(), errors.collect::<Vec<_>>().join(" ")));
        let (names, values): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        format!("{}\n{}", names.join(","), values.join(","))
    }
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.into()
    }
}

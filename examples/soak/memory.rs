//! The process's resident memory, looked at from time to time.

use std::fmt;
use std::fs;
use std::sync::Mutex;

/// How often it is looked at.
const SAMPLES: usize = 200;

/// How much the last quarter's mean may differ from the second's, in parts of it. The first is for
/// everything to get as large as it has to be.
const TOLERANCE: f64 = 0.05;

pub(crate) struct Memory {
    calls: u64,
    /// Has room for all of them from the beginning.
    samples: Mutex<Vec<f64>>,
}

impl Memory {
    pub(crate) fn new(calls: u64) -> Self {
        Self { calls, samples: Mutex::new(Vec::with_capacity(SAMPLES + 1)) }
    }

    /// Looks, if it is time to, when this call begins.
    pub(crate) fn look(&self, call: u64) {
        let interval = (self.calls / SAMPLES as u64).max(1);
        if (call + 1).is_multiple_of(interval) {
            self.samples.lock().expect("no panic").push(resident());
        }
    }

    /// The mean of each quarter, in MiB.
    fn quarters(&self) -> [f64; 4] {
        let samples = self.samples.lock().expect("no panic");
        let length = (samples.len() / 4).max(1);
        let mean = |quarter: usize| {
            let of_quarter = samples.iter().skip(quarter * length).take(length);
            of_quarter.sum::<f64>() / length as f64
        };
        [0, 1, 2, 3].map(mean)
    }

    fn growth(&self) -> f64 {
        let [_, second, _, last] = self.quarters();
        last / second - 1.0
    }

    /// What is wrong with it.
    pub(crate) fn complaint(&self) -> Option<String> {
        let growth = self.growth();
        // Written so that what is no number is a complaint, too.
        let is_flat = growth.abs() <= TOLERANCE;
        (!is_flat).then(|| format!("memory is not flat: {:+.1} %", growth * 100.0))
    }
}

/// In MiB.
fn resident() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    kibibytes.unwrap_or(f64::NAN) / 1024.0
}

/// A table, and the same as a line of JSON.
impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second, third, last] = self.quarters();
        let growth = self.growth() * 100.0;
        let count = self.samples.lock().expect("no panic").len();
        writeln!(f, "| quarter | resident MiB, of client, server and broker together |")?;
        writeln!(f, "| --- | ---: |")?;
        for (name, mean) in ["first", "second", "third", "last"].iter().zip(self.quarters()) {
            writeln!(f, "| {name} | {mean:.2} |")?;
        }
        writeln!(f, "\nlast to second: {growth:+.2} %, of {count} samples")?;
        writeln!(
            f,
            r#"{{"resident_mib":[{first:.3},{second:.3},{third:.3},{last:.3}],"growth_percent":{growth:.3},"samples":{count}}}"#
        )
    }
}

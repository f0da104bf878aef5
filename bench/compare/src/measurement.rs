//! What is measured, as JSON, and where it is read.

use std::time::Instant;

use clap::ValueEnum;
use hdrhistogram::Histogram;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use serde::{Deserialize, Serialize};

use crate::{Implementation, Result, RuntimeKind, allocations};

/// One run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Measurement {
    pub(crate) side: Side,
    pub(crate) implementation: Implementation,
    /// The broker.
    pub(crate) against: String,
    pub(crate) runtime: RuntimeKind,
    pub(crate) in_flight: usize,
    pub(crate) body_size: usize,
    pub(crate) round: usize,
    pub(crate) calls: u64,
    pub(crate) seconds: f64,
    pub(crate) calls_per_second: f64,
    pub(crate) user_microseconds_per_call: f64,
    pub(crate) system_microseconds_per_call: f64,
    pub(crate) p50_microseconds: f64,
    pub(crate) p99_microseconds: f64,
    pub(crate) p999_microseconds: f64,
    pub(crate) system_calls_per_call: Option<f64>,
    pub(crate) allocations_per_call: Option<f64>,
    /// From the start of the process.
    pub(crate) peak_memory_octets: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    Client,
    Server,
}

/// What this process had used up at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    at: Instant,
    user_microseconds: i64,
    system_microseconds: i64,
    allocations: Option<u64>,
    peak_memory_octets: u64,
}

impl Usage {
    pub(crate) fn now() -> Result<Self> {
        let usage = getrusage(UsageWho::RUSAGE_SELF)?;
        Ok(Self {
            at: Instant::now(),
            user_microseconds: usage.user_time().num_microseconds(),
            system_microseconds: usage.system_time().num_microseconds(),
            allocations: allocations::counted(),
            peak_memory_octets: u64::try_from(usage.max_rss())? * 1024,
        })
    }

    /// What was used up from `begin` to this moment, for `calls` calls.
    pub(crate) fn since(&self, begin: &Self, calls: u64) -> Spent {
        let each = |total: f64| total / calls.max(1) as f64;
        let allocations = self.allocations.zip(begin.allocations).map(|(end, begin)| end - begin);
        Spent {
            calls,
            seconds: (self.at - begin.at).as_secs_f64(),
            user_microseconds_per_call: each(
                (self.user_microseconds - begin.user_microseconds) as f64,
            ),
            system_microseconds_per_call: each(
                (self.system_microseconds - begin.system_microseconds) as f64,
            ),
            allocations_per_call: allocations.map(|allocations| each(allocations as f64)),
            peak_memory_octets: self.peak_memory_octets,
        }
    }
}

/// What a process spent on a number of calls. A measured server prints it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Spent {
    pub(crate) calls: u64,
    pub(crate) seconds: f64,
    pub(crate) user_microseconds_per_call: f64,
    pub(crate) system_microseconds_per_call: f64,
    pub(crate) allocations_per_call: Option<f64>,
    pub(crate) peak_memory_octets: u64,
}

/// How long calls took, to three digits.
pub(crate) struct Latencies(Histogram<u64>);

impl Latencies {
    pub(crate) fn new() -> Result<Self> {
        const MINUTE_IN_NANOSECONDS: u64 = 60_000_000_000;
        Ok(Self(Histogram::new_with_max(MINUTE_IN_NANOSECONDS, 3)?))
    }

    pub(crate) fn record(&mut self, begin: Instant, end: Instant) {
        self.0.saturating_record((end - begin).as_nanos() as u64);
    }

    pub(crate) fn add(&mut self, other: &Self) -> Result {
        Ok(self.0.add(&other.0)?)
    }

    pub(crate) fn quantile_in_microseconds(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64 / 1_000.0
    }
}

//! Clients, servers and the broker inside the process, joined by a network that is slow, stalls and
//! breaks, in virtual time: no socket, no clock, no thread, and all chance from one seed.
//!
//! ```sh
//! cargo xtask simulate --seeds 10000
//! cargo xtask simulate --seed 4711      # one of them again, with its story
//! ```

pub mod agenda;
pub mod broker;
pub mod client;
pub mod driver;
pub mod ledger;
pub mod network;
pub mod plan;
pub mod random;
pub mod requests;
pub mod server;
pub mod stage;
pub mod trace;
pub mod wire;
pub mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::trace::Trace;
pub use crate::world::Report;
use crate::world::World;

/// What a seed has come to.
#[derive(Debug)]
pub struct Run {
    /// What was wrong, if anything was, with the seed and the time.
    pub violation: Option<String>,
    /// Everything that happened, if it was to be told.
    pub story: String,
    /// Its numbers.
    pub report: Report,
}

/// Runs a seed.
pub fn run(seed: u64, tells: bool) -> Run {
    let trace = Trace::new(tells);
    let result = catch_unwind(AssertUnwindSafe(|| World::new(seed, trace.clone()).run()));
    let (violation, report) = match result {
        Ok((violation, report)) => {
            let told = violation.map(|(at, what)| {
                format!("seed {seed}, at {:.6}: {what}", at.since_start().as_secs_f64())
            });
            (told, report)
        }
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().copied();
            let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
            let text = text.unwrap_or("of no words");
            (Some(format!("seed {seed}: a panic: {text}")), Report::default())
        }
    };
    Run { violation, story: trace.story(), report }
}

//! Runs seeds on all processors, until one of them fails.

use std::collections::VecDeque;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Parser;
use leveret_simulation::run;

/// Simulates clients, servers and a broker in virtual time
#[derive(Parser)]
struct Options {
    /// How many seeds to run
    #[arg(long, value_name = "N", default_value_t = 1000)]
    seeds: u64,

    /// The first of them
    #[arg(long, value_name = "S", default_value_t = 0)]
    from: u64,

    /// Run this seed alone, and tell its story
    #[arg(long, value_name = "S", conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match options.seed {
        Some(seed) => replay(seed),
        None => run_all(options.from, options.seeds),
    }
}

fn replay(seed: u64) -> ExitCode {
    let run = run(seed, true);
    print!("{}", run.story);
    match run.violation {
        Some(violation) => {
            eprintln!("{violation}");
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    }
}

fn run_all(from: u64, seeds: u64) -> ExitCode {
    // The first failure tells what was wrong; the panic that led there need not be told before.
    std::panic::set_hook(Box::new(|_| {}));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicU64::new(from);
    let done = AtomicU64::new(0);
    let (calls, seconds) = (AtomicU64::new(0), AtomicU64::new(0));
    let failed = Mutex::new(VecDeque::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from.saturating_add(seeds) {
                        return;
                    }
                    let run = run(seed, false);
                    calls.fetch_add(run.report.calls, Ordering::Relaxed);
                    seconds.fetch_add(run.report.virtual_time.as_secs(), Ordering::Relaxed);
                    let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                    if let Some(violation) = run.violation {
                        failed.lock().expect("nobody panics here").push_back((seed, violation));
                        next.store(u64::MAX >> 1, Ordering::Relaxed);
                    }
                    if done.is_multiple_of(10_000) {
                        eprintln!("{done} seeds");
                    }
                }
            });
        }
    });
    let [done, calls, seconds] = [done, calls, seconds].map(AtomicU64::into_inner);
    let time = Duration::from_secs(seconds);
    println!("{done} seeds, {calls} calls, {} hours of virtual time", time.as_secs() / 3600);
    let failed = failed.into_inner().expect("nobody panics here");
    // The lowest, so that it is the same one on every machine, as far as that goes.
    match failed.into_iter().min() {
        Some((seed, violation)) => {
            println!("{violation}\nreplay it with: cargo xtask simulate --seed {seed}");
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    }
}

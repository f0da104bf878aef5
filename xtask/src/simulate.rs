//! `cargo xtask simulate`: seeds of the simulation, and mutations that it has to catch.

mod mutations;

use std::process::Command;

use clap::Args;

use crate::{Result, process, workspace};

#[derive(Args)]
pub(crate) struct Options {
    /// How many seeds to run; of each mutation, at most
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    seeds: u64,

    /// The first of them
    #[arg(long, value_name = "S", default_value_t = 0)]
    from: u64,

    /// Run this seed alone, and tell its story
    #[arg(long, value_name = "S", conflicts_with_all = ["seeds", "from", "mutations"])]
    seed: Option<u64>,

    /// Instead, break Leveret in one way after the other, and see the simulation fail
    #[arg(long)]
    mutations: bool,
}

pub(crate) fn run(options: &Options) -> Result {
    if options.mutations {
        return mutations::run(options.from, options.seeds);
    }
    let mut command = cargo();
    command.current_dir(workspace()).args(["run", "--quiet"]).args(SIMULATION).arg("--");
    match options.seed {
        Some(seed) => command.args(["--seed", &seed.to_string()]),
        None => command.args(range(options.from, options.seeds)),
    };
    let status = process::run(&mut command)?;
    if status.success() { Ok(()) } else { Err("the simulation has failed".into()) }
}

/// What to build, and how: fast, with all assertions.
const SIMULATION: [&str; 4] = ["--profile", "simulation", "--package", "leveret-simulation"];

fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn range(from: u64, seeds: u64) -> [String; 4] {
    ["--from".into(), from.to_string(), "--seeds".into(), seeds.to_string()]
}

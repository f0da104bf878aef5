//! `cargo xtask soak`: millions of calls, some dropped and some cut off, and what is left of that.

use std::process::Command;

use clap::Args;

use crate::{Result, process, workspace};

#[derive(Args)]
pub(crate) struct Options {
    /// How many calls to make
    #[arg(long, value_name = "N", default_value_t = 5_000_000)]
    calls: u64,
}

/// Runs `examples/soak`, which looks at the memory of its own process and judges what is left.
pub(crate) fn run(options: &Options) -> Result {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(workspace())
        .args(["run", "--quiet", "--release", "--example", "soak", "--"])
        .arg(options.calls.to_string());
    process::check("the soak", &mut command)
}

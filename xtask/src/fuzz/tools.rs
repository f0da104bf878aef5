//! What fuzzing takes: a nightly toolchain, a C++ compiler for libFuzzer, and cargo-fuzz.

use std::process::Command;

use crate::{
    Result,
    peers::{require, succeeds},
    process, workspace,
};

pub(super) enum Toolchain {
    Nightly,
    /// The one that built this, with its unstable options switched on: they are what nightly is for.
    Own,
}

impl Toolchain {
    /// Finds all that it takes, or installs it.
    pub(super) fn prepare() -> Result<Self> {
        if !require(&["g++"], || succeeds("c++", ["--version"]))? {
            return Err("libFuzzer needs a C++ compiler: install the package g++".into());
        }
        require_subcommand("fuzz")?;
        Ok(Self::choose())
    }

    fn choose() -> Self {
        let has_nightly = || succeeds("rustup", ["run", "nightly", "cargo", "--version"]);
        if has_nightly() {
            return Self::Nightly;
        }
        eprintln!("xtask: installing a nightly toolchain");
        let install = ["toolchain", "install", "nightly", "--profile", "minimal"];
        if succeeds("rustup", install) && has_nightly() {
            return Self::Nightly;
        }
        eprintln!("xtask: there is no nightly toolchain to be had; the present one will do");
        Self::Own
    }

    /// A command of cargo-fuzz, for `fuzz/`.
    pub(super) fn cargo_fuzz(&self, verb: &str) -> Command {
        let mut command = match self {
            Self::Nightly => {
                let mut command = Command::new("rustup");
                command.args(["run", "nightly", "cargo"]);
                command
            }
            Self::Own => {
                let mut command = Command::new("cargo");
                command.env("RUSTC_BOOTSTRAP", "1");
                command
            }
        };
        // Those are of the cargo that runs this.
        for variable in ["CARGO", "RUSTC", "RUSTDOC"] {
            command.env_remove(variable);
        }
        command.current_dir(workspace()).args(["fuzz", verb]);
        command
    }
}

/// Installs a subcommand of cargo that is not there.
pub(super) fn require_subcommand(name: &str) -> Result {
    if succeeds("cargo", [name, "--version"]) {
        return Ok(());
    }
    let package = format!("cargo-{name}");
    eprintln!("xtask: installing {package}");
    let mut install = Command::new("cargo");
    process::check("cargo install", install.args(["install", "--locked", &package]))
}

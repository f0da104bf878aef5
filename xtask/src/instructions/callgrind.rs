//! callgrind, which counts the instructions of a program while it runs it.

use std::{fs, path::PathBuf, process::Command};

use super::program;
use crate::{
    Result,
    peers::{require, succeeds},
    process, workspace,
};

/// Finds valgrind, which callgrind is a tool of, or installs it.
pub(super) fn prepare() -> Result {
    match require(&["valgrind"], || succeeds("valgrind", ["--version"]))? {
        true => Ok(()),
        false => Err("counting instructions takes valgrind: install the package valgrind".into()),
    }
}

/// Where the profile of each scenario goes.
pub(super) fn folder() -> PathBuf {
    workspace().join("target/instructions")
}

/// Those of all operations of a scenario.
pub(super) fn instructions_of(scenario: &str) -> Result<f64> {
    fs::create_dir_all(folder())?;
    let profile = folder().join(scenario.replace('/', "-"));
    let mut command = Command::new("valgrind");
    command
        .args(["--quiet", "--tool=callgrind", "--collect-atstart=no"])
        .arg(format!("--toggle-collect={MEASURED}"))
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(program("instructions").get_program())
        .arg(scenario);
    process::output(&mut command)?;
    total(&fs::read_to_string(profile)?).map_err(|error| format!("{scenario}: {error}").into())
}

/// The function of that program, whatever it is generic over, in which counting is on.
const MEASURED: &str = "instructions::measured*";

fn total(profile: &str) -> Result<f64> {
    let total = profile.lines().find_map(|line| line.strip_prefix("totals: "));
    match total.ok_or("the profile has no total")?.trim().parse()? {
        0.0 => Err(format!("callgrind has not come across {MEASURED}").into()),
        instructions => Ok(instructions),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_ends_with_the_total() {
        let profile = "events: Ir\nsummary: 410000\n\nfn=(4)\n12 30\n\ntotals: 410000\n";
        assert_eq!(total(profile).unwrap(), 410_000.0);
        assert!(total("events: Ir\n").is_err());
    }

    #[test]
    fn nothing_counted_is_no_figure() {
        let error = total("events: Ir\ntotals: 0\n").unwrap_err();
        assert!(error.to_string().contains(MEASURED), "{error}");
    }
}

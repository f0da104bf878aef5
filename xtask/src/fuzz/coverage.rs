//! `cargo xtask fuzz --coverage`: how many lines the corpora run through, by cargo-llvm-cov.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use serde_json::Value;

use super::tools::require_subcommand;
use crate::{Result, process, workspace};

/// What is counted, by folder.
const PARTS: [(&str, &str); 6] = [
    ("codec/src", "codec"),
    ("src/connection", "connection"),
    ("src/requester", "requester"),
    ("src/responder", "responder"),
    ("src/broker", "broker"),
    ("src/uri", "uri"),
];

/// The broker's sockets, tasks and levers, and the scripted peer: no target runs them.
const WITH_IO: [&str; 9] = [
    "admin.rs",
    "connections.rs",
    "counts.rs",
    "describe.rs",
    "levers.rs",
    "lines.rs",
    "listener.rs",
    "observe.rs",
    "transport.rs",
];

#[derive(Default)]
struct Lines {
    all: u64,
    covered: u64,
    files: Vec<(String, u64, u64)>,
}

pub(super) fn print() -> Result {
    require_subcommand("llvm-cov")?;
    let file = workspace().join("target/fuzz-coverage.json");
    let mut run = Command::new("cargo");
    run.current_dir(workspace())
        .args(["llvm-cov", "--workspace", "--exclude-from-report", "leveret-fuzz"])
        .args(
            ["leveret", "leveret-codec", "xtask"].map(|name| format!("--exclude-from-test={name}")),
        )
        .args(["--test", "corpora", "--json", "--summary-only", "--output-path"])
        .arg(&file);
    process::check("cargo llvm-cov", &mut run)?;
    let report: Value = serde_json::from_str(&fs::read_to_string(file)?)?;

    let mut parts: BTreeMap<&str, Lines> = BTreeMap::new();
    let files = report["data"][0]["files"].as_array().ok_or("cargo llvm-cov reports no files")?;
    for file in files {
        let path = file["filename"].as_str().unwrap_or_default();
        let Some((name, part)) = part_of(Path::new(path)) else { continue };
        let lines = &file["summary"]["lines"];
        let all = lines["count"].as_u64().unwrap_or_default();
        let covered = lines["covered"].as_u64().unwrap_or_default();
        let part = parts.entry(part).or_default();
        part.all += all;
        part.covered += covered;
        part.files.push((name, all, covered));
    }
    println!("{:<12} {:>6} {:>8} {:>7}", "part", "lines", "covered", "");
    for (name, Lines { all, covered, files }) in &parts {
        println!("{name:<12} {all:>6} {covered:>8} {:>6.1}%", percent(*covered, *all));
        for (name, all, covered) in files.iter().filter(|(_, all, covered)| covered < all) {
            println!("  {name:<32} {} of {all} lines are not", all - covered);
        }
    }
    Ok(())
}

fn percent(covered: u64, all: u64) -> f64 {
    100.0 * covered as f64 / all.max(1) as f64
}

/// The file's name from the root of the workspace, and the part that it belongs to.
fn part_of(path: &Path) -> Option<(String, &'static str)> {
    let name = path.strip_prefix(workspace()).ok()?;
    let file = name.file_name()?.to_string_lossy();
    if name.starts_with("src/broker/script")
        || name == Path::new("src/broker/script.rs")
        || WITH_IO.contains(&&*file) && name.starts_with("src/broker")
    {
        return None;
    }
    if name == Path::new("src/uri.rs") {
        return Some((name.display().to_string(), "uri"));
    }
    let (_, part) = PARTS.iter().find(|(folder, _)| name.starts_with(folder))?;
    Some((name.display().to_string(), part))
}

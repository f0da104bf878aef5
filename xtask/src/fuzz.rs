//! `cargo xtask fuzz`: the targets in `fuzz/`, each for a time or a number of runs.
//!
//! A run begins with the corpus in `fuzz/corpus` and keeps what it finds on top of that in
//! `target/fuzz`; `--minimise` takes into `fuzz/corpus` what of it is worth keeping.

mod coverage;
mod report;
mod tools;

use std::{
    fs::{self, File},
    path::PathBuf,
};

use clap::Args;

use self::{report::Report, tools::Toolchain};
use crate::{Result, process, workspace};

#[derive(Args)]
pub(crate) struct Options {
    /// The targets; all of them, one after the other, if none is named
    targets: Vec<String>,

    /// How long to fuzz each target
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u64,

    /// Fuzz each target for so many runs, and always for the same ones
    #[arg(long, value_name = "N", conflicts_with = "seconds")]
    runs: Option<u64>,

    /// Afterwards, take what was found into fuzz/corpus, and leave out what adds nothing
    #[arg(long)]
    minimise: bool,

    /// Do not fuzz, but print how much of the code the corpora in fuzz/corpus run through
    #[arg(long, conflicts_with_all = ["targets", "seconds", "runs", "minimise"])]
    coverage: bool,
}

pub(crate) fn run(options: &Options) -> Result {
    if options.coverage {
        return coverage::print();
    }
    let known = targets()?;
    if let Some(unknown) = options.targets.iter().find(|name| !known.contains(name)) {
        return Err(format!("there is no target {unknown}: there are {}", known.join(", ")).into());
    }
    let chosen = if options.targets.is_empty() { &known } else { &options.targets };

    let toolchain = Toolchain::prepare()?;
    process::check("cargo fuzz build", &mut toolchain.cargo_fuzz("build"))?;
    let mut report = Report::default();
    for target in chosen {
        let log = fuzz(&toolchain, target, options)?;
        report.add(target, &fs::read_to_string(log)?);
    }
    if options.minimise && report.is_clean() {
        for target in chosen {
            minimise(&toolchain, target)?;
        }
    }
    eprint!("\n{report}");
    if report.is_clean() { Ok(()) } else { Err("something was found".into()) }
}

/// The names of the files in `fuzz/targets`.
fn targets() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(workspace().join("fuzz/targets"))? {
        names.extend(entry?.path().file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

/// What is found, and not checked in.
fn findings(target: &str) -> Result<PathBuf> {
    let folder = workspace().join("target/fuzz").join(target);
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn corpus(target: &str) -> Result<PathBuf> {
    let folder = workspace().join("fuzz/corpus").join(target);
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Fuzzes one target. What libFuzzer said is in the file, whether it found something or not.
fn fuzz(toolchain: &Toolchain, target: &str, options: &Options) -> Result<PathBuf> {
    let dictionary = match target {
        "uri" => "uri.dict",
        _ => "amqp.dict",
    };
    let dictionary = workspace().join("fuzz/dictionaries").join(dictionary);
    let mut arguments = vec![
        format!("-dict={}", dictionary.display()),
        format!("-artifact_prefix={}/", workspace().join("target/fuzz").join(target).display()),
        "-print_final_stats=1".into(),
        "-max_len=4096".into(),
        "-timeout=10".into(),
    ];
    match options.runs {
        Some(runs) => arguments.extend([format!("-runs={runs}"), "-seed=1".into()]),
        None => arguments.push(format!("-max_total_time={}", options.seconds)),
    }
    let log = workspace().join(format!("target/fuzz/{target}.log"));
    let found = findings(target)?.join("corpus");
    fs::create_dir_all(&found)?;
    eprintln!("xtask: fuzzing {target}");
    let mut command = toolchain.cargo_fuzz("run");
    command.arg(target).arg(found).arg(corpus(target)?).arg("--").args(arguments);
    process::run(command.stderr(File::create(&log)?))?;
    Ok(log)
}

/// Puts into `fuzz/corpus` the smallest inputs that run through as much as all of them.
fn minimise(toolchain: &Toolchain, target: &str) -> Result {
    eprintln!("xtask: minimising the corpus of {target}");
    let merged = findings(target)?.join("merged");
    let _ = fs::remove_dir_all(&merged);
    fs::create_dir_all(&merged)?;
    let log = File::create(workspace().join(format!("target/fuzz/{target}-merge.log")))?;
    let mut merge = toolchain.cargo_fuzz("run");
    merge.arg(target).arg(&merged).arg(corpus(target)?).arg(findings(target)?.join("corpus"));
    merge.args(["--", "-set_cover_merge=1", "-use_counters=0", "-max_len=4096"]).stderr(log);
    process::check("merging", &mut merge)?;
    let corpus = corpus(target)?;
    fs::remove_dir_all(&corpus)?;
    fs::rename(merged, corpus)?;
    Ok(())
}

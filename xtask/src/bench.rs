//! `cargo xtask bench`: Leveret beside lapin, amqprs and a raw floor, into `bench/results`.

mod programs;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use clap::{Args, ValueEnum};

use crate::{Result, process, rabbitmq::Broker, summary::Summary, workspace};

#[derive(Args)]
pub(crate) struct Options {
    /// What to measure; everything if nothing is named
    #[arg(value_enum)]
    parts: Vec<Part>,

    /// Short runs, into target/bench unless told otherwise: to see that everything works
    #[arg(long)]
    quick: bool,

    /// How often everything is measured, in turn [default: 5, or 1 if it is to be quick]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,

    /// How long each run of a program takes [default: 1.5]
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<f64>,

    /// RabbitMQ versions to run on, one after the other
    #[arg(long, value_delimiter = ',', value_name = "VERSION,...", default_value = "3.10,4.3")]
    brokers: Vec<String>,

    /// Where figures, tables and plots go [default: bench/results]
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Clients and servers on RabbitMQ
    Rabbitmq,
    /// Clients whose requests are answered by a process that does nothing else
    NullResponder,
    /// How long a small program takes to build, its size, and the memory of an idle client
    Programs,
}

/// Figures of other parts, from earlier runs, stay in the report.
pub(crate) fn run(options: &Options) -> Result {
    let output = options.output();
    fs::create_dir_all(&output)?;
    let mut summary = Summary::default();
    if options.wants(Part::NullResponder) || options.wants(Part::Rabbitmq) {
        // What does not compile needs no broker.
        process::check("cargo build", &mut cargo("build", "leveret-bench"))?;
    }
    if options.wants(Part::NullResponder) {
        let run = || compare(options, NULL_RESPONDER, None, &output);
        summary.phase(NULL_RESPONDER, "in turn", run);
    }
    if options.wants(Part::Rabbitmq) {
        for version in &options.brokers {
            let name = format!("RabbitMQ {version}");
            summary.phase(&name, "in turn", || {
                let broker = Broker::start("bench", version)?;
                compare(options, &name, Some(broker.uri()), &output)
            });
        }
    }
    if options.wants(Part::Programs) {
        let version = options.brokers.last().ok_or("a broker is needed")?;
        let file = output.join("programs.json");
        let run = || programs::measure(options.rounds(), version, &file);
        summary.phase(&format!("RabbitMQ {version}"), "programs", run);
    }
    // What could be measured is worth a report.
    summary.phase("figures", "report", || report(&output));
    eprint!("\n{summary}");
    match (process::interrupted(), summary.passed()) {
        (true, _) => Err("interrupted".into()),
        (_, true) => Ok(()),
        (_, false) => Err("not everything could be measured".into()),
    }
}

/// It is started by who measures, and has no address before.
const NULL_RESPONDER: &str = "null responder";

impl Options {
    fn wants(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }

    fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 1 } else { 5 })
    }

    /// A quick run does not overwrite what was measured with patience.
    fn output(&self) -> PathBuf {
        let by_default = if self.quick { "target/bench/results" } else { "bench/results" };
        self.output.clone().unwrap_or_else(|| workspace().join(by_default))
    }
}

/// Everything against one peer. Nothing else is there meanwhile.
fn compare(options: &Options, name: &str, uri: Option<&str>, output: &Path) -> Result {
    let against = uri.map_or(name.to_owned(), |uri| format!("{name}={uri}"));
    let file = output.join(format!("{}.json", name.to_lowercase().replace(' ', "-")));
    let mut command = cargo("run", "leveret-bench");
    command.args(["--", "compare", "--against", &against, "--output"]).arg(file);
    command.args(["--rounds", &options.rounds().to_string()]);
    if let Some(seconds) = options.seconds {
        command.args(["--seconds", &seconds.to_string()]);
    }
    if options.quick {
        command.arg("--quick");
    }
    process::check(name, &mut command)
}

/// Tables and plots of all figures that are there.
fn report(output: &Path) -> Result {
    let mut files = Vec::new();
    for entry in fs::read_dir(output)? {
        files.push(entry?.path());
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let mut command = cargo("run", "leveret-bench-report");
    process::check("the report", command.arg("--").args(&files).arg("--output").arg(output))?;
    eprintln!("xtask: the report is in {}", output.join("README.md").display());
    Ok(())
}

/// What is done with a package of the workspace in `bench`.
pub(crate) fn cargo(verb: &str, package: &str) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args([verb, "--quiet", "--release", "--locked", "--package", package, "--manifest-path"])
        .arg(workspace().join("bench/Cargo.toml"));
    command
}

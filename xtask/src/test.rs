//! `cargo xtask test`: the workspace's own tests, then those that need a broker.

use std::{fs, process::Command};

use clap::Args;

use crate::{
    Result,
    log::Mark,
    process,
    python::Interpreters,
    rabbitmq::{self, Broker},
    summary::Summary,
    workspace,
};

/// What is run on each broker: integration tests of the crate `leveret`, all of them ignored
/// unless a broker is at hand.
const PHASES: [Phase; 2] = [
    Phase { name: "clean", tests: &["rpc", PEERS], quiet: true },
    Phase { name: "checklist", tests: &["conformance", "checklist", "errors"], quiet: false },
];

struct Phase {
    name: &'static str,
    tests: &'static [&'static str],
    /// The broker must have nothing to complain about.
    quiet: bool,
}

/// The tests that need Python.
const PEERS: &str = "interop";

/// The tests that administer the broker: those with this in their path.
const ADMINISTRATION: &str = "admin";

#[derive(Args)]
pub(crate) struct Options {
    /// RabbitMQ versions to run on, one after the other: 3.10, 4.0, 4.3
    #[arg(long, value_delimiter = ',', value_name = "VERSION,...")]
    brokers: Vec<String>,

    /// Leave out the tests against other libraries, which need Python
    #[arg(long)]
    no_peers: bool,

    /// Passed on to `cargo test`, and from a further `--` on to the tests
    #[arg(last = true, value_name = "ARGUMENT")]
    arguments: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result {
    let mut summary = Summary::default();
    let foreign = std::env::var("AMQP_URL").ok().filter(|_| options.brokers.is_empty());

    if summary.phase("none", "workspace", || test_workspace(options)).is_some() {
        match foreign {
            Some(_) => test_on_foreign_broker(options, &mut summary),
            None => test_on_own_brokers(options, &mut summary)?,
        }
    }

    eprint!("\n{summary}");
    match (process::interrupted(), summary.passed()) {
        (true, _) => Err("interrupted".into()),
        (_, true) => Ok(()),
        (_, false) => Err("some tests failed".into()),
    }
}

fn test_workspace(options: &Options) -> Result {
    let mut command = cargo_test(options, &["--workspace"], &[]);
    // Tests that need no broker must not find one by accident.
    check(command.env_remove("AMQP_URL"))
}

fn test_on_own_brokers(options: &Options, summary: &mut Summary) -> Result {
    let versions = match options.brokers.as_slice() {
        [] => vec![rabbitmq::default_version()?],
        versions => versions.to_vec(),
    };
    let Some(python) = prepare_python(options, summary) else {
        return Ok(());
    };
    for version in versions {
        let name = format!("RabbitMQ {version}");
        let start = || Broker::start("test", &version);
        let Some(broker) = summary.phase(&name, "start", start) else {
            continue;
        };
        let mut passed = true;
        for phase in &PHASES {
            let run = || run_phase(options, phase, Some(&broker), python.as_ref());
            passed &= summary.phase(&name, phase.name, run).is_some();
            if process::interrupted() {
                return Ok(());
            }
        }
        if !passed {
            keep_log(&broker)?;
        }
    }
    Ok(())
}

fn test_on_foreign_broker(options: &Options, summary: &mut Summary) {
    let Some(python) = prepare_python(options, summary) else {
        return;
    };
    eprintln!(
        "\nxtask: the broker of AMQP_URL is not xtask's own: left out are the tests that \
         administer it ({ADMINISTRATION}) and the scan of its log"
    );
    for phase in &PHASES {
        let run = || run_phase(options, phase, None, python.as_ref());
        summary.phase("AMQP_URL", phase.name, run);
    }
}

/// `Some(None)` if Python isn't wanted.
fn prepare_python(options: &Options, summary: &mut Summary) -> Option<Option<Interpreters>> {
    if options.no_peers {
        eprintln!("\nxtask: --no-peers: left out are the tests against other libraries ({PEERS})");
        return Some(None);
    }
    summary.phase("none", "python", Interpreters::prepare).map(Some)
}

fn run_phase(
    options: &Options,
    phase: &Phase,
    broker: Option<&Broker>,
    python: Option<&Interpreters>,
) -> Result {
    let mut cargo_arguments = vec!["--package", "leveret", "--no-fail-fast"];
    for test in phase.tests.iter().filter(|test| python.is_some() || **test != PEERS) {
        cargo_arguments.extend(["--test", test]);
    }
    let mut test_arguments = vec!["--ignored"];
    if broker.is_none() {
        test_arguments.extend(["--skip", ADMINISTRATION]);
    }

    let mut command = cargo_test(options, &cargo_arguments, &test_arguments);
    if let Some(python) = python {
        python.describe_to(&mut command);
    }
    let Some(broker) = broker else {
        return check(&mut command);
    };
    broker.describe_to(&mut command)?;
    if !phase.quiet {
        return check(&mut command);
    }
    let mark = Mark::at_end(&broker.log)?;
    let outcome = check(&mut command);
    // Looked at even if the tests failed: it may well say why.
    outcome.and(expect_silence(&mark))
}

fn expect_silence(mark: &Mark) -> Result {
    let complaints = mark.complaints()?;
    if complaints.is_empty() {
        return Ok(());
    }
    for line in &complaints {
        eprintln!("xtask: RabbitMQ: {line}");
    }
    Err(format!("RabbitMQ logged {} warnings or errors", complaints.len()).into())
}

/// The broker's data goes with it, so its log is put where a failure can be studied.
fn keep_log(broker: &Broker) -> Result {
    let kept = workspace().join(format!("target/rabbitmq-{}.log", broker.version));
    fs::create_dir_all(workspace().join("target"))?;
    fs::copy(&broker.log, &kept)?;
    eprintln!("xtask: the log of RabbitMQ {} is kept in {}", broker.version, kept.display());
    Ok(())
}

/// `cargo test` with the user's further arguments.
fn cargo_test(options: &Options, cargo_arguments: &[&str], test_arguments: &[&str]) -> Command {
    let mut further = options.arguments.splitn(2, |argument| argument == "--");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(workspace())
        .arg("test")
        .args(cargo_arguments)
        .args(further.next().unwrap_or_default())
        .arg("--")
        .args(test_arguments)
        .args(further.next().unwrap_or_default());
    command
}

fn check(command: &mut Command) -> Result {
    match process::run(command)? {
        status if status.success() => Ok(()),
        status => Err(format!("cargo test: {status}").into()),
    }
}

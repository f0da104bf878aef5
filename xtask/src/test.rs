//! `cargo xtask test`: all tests on the broker inside the process, then those that need a broker on
//! RabbitMQ.

use std::process::Command;

use clap::Args;

use crate::{
    Result,
    log::Mark,
    peers::Peers,
    process,
    rabbitmq::{self, Broker},
    summary::Summary,
    workspace,
};

/// What is built: the same for all phases, so that it is built once.
const EVERYTHING: [&str; 2] = ["--workspace", "--all-features"];

/// What is run on each RabbitMQ: integration tests that know a broker by its address alone.
const PHASES: [Phase; 4] = [
    Phase { name: "clean", tests: &["rpc", PEERS], quiet: true },
    Phase {
        name: "checklist",
        tests: &["conformance", "checklist", "errors", "malicious_messages"],
        quiet: false,
    },
    Phase { name: "command", tests: &["cli"], quiet: false },
    // Last, for it enables a plugin.
    Phase { name: "tls", tests: &["tls"], quiet: false },
];

struct Phase {
    name: &'static str,
    tests: &'static [&'static str],
    /// The broker must have nothing to complain about.
    quiet: bool,
}

/// What the broker inside the process behaves as, one after the other.
const IN_PROCESS: [&str; 3] = ["3.10", "4.0", "4.3"];

/// The tests against other libraries, ignored unless those are installed.
const PEERS: &str = "interop";

/// The tests that administer the broker: those with this in their path.
const ADMINISTRATION: &str = "admin";

#[derive(Args)]
pub(crate) struct Options {
    /// RabbitMQ versions to run on, one after the other: 3.10, 4.0, 4.3
    #[arg(long, value_delimiter = ',', value_name = "VERSION,...")]
    brokers: Vec<String>,

    /// Leave out the tests against other libraries, which need Python and Node
    #[arg(long)]
    no_peers: bool,

    /// Passed on to `cargo test`, and from a further `--` on to the tests
    #[arg(last = true, value_name = "ARGUMENT")]
    arguments: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result {
    let mut summary = Summary::default();
    let foreign = std::env::var("AMQP_URL").ok().filter(|_| options.brokers.is_empty());

    if summary.phase("in-process", "workspace", || test_workspace(options)).is_some()
        && let Some(peers) = prepare_peers(options, &mut summary)
    {
        test_peers_in_process(options, peers.as_ref(), &mut summary);
        match foreign {
            Some(_) => test_on_foreign_broker(options, peers.as_ref(), &mut summary),
            None => test_on_own_brokers(options, peers.as_ref(), &mut summary)?,
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
    check(in_process(&mut cargo_test(options, &EVERYTHING, &[])))
}

fn test_peers_in_process(options: &Options, peers: Option<&Peers>, summary: &mut Summary) {
    let Some(peers) = peers else { return };
    for version in IN_PROCESS {
        let run = || {
            let cargo_arguments = [&EVERYTHING[..], &["--test", PEERS]].concat();
            let mut command = cargo_test(options, &cargo_arguments, &["--ignored"]);
            peers.describe_to(in_process(&mut command));
            check(command.env("LEVERET_BROKER_VERSION", version))
        };
        summary.phase(&format!("in-process {version}"), "peers", run);
        if process::interrupted() {
            return;
        }
    }
}

/// Takes away all that would lead to another broker.
fn in_process(command: &mut Command) -> &mut Command {
    command.env_remove("AMQP_URL").env_remove("LEVERET_BROKER_VERSION")
}

fn test_on_own_brokers(options: &Options, peers: Option<&Peers>, summary: &mut Summary) -> Result {
    let versions = match options.brokers.as_slice() {
        [] => vec![rabbitmq::default_version()?],
        versions => versions.to_vec(),
    };
    for version in versions {
        let name = format!("RabbitMQ {version}");
        let start = || Broker::start("test", &version);
        let Some(broker) = summary.phase(&name, "start", start) else {
            continue;
        };
        let mut passed = true;
        for phase in &PHASES {
            let run = || run_phase(options, phase, Some(&broker), peers);
            passed &= summary.phase(&name, phase.name, run).is_some();
            if process::interrupted() {
                return Ok(());
            }
        }
        if !passed {
            broker.keep_log()?;
        }
    }
    Ok(())
}

fn test_on_foreign_broker(options: &Options, peers: Option<&Peers>, summary: &mut Summary) {
    eprintln!(
        "\nxtask: the broker of AMQP_URL is not xtask's own: left out are the tests that \
         administer it ({ADMINISTRATION}) and the scan of its log"
    );
    for phase in &PHASES {
        let run = || run_phase(options, phase, None, peers);
        summary.phase("AMQP_URL", phase.name, run);
    }
}

/// `Some(None)` if they aren't wanted.
fn prepare_peers(options: &Options, summary: &mut Summary) -> Option<Option<Peers>> {
    if options.no_peers {
        eprintln!("\nxtask: --no-peers: left out are the tests against other libraries ({PEERS})");
        return Some(None);
    }
    Peers::prepare(summary).map(Some)
}

fn run_phase(
    options: &Options,
    phase: &Phase,
    broker: Option<&Broker>,
    peers: Option<&Peers>,
) -> Result {
    let mut cargo_arguments = EVERYTHING.to_vec();
    cargo_arguments.push("--no-fail-fast");
    for test in phase.tests.iter().filter(|test| peers.is_some() || **test != PEERS) {
        cargo_arguments.extend(["--test", test]);
    }
    let mut test_arguments = vec!["--include-ignored"];
    if broker.is_none() {
        test_arguments.extend(["--skip", ADMINISTRATION]);
    }

    let mut command = cargo_test(options, &cargo_arguments, &test_arguments);
    if let Some(peers) = peers {
        peers.describe_to(&mut command);
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
    process::check("cargo test", command)
}

//! `cargo xtask faults`: real faults on private RabbitMQ brokers, and what came of each.

use std::{fs, path::Path, process::Command};

use clap::{Args, builder::PossibleValuesParser};

use crate::{Result, process, rabbitmq::Broker, summary::Summary, table::Table, workspace};

/// By the modules of `tests/faults` that they are in.
const SCENARIOS: [Scenario; 8] = [
    Scenario { name: "connections-closed", nodes: 1 },
    Scenario { name: "queue-deleted", nodes: 1 },
    Scenario { name: "server-killed", nodes: 1 },
    Scenario { name: "memory-alarm", nodes: 1 },
    Scenario { name: "acknowledged-late", nodes: 1 },
    Scenario { name: "broker-frozen", nodes: 1 },
    Scenario { name: "broker-killed", nodes: 1 },
    Scenario { name: "node-killed", nodes: 3 },
];

struct Scenario {
    name: &'static str,
    /// The nodes of the broker that it needs.
    nodes: usize,
}

/// The version that scenarios with more than one node run on.
const CLUSTER_VERSION: &str = "4.3";

#[derive(Args)]
pub(crate) struct Options {
    /// RabbitMQ versions to run on, one after the other
    #[arg(long, value_delimiter = ',', value_name = "VERSION,...", default_value = "3.10,4.3")]
    brokers: Vec<String>,

    /// How often a broker is killed and started again
    #[arg(long, default_value_t = 20)]
    restarts: u32,

    /// What to do to the brokers; everything if nothing is named
    #[arg(
        value_name = "SCENARIO",
        value_parser = PossibleValuesParser::new(SCENARIOS.map(|scenario| scenario.name)),
    )]
    scenarios: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result {
    let mut summary = Summary::default();
    let table = workspace().join("target/faults.tsv");
    fs::create_dir_all(workspace().join("target"))?;
    fs::write(&table, "")?;
    // What does not compile needs no broker.
    process::check("cargo test", cargo_test().arg("--no-run"))?;
    for version in &options.brokers {
        for nodes in [1, 3] {
            run_on_broker(options, version, nodes, &table, &mut summary)?;
        }
    }

    // Scenarios that failed have their figures, too.
    let lines = fs::read_to_string(&table)?;
    let rows = lines.lines().map(|line| line.split('\t').collect()).collect::<Vec<Vec<_>>>();
    print!("\n{}", Table { headings: &HEADINGS, words: WORDS, rows: &rows });
    eprint!("\n{summary}");
    match (process::interrupted(), summary.passed()) {
        (true, _) => Err("interrupted".into()),
        (_, true) => Ok(()),
        (_, false) => Err("some scenarios failed".into()),
    }
}

/// As `tests/faults/figures.rs` writes them.
const HEADINGS: [&str; 12] = [
    "fault",
    "RabbitMQ",
    "errors",
    "result",
    "faults",
    "calls",
    "answered",
    "not run",
    "redelivered",
    "ms late",
    "ms to recover",
    "at most",
];

/// Columns from here on are numbers.
const WORDS: usize = 4;

/// Runs the scenarios for brokers of so many nodes.
fn run_on_broker(
    options: &Options,
    version: &str,
    nodes: usize,
    table: &Path,
    summary: &mut Summary,
) -> Result {
    let wanted = |scenario: &&Scenario| {
        scenario.nodes == nodes
            && (nodes == 1 || version == CLUSTER_VERSION)
            && (options.scenarios.is_empty()
                || options.scenarios.iter().any(|name| name == scenario.name))
    };
    let scenarios = SCENARIOS.iter().filter(wanted).collect::<Vec<_>>();
    if scenarios.is_empty() || process::interrupted() {
        return Ok(());
    }
    let name = match nodes {
        1 => format!("RabbitMQ {version}"),
        _ => format!("{nodes} x {version}"),
    };
    let start = || Broker::start_cluster("faults", version, nodes);
    let Some(broker) = summary.phase(&name, "start", start) else { return Ok(()) };
    let mut passed = true;
    for scenario in scenarios {
        let run = || play(options, scenario, &broker, table);
        passed &= summary.phase(&name, scenario.name, run).is_some();
        if process::interrupted() {
            return Ok(());
        }
    }
    if !passed {
        broker.keep_log()?;
    }
    Ok(())
}

fn play(options: &Options, scenario: &Scenario, broker: &Broker, table: &Path) -> Result {
    let module = format!("{}::", scenario.name.replace('-', "_"));
    let mut command = cargo_test();
    command
        .args(["--", "--ignored", "--test-threads=1", &module])
        .env("LEVERET_FAULTS_TABLE", table)
        .env("LEVERET_FAULTS_RESTARTS", options.restarts.to_string());
    process::check("cargo test", broker.describe_to(&mut command)?)
}

fn cargo_test() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(workspace()).args(["test", "--all-features", "--test", "faults"]);
    command
}

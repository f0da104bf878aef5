//! All implementations in turn, in each scenario and round, every run in a process of its own.

mod environment;
mod extra;
mod process;
mod scenario;
mod system_calls;

use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};

use self::environment::{Machine, Versions};
use self::process::{ClientRun, Process, ServerRun};
use self::scenario::{Against, Scenario};
use self::system_calls::Tool;
use crate::measurement::{Measurement, Side};
use crate::{Implementation, Result, RuntimeKind};

#[derive(Args)]
pub(crate) struct Options {
    /// NAME=URI of a broker; the name "null responder" stands for what `responder` is, and needs no URI
    #[arg(long, required = true)]
    against: Vec<Against>,

    /// The file to write
    #[arg(long)]
    output: PathBuf,

    #[arg(long, default_value_t = 5)]
    rounds: usize,

    /// How long a run is to take
    #[arg(long, default_value_t = 1.5)]
    seconds: f64,

    /// Fewer scenarios, on one runtime, and shorter runs
    #[arg(long)]
    quick: bool,

    /// Only clients, or only servers
    #[arg(long)]
    side: Option<Side>,

    /// Only this runtime
    #[arg(long)]
    runtime: Option<RuntimeKind>,

    /// Only these
    #[arg(long, value_delimiter = ',', default_value = "leveret,lapin,amqprs,floor,full-floor")]
    implementations: Vec<Implementation>,

    /// Only with so many calls in flight
    #[arg(long, value_delimiter = ',')]
    in_flight: Vec<usize>,

    /// Only with bodies of this size
    #[arg(long, value_delimiter = ',')]
    body_size: Vec<usize>,

    /// Count no system calls and no allocations
    #[arg(long)]
    without_extra_runs: bool,
}

/// What the file has.
#[derive(Serialize, Deserialize)]
struct Results {
    date: String,
    machine: Machine,
    versions: Versions,
    system_calls_counted_by: Tool,
    measurements: Vec<Measurement>,
}

pub(crate) fn run(options: Options) -> Result {
    RuntimeKind::CurrentThread.build()?.block_on(compare(options))
}

async fn compare(mut options: Options) -> Result {
    if options.quick {
        options.seconds = options.seconds.min(0.4);
    }
    let mut results = Results {
        date: humantime::format_rfc3339(std::time::SystemTime::now()).to_string()[..10].to_owned(),
        machine: Machine::this()?,
        versions: Versions::built()?,
        system_calls_counted_by: Tool::available().await?,
        measurements: Vec::new(),
    };
    let queue = format!("leveret-bench-{}", std::process::id());
    let scenarios: Vec<Vec<Scenario>> =
        options.against.iter().map(|against| scenarios(&options, against)).collect();
    let count: usize = scenarios.iter().map(Vec::len).sum();
    let runs = count * options.implementations.len() * (1 + options.rounds);
    let progress = ProgressBar::new(runs as u64).with_style(ProgressStyle::with_template(
        "{elapsed_precise} of about {duration_precise} {wide_bar} {pos}/{len} {msg}",
    )?);

    let mut failures = Vec::new();
    for (against, scenarios) in options.against.iter().zip(scenarios) {
        let _responder;
        let uri = match &against.uri {
            Some(uri) => uri.clone(),
            None => {
                let (process, uri) = Process::responder().await?;
                _responder = process;
                uri
            }
        };
        for scenario in scenarios {
            let bench = Bench {
                options: &options,
                uri: &uri,
                queue: &queue,
                tool: results.system_calls_counted_by,
                scenario,
                progress: &progress,
            };
            bench.measure(&mut results.measurements, &mut failures).await?;
            write(&options.output, &results)?;
        }
    }
    progress.finish();
    match failures.is_empty() {
        true => Ok(()),
        false => Err(format!("not measured:\n{}", failures.join("\n")).into()),
    }
}

fn scenarios(options: &Options, against: &Against) -> Vec<Scenario> {
    let is_one = |chosen: &[usize], value| chosen.is_empty() || chosen.contains(&value);
    Scenario::all(against, options.quick)
        .into_iter()
        .filter(|scenario| {
            options.side.is_none_or(|side| side == scenario.side)
                && options.runtime.is_none_or(|runtime| runtime == scenario.runtime)
                && is_one(&options.in_flight, scenario.in_flight)
                && is_one(&options.body_size, scenario.body_size)
        })
        .collect()
}

/// So that nothing is lost when a later run cannot be made.
fn write(path: &Path, results: &Results) -> Result {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    Ok(std::fs::write(path, serde_json::to_string_pretty(results)? + "\n")?)
}

/// One scenario.
struct Bench<'a> {
    options: &'a Options,
    uri: &'a str,
    queue: &'a str,
    tool: Tool,
    scenario: Scenario,
    progress: &'a ProgressBar,
}

impl Bench<'_> {
    async fn measure(
        &self,
        measurements: &mut Vec<Measurement>,
        failures: &mut Vec<String>,
    ) -> Result {
        if self.progress.is_hidden() {
            self.say(&self.scenario.to_string());
        }
        let first = measurements.len();
        let _echo = match self.scenario.needs_echo() {
            true => Some(Process::server(&self.server(Implementation::Floor)).await?),
            false => None,
        };
        // The first run of each is to warm up, and tells how many calls a run should have.
        let mut order: Vec<(Implementation, u64)> = Vec::new();
        let has_a_place = |one: &Implementation| self.scenario.has_a_place_for(*one);
        for implementation in self.options.implementations.iter().copied().filter(has_a_place) {
            match self.run(implementation, self.scenario.fewest_calls()).await {
                Ok(measurement) => order.push((implementation, self.calls(&measurement))),
                Err(error) => failures.push(self.failure(implementation, &error)),
            }
        }
        for round in 0..self.options.rounds {
            for (implementation, calls) in &mut order {
                match self.run(*implementation, *calls).await {
                    Ok(measurement) => {
                        *calls = self.calls(&measurement);
                        measurements.push(Measurement { round, ..measurement });
                    }
                    Err(error) => failures.push(self.failure(*implementation, &error)),
                }
            }
            let first_is_last = usize::from(!order.is_empty());
            order.rotate_left(first_is_last);
        }
        if self.options.without_extra_runs {
            return Ok(());
        }
        for (implementation, _) in order {
            let counted = match self.count(implementation).await {
                Ok(counted) => counted,
                Err(error) => {
                    failures.push(self.failure(implementation, &error));
                    continue;
                }
            };
            for measurement in &mut measurements[first..] {
                if measurement.implementation == implementation {
                    measurement.system_calls_per_call = Some(counted.system_calls_per_call);
                    measurement.allocations_per_call = Some(counted.allocations_per_call);
                }
            }
        }
        Ok(())
    }

    /// So many that a run takes the time that it is to take.
    fn calls(&self, measurement: &Measurement) -> u64 {
        let calls = measurement.calls_per_second * self.options.seconds;
        (calls as u64).max(self.scenario.fewest_calls())
    }

    async fn run(&self, implementation: Implementation, calls: u64) -> Result<Measurement> {
        self.progress.set_message(format!("{}: {}", self.scenario, implementation.name()));
        let measured = match self.scenario.side {
            Side::Client => process::client(&self.client(implementation, calls), None).await,
            Side::Server => self.run_server(implementation, calls).await,
        };
        self.progress.inc(1);
        measured
    }

    /// What the server spent, and how it was to its client.
    async fn run_server(&self, implementation: Implementation, calls: u64) -> Result<Measurement> {
        let mut server = Process::server(&self.server(implementation)).await?;
        let load = self.client(Implementation::Floor, calls);
        let measurement = process::client(&load, Some(&mut server)).await?;
        let spent = server.end().await?;
        server.stop().await?;
        Ok(Measurement {
            side: Side::Server,
            implementation,
            runtime: self.scenario.runtime,
            user_microseconds_per_call: spent.user_microseconds_per_call,
            system_microseconds_per_call: spent.system_microseconds_per_call,
            peak_memory_octets: spent.peak_memory_octets,
            allocations_per_call: spent.allocations_per_call,
            ..measurement
        })
    }

    fn client(&self, implementation: Implementation, calls: u64) -> ClientRun<'_> {
        ClientRun {
            implementation,
            uri: self.uri,
            queue: self.queue,
            against: &self.scenario.against,
            // What loads a server is always the same.
            runtime: match self.scenario.side {
                Side::Client => self.scenario.runtime,
                Side::Server => RuntimeKind::CurrentThread,
            },
            in_flight: self.scenario.in_flight,
            body_size: self.scenario.body_size,
            calls,
            warm_up: (calls / 10).max(2 * self.scenario.in_flight as u64),
            counts_allocations: false,
            counter: None,
        }
    }

    fn server(&self, implementation: Implementation) -> ServerRun<'_> {
        ServerRun {
            implementation,
            uri: self.uri,
            queue: self.queue,
            // What echoes is always the same.
            runtime: match self.scenario.side {
                Side::Client => RuntimeKind::CurrentThread,
                Side::Server => self.scenario.runtime,
            },
            counts_allocations: false,
            counter: None,
        }
    }

    /// Above the progress, if there is a terminal to show it.
    fn say(&self, line: &str) {
        self.progress.suspend(|| eprintln!("{line}"));
    }

    fn failure(&self, implementation: Implementation, error: &crate::Error) -> String {
        let failure = format!("{}: {}: {error}", self.scenario, implementation.name());
        self.say(&failure);
        failure
    }
}

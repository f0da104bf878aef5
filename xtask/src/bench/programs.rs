//! The programs in `bench/hello`: how long they take to build, their size and their memory.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::cargo;
use crate::{
    Result,
    figures::{self, figure},
    process::{self, Background},
    rabbitmq::Broker,
    workspace,
};

/// Measures them in turn, so often, and writes the figures as `leveret-bench-report` reads them. The
/// idle client is connected to RabbitMQ of that version.
pub(super) fn measure(rounds: u32, version: &str, output: &Path) -> Result {
    let builds = build_in_turn(rounds)?;
    let memory = idle_in_turn(rounds, version)?;
    let build_ratios = builds.iter().map(|(leveret, amqprs)| leveret / amqprs);
    let more_memory = memory.iter().map(|(idle, empty)| idle - empty);
    let sizes = sizes(version)?;
    let mut extra = vec![
        figure("clean release build: leveret", median(builds.iter().map(|it| it.0)), "s"),
        figure("clean release build: amqprs", median(builds.iter().map(|it| it.1)), "s"),
        figure("clean release build: leveret / amqprs", median(build_ratios), ""),
        figure("stripped hello-RPC: leveret", megabytes(&program("hello-leveret"))?, "MB"),
        figure("stripped hello-RPC: amqprs", megabytes(&program("hello-amqprs"))?, "MB"),
        figure("idle client: resident memory", median(memory.iter().map(|it| it.0)), "MiB"),
        figure("empty program: resident memory", median(memory.iter().map(|it| it.1)), "MiB"),
        figure("idle client: resident memory over an empty program", median(more_memory), "MiB"),
        figure(IN_FLIGHT, in_flight_ratio(rounds)?, ""),
    ];
    extra.extend(sizes.iter().map(|(name, octets)| figure(name, *octets, "octets")));
    figures::write(&extra, output)
}

/// As the report calls it.
const IN_FLIGHT: &str = "100,000 in flight: CPU a call / same at 1,000";

/// What a call costs a client with 100,000 of them in flight, in proportion to 1,000.
fn in_flight_ratio(rounds: u32) -> Result<f64> {
    process::check("cargo build", &mut cargo("build", "leveret-bench"))?;
    let bench = workspace().join("bench/target/release/leveret-bench");
    let responder = Background::start(Command::new(&bench).arg("responder"))?;
    let cpu = |in_flight: &str| -> Result<f64> {
        let mut client = Command::new(&bench);
        client.args(["client", "--implementation", "leveret", "--queue", "any"]);
        client.args(["--url", responder.first_line()]);
        client.args(["--in-flight", in_flight, "--body-size", "64", "--calls", "1000000"]);
        let measured: Value = serde_json::from_str(&process::output(&mut client)?)?;
        let of = |part: &str| measured[part].as_f64().ok_or("no figure");
        Ok(of("user_microseconds_per_call")? + of("system_microseconds_per_call")?)
    };
    let mut ratios = Vec::new();
    for _ in 0..rounds {
        ratios.push(cpu("100000")? / cpu("1000")?);
    }
    Ok(median(ratios.into_iter()))
}

/// What one of each takes of a client's memory, in octets, as the program says it.
fn sizes(version: &str) -> Result<Vec<(String, f64)>> {
    build("hello-sizing")?;
    let broker = Broker::start("bench", version)?;
    let said = process::output(Command::new(program("hello-sizing")).arg(broker.uri()))?;
    let line = |line: &str| -> Result<_> {
        let (name, octets) = line.rsplit_once(' ').ok_or("a name and a number are expected")?;
        Ok((format!("memory of {name}"), octets.parse()?))
    };
    said.lines().map(line).collect()
}

/// Seconds for the caller with Leveret, and for that with amqprs. The first is the other one in every
/// other round.
fn build_in_turn(rounds: u32) -> Result<Vec<(f64, f64)>> {
    // Downloads are not to be measured.
    let mut fetch = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    fetch.args(["fetch", "--quiet", "--locked", "--manifest-path"]);
    process::check("cargo fetch", fetch.arg(workspace().join("bench/Cargo.toml")))?;
    let mut seconds = Vec::new();
    for round in 0..rounds {
        eprintln!("xtask: clean builds, round {} of {rounds}", round + 1);
        let leveret_first = round % 2 == 0;
        let first = build(if leveret_first { "hello-leveret" } else { "hello-amqprs" })?;
        let second = build(if leveret_first { "hello-amqprs" } else { "hello-leveret" })?;
        seconds.push(if leveret_first { (first, second) } else { (second, first) });
    }
    Ok(seconds)
}

/// Builds one of the programs from nothing, as a user would, and stripped. Returns the seconds it took.
fn build(name: &str) -> Result<f64> {
    let target = target(name);
    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    let mut command = cargo("build", name);
    command
        .args(["--offline", "--config", "profile.release.debug=false"])
        .args(["--config", "profile.release.strip='symbols'"])
        .env("CARGO_TARGET_DIR", &target)
        // What a cache has was not built.
        .env("RUSTC_WRAPPER", "");
    let began = Instant::now();
    process::check(name, &mut command)?;
    Ok(began.elapsed().as_secs_f64())
}

/// Each has one of its own: features that another program asks for would be built into it.
fn target(name: &str) -> PathBuf {
    workspace().join("target/bench").join(name)
}

fn program(name: &str) -> PathBuf {
    target(name).join("release").join(name)
}

fn megabytes(file: &Path) -> Result<f64> {
    Ok(file.metadata()?.len() as f64 / 1e6)
}

/// Resident MiB of a client that is connected and idle, and of a program that does nothing.
fn idle_in_turn(rounds: u32, version: &str) -> Result<Vec<(f64, f64)>> {
    build("hello-idle")?;
    build("hello-empty")?;
    let broker = Broker::start("bench", version)?;
    let mut memory = Vec::new();
    for _ in 0..rounds {
        let idle = most_resident(Command::new(program("hello-idle")).arg(broker.uri()))?;
        let empty = most_resident(&mut Command::new(program("hello-empty")))?;
        memory.push((idle, empty));
    }
    Ok(memory)
}

/// How long a program is looked at, and how often.
const LOOKS: u32 = 10;
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// The most MiB that a program has while it does nothing.
fn most_resident(command: &mut Command) -> Result<f64> {
    let program = Background::start(command)?;
    let status = format!("/proc/{}/status", program.id());
    let mut most = 0.0_f64;
    for _ in 0..LOOKS {
        most = most.max(resident_in(&fs::read_to_string(&status)?)?);
        thread::sleep(BETWEEN_LOOKS);
    }
    Ok(most)
}

/// From what Linux says about a process.
fn resident_in(status: &str) -> Result<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(kib.ok_or("there is no VmRSS")?.parse::<f64>()? / 1024.0)
}

/// Of an even number, halfway between the two in the middle.
fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures = figures.collect::<Vec<_>>();
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() % 2 {
        0 => (figures[middle - 1] + figures[middle]) / 2.0,
        _ => figures[middle],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_what_is_resident() {
        let status =
            "Name:\tidle\nVmHWM:\t    4096 kB\nVmRSS:\t    2560 kB\nRssAnon:\t     180 kB\n";
        assert_eq!(resident_in(status).unwrap(), 2.5);
        assert!(resident_in("Name:\tgone\n").is_err());
    }

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median([9.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([9.0, 1.0, 2.0, 4.0].into_iter()), 3.0);
    }
}

//! What it was measured on.

use std::fs::read_to_string;
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::Result;

#[derive(Serialize, Deserialize)]
pub(super) struct Machine {
    processor: String,
    cores: usize,
    memory_gib: f64,
    kernel: String,
    system: String,
}

impl Machine {
    pub(super) fn this() -> Result<Self> {
        let kibioctets: f64 = field(&read_to_string("/proc/meminfo")?, "MemTotal:")?
            .trim_end_matches(" kB")
            .parse()?;
        Ok(Self {
            processor: field(&read_to_string("/proc/cpuinfo")?, "model name\t:")?,
            cores: std::thread::available_parallelism()?.get(),
            memory_gib: (kibioctets / 1024.0 / 1024.0 * 10.0).round() / 10.0,
            kernel: read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            system: field(&read_to_string("/etc/os-release")?, "PRETTY_NAME=")?
                .trim_matches('"')
                .to_owned(),
        })
    }
}

fn field(text: &str, name: &str) -> Result<String> {
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    Ok(value.ok_or_else(|| format!("no {name}"))?.trim().to_owned())
}

#[derive(Serialize, Deserialize)]
pub(super) struct Versions {
    leveret: String,
    lapin: String,
    amqprs: String,
    tokio: String,
    rustc: String,
}

impl Versions {
    pub(super) fn built() -> Result<Self> {
        let output = Command::new("rustc").arg("--version").output()?;
        Ok(Self {
            leveret: locked("leveret")?,
            lapin: locked("lapin")?,
            amqprs: locked("amqprs")?,
            tokio: locked("tokio")?,
            rustc: String::from_utf8(output.stdout)?.trim().to_owned(),
        })
    }
}

/// The version that this program was built with.
fn locked(package: &str) -> Result<String> {
    let name = format!("name = \"{package}\"");
    let mut lines = include_str!("../../../Cargo.lock").lines();
    lines.find(|line| *line == name).ok_or_else(|| format!("{package} is not locked"))?;
    field(lines.next().unwrap_or_default(), "version = ")
        .map(|version| version.trim_matches('"').to_owned())
}

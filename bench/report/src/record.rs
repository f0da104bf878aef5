//! [`Record`]: a file of measurements, as `leveret-bench compare` and `cargo xtask` write it.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Record {
    pub(crate) date: String,
    pub(crate) machine: Option<Machine>,
    pub(crate) versions: BTreeMap<String, String>,
    pub(crate) measurements: Vec<Measurement>,
    pub(crate) extra: Vec<Extra>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: u32,
    pub(crate) memory_gib: f64,
    pub(crate) kernel: String,
    pub(crate) system: String,
}

/// One run of one program.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Measurement {
    #[serde(flatten)]
    pub(crate) scenario: Scenario,
    pub(crate) implementation: Implementation,
    pub(crate) round: u32,
    pub(crate) calls_per_second: Option<f64>,
    pub(crate) user_microseconds_per_call: Option<f64>,
    pub(crate) system_microseconds_per_call: Option<f64>,
    pub(crate) p50_microseconds: Option<f64>,
    pub(crate) p99_microseconds: Option<f64>,
    pub(crate) p999_microseconds: Option<f64>,
    pub(crate) system_calls_per_call: Option<f64>,
    pub(crate) allocations_per_call: Option<f64>,
    pub(crate) peak_memory_octets: Option<f64>,
}

/// What all implementations are put to in turn.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) struct Scenario {
    pub(crate) side: Side,
    pub(crate) against: String,
    pub(crate) runtime: Runtime,
    pub(crate) in_flight: u64,
    pub(crate) body_size: u64,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Side {
    Client,
    Server,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Runtime {
    CurrentThread,
    MultiThread,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Implementation {
    Leveret,
    Lapin,
    Amqprs,
    Floor,
    FullFloor,
}

/// A figure of which there is one: of a build, of an idle program, of instructions that are counted.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Extra {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: String,
}

/// As it stands in a sentence: `RabbitMQ 4.3`, `the null responder`.
pub(crate) fn with_article(against: &str) -> String {
    match against.starts_with(char::is_uppercase) {
        true => against.to_owned(),
        false => format!("the {against}"),
    }
}

impl Side {
    pub(crate) const ALL: [Self; 2] = [Self::Client, Self::Server];
}

impl Runtime {
    pub(crate) const ALL: [Self; 2] = [Self::CurrentThread, Self::MultiThread];
}

impl Implementation {
    pub(crate) const ALL: [Self; 5] =
        [Self::Leveret, Self::Lapin, Self::Amqprs, Self::Floor, Self::FullFloor];
    pub(crate) const PEERS: [Self; 2] = [Self::Lapin, Self::Amqprs];
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Client => "client",
            Self::Server => "server",
        })
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::CurrentThread => "current-thread",
            Self::MultiThread => "multi-thread",
        })
    }
}

impl fmt::Display for Implementation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Leveret => "leveret",
            Self::Lapin => "lapin",
            Self::Amqprs => "amqprs",
            Self::Floor => "floor",
            Self::FullFloor => "floor, full message",
        })
    }
}

//! What is compared.

use std::fmt;
use std::str::FromStr;

use crate::measurement::Side;
use crate::{Implementation, RuntimeKind};

const NULL_RESPONDER: &str = "null responder";

/// A broker, or what stands for one.
#[derive(Clone)]
pub(super) struct Against {
    pub(super) name: String,
    /// None: to be started.
    pub(super) uri: Option<String>,
}

impl FromStr for Against {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, uri)) => Ok(Self { name: name.to_owned(), uri: Some(uri.to_owned()) }),
            None if text == NULL_RESPONDER => Ok(Self { name: text.to_owned(), uri: None }),
            None => Err("a broker is given as NAME=URI".to_owned()),
        }
    }
}

#[derive(Clone)]
pub(super) struct Scenario {
    pub(super) side: Side,
    pub(super) against: String,
    pub(super) runtime: RuntimeKind,
    pub(super) in_flight: usize,
    pub(super) body_size: usize,
}

impl Scenario {
    /// Where it tells something: a broker works for what a message has besides its body, which shows
    /// where bodies are small.
    pub(super) fn has_a_place_for(&self, implementation: Implementation) -> bool {
        let is_plain =
            self.side == Side::Server || self.against == NULL_RESPONDER || self.body_size != 64;
        implementation != Implementation::FullFloor || !is_plain
    }

    /// Every number in flight with small bodies, and every size with a moderate number.
    pub(super) fn all(against: &Against, quick: bool) -> Vec<Self> {
        let loads: &[(usize, usize)] = match quick {
            true => &[(1, 64), (64, 64), (1024, 64), (8, MEBIOCTET)],
            false => &[
                (1, 64),
                (64, 64),
                (1024, 64),
                (10_000, 64),
                (64, 0),
                (64, 16 * 1024),
                (8, MEBIOCTET),
            ],
        };
        let runtimes: &[RuntimeKind] = match quick {
            true => &[RuntimeKind::CurrentThread],
            false => &[RuntimeKind::CurrentThread, RuntimeKind::MultiThread],
        };
        // A server has nobody to serve where there is no broker.
        let sides: &[Side] = match &*against.name {
            NULL_RESPONDER => &[Side::Client],
            _ => &[Side::Client, Side::Server],
        };
        let mut all = Vec::new();
        for &side in sides {
            for &runtime in runtimes {
                for &(in_flight, body_size) in loads {
                    let against = against.name.clone();
                    all.push(Self { side, against, runtime, in_flight, body_size });
                }
            }
        }
        all
    }

    pub(super) fn needs_echo(&self) -> bool {
        self.side == Side::Client && self.against != NULL_RESPONDER
    }

    /// With fewer, beginning and end would count for too much.
    pub(super) fn fewest_calls(&self) -> u64 {
        let fewest = if self.body_size == MEBIOCTET { 100 } else { 1_000 };
        fewest.max(4 * self.in_flight as u64)
    }
}

const MEBIOCTET: usize = 1024 * 1024;

impl fmt::Display for Scenario {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { side, against, runtime, in_flight, body_size } = self;
        let side = match side {
            Side::Client => "client",
            Side::Server => "server",
        };
        let runtime = runtime.name();
        write!(formatter, "{side}, {against}, {runtime}, {in_flight} x {body_size}")
    }
}

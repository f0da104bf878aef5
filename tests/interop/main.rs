//! Leveret beside the libraries that people use for RPC in Python and JavaScript: each as the
//! other's server.
//!
//! Everything here is orderly, on both sides: the broker's log has no warning afterwards, which
//! `cargo xtask test` checks.

mod clients;
#[cfg(feature = "json")]
mod json;
#[path = "../support/peer.rs"]
mod peer;
mod recipes;
mod servers;
#[path = "../support/mod.rs"]
mod support;

/// None at all, one octet, around the largest body of one frame (131,072 less 8 octets), and many
/// frames.
const SIZES: [usize; 5] = [0, 1, 131_064, 131_065, 8 << 20];

/// Which RabbitMQ the broker inside the process behaves as, unless `LEVERET_BROKER_VERSION` says.
const VERSION: Option<&str> = None;

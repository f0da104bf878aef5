//! Nothing a peer sends can hurt: a scripted broker attacks a real client and a real server over a
//! socket, and hostile clients attack the broker inside the process.
//!
//! Each attack runs on a thread and a runtime of its own, together with its victim, so that what
//! both allocate and compute can be measured: see [`arena`]. `cargo xtask hostile` prints what came
//! of each as a table.

#![cfg(all(feature = "broker", unix))]

mod arena;
mod attacker;
mod breach;
mod broker;
mod channels;
mod closing;
mod content;
mod deliveries;
mod duel;
mod frames;
mod handshake;
mod methods;
mod octets;
mod pace;
#[path = "../support/mod.rs"]
mod support;
mod tables;
mod text;
mod unreadable;

/// Which RabbitMQ the broker inside the process behaves as, unless `LEVERET_BROKER_VERSION` says.
const VERSION: Option<&str> = None;

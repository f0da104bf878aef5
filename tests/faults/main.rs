//! Real faults on a real RabbitMQ, under a load of 64 concurrent calls: whatever breaks, each call
//! ends by its deadline, an error says truthfully whether the request ran, no reply goes to another
//! call, and calls succeed again soon after the broker can be reached.
//!
//! The scenarios are ignored unless they are asked for, because each needs a broker of its own to
//! kill: `cargo xtask faults` starts one and prints what came of each scenario.

#![cfg(unix)]
#![allow(clippy::disallowed_methods, reason = "faults happen in real time")]

mod acknowledged_late;
mod broker;
mod broker_frozen;
mod broker_killed;
mod connections_closed;
mod figures;
mod ledger;
mod load;
mod memory_alarm;
mod node_killed;
mod queue_deleted;
mod scene;
mod server_killed;

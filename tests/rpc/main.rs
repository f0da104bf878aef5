//! Client and server on a RabbitMQ, as a program uses them. Everything here is orderly: the
//! broker's log has no warning afterwards, which `cargo xtask test` checks.

#![allow(clippy::disallowed_methods, reason = "what takes how long is part of the test")]

mod calls;
mod connections;
mod lifecycle;
mod messages;
mod queues;
#[path = "../support/mod.rs"]
mod support;

/// Which RabbitMQ the broker inside the process behaves as, unless `LEVERET_BROKER_VERSION` says.
const VERSION: Option<&str> = None;

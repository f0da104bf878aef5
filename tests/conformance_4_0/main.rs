//! `tests/conformance` on the broker inside the process, as RabbitMQ 4.0.
//!
//! Signs of life take seconds and are the same in each version: they are told once, there.

#[path = "../conformance/admin.rs"]
mod admin;
#[path = "../conformance/closing.rs"]
mod closing;
#[path = "../conformance/content.rs"]
mod content;
#[path = "../conformance/deliveries.rs"]
mod deliveries;
#[path = "../conformance/faults.rs"]
mod faults;
#[path = "../conformance/handshake.rs"]
mod handshake;
#[path = "../conformance/limits.rs"]
mod limits;
#[path = "../conformance/queue_arguments.rs"]
mod queue_arguments;
#[path = "../conformance/queues.rs"]
mod queues;
#[path = "../conformance/replies.rs"]
mod replies;
#[path = "../conformance/reply_addresses.rs"]
mod reply_addresses;
#[path = "../conformance/reply_consumer.rs"]
mod reply_consumer;
#[path = "../conformance/reply_queues.rs"]
mod reply_queues;
#[path = "../conformance/requests.rs"]
mod requests;
#[path = "../conformance/roles.rs"]
mod roles;
#[path = "../conformance/settling.rs"]
mod settling;
#[path = "../support/mod.rs"]
mod support;
#[path = "../conformance/tables.rs"]
mod tables;

const VERSION: Option<&str> = Some("4.0");

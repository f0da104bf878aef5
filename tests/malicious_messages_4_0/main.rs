//! `tests/malicious_messages` on the broker inside the process, as RabbitMQ 4.0.

#[path = "../malicious_messages/addresses.rs"]
mod addresses;
#[path = "../malicious_messages/attack.rs"]
mod attack;
#[path = "../malicious_messages/bodies.rs"]
mod bodies;
#[path = "../malicious_messages/correlation.rs"]
mod correlation;
#[path = "../malicious_messages/faults.rs"]
mod faults;
#[path = "../malicious_messages/headers.rs"]
mod headers;
#[path = "../malicious_messages/properties.rs"]
mod properties;
#[path = "../malicious_messages/replies.rs"]
mod replies;
#[path = "../support/mod.rs"]
mod support;

const VERSION: Option<&str> = Some("4.0");

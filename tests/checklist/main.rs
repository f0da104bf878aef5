//! The checklist of `tests/conformance`, from the side of Leveret's own client and server: what
//! they make of a broker that behaves so. Items that show in ordinary use are in `tests/rpc`, the
//! failures that a person sees in `tests/errors`.

mod admin;
mod connections;
mod replies;
mod servers;
#[path = "../support/mod.rs"]
mod support;
mod wire;

/// Which RabbitMQ the broker inside the process behaves as, unless `LEVERET_BROKER_VERSION` says.
const VERSION: Option<&str> = None;

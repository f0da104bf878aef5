//! Messages that mean harm, passed on by a broker that does not know it. The attacker is a user like
//! any other: it publishes to a server's queue, or serves a queue that a client calls. Whatever it
//! sends is answered or dropped, and each test ends with an ordinary call that works.

mod addresses;
mod attack;
mod bodies;
mod correlation;
mod faults;
mod headers;
mod properties;
mod replies;
#[path = "../support/mod.rs"]
mod support;

/// Which RabbitMQ the broker inside the process behaves as, unless `LEVERET_BROKER_VERSION` says.
const VERSION: Option<&str> = None;

//! The command `leveret` as its users see it: what it prints, and what it exits with. The broker is the
//! one at `AMQP_URL`, or one inside this process.

#![allow(clippy::disallowed_methods, reason = "the ban on clocks is for the protocol's code")]

mod bodies;
mod draining;
mod failures;
mod generated;
mod ping;
mod requests;
mod serving;
mod support;
mod terminal;
mod tls;

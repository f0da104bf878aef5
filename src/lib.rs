//! Request/reply over RabbitMQ.
extern crate alloc;

pub mod connection;
mod time;
pub use time::Instant;

//! Request/reply over RabbitMQ.
extern crate alloc;

pub mod connection;
mod error;
mod message;
pub mod requester;
pub mod responder;
mod time;
pub mod uri;

pub use error::{CallError, InvalidRequest, Outcome, SessionError};
pub use message::{Fault, Reply, Request};
pub use time::Instant;

//! Request/reply over RabbitMQ.
extern crate alloc;

mod client;
mod connect;
pub mod connection;
mod driver;
mod error;
mod message;
pub mod requester;
pub mod responder;
mod server;
mod time;
pub mod uri;

pub use client::{Client, ClientBuilder, RequestBuilder};
pub use connect::ConnectError;
pub use error::{CallError, InvalidRequest, Outcome, SessionError};
pub use leveret_codec::{BasicProperties, FieldArray, FieldTable, FieldValue, LongStr, ShortStr};
pub use message::{Fault, Reply, Request};
pub use requester::Stats;
pub use responder::ServerStats;
pub use server::{Queue, Server, ServerBuilder};
pub use time::Instant;

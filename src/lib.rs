//! Request/reply over RabbitMQ: **Direct Reply-to**, and nothing else.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use leveret::{Client, Request, Server};
//!
//! let server = Server::builder("amqp://localhost")
//!     .handle("ping", |request: Request| async move { Ok(request.into_body()) })
//!     .start()
//!     .await?;
//!
//! let client = Client::connect("amqp://localhost").await?;
//! let reply = client.call("ping", "hello").await?;
//! assert_eq!(reply.text()?, "hello");
//!
//! client.close().await;
//! server.shutdown().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What it does
//! A [`Client`] sends requests to queues and gets the replies without a queue of its own: the
//! broker hands each reply straight to the channel that the request came from. Any number of calls
//! share one connection, one channel and one consumer; none waits for another. A [`Server`]
//! consumes requests from queues, runs a handler for each, sends the reply and then acknowledges.
//! Where one connection is not enough, both can have several (`connections` of their builders).
//!
//! Every call ends by its deadline, once, with a reply or with a [`CallError`] that says whether
//! the request may have run ([`Outcome`]).
//!
//! A connection that is lost is made anew ([`Reconnect`]), at the next of several addresses if there
//! are some. Calls that were under way fail at once and say what is known of them; calls made
//! meanwhile wait inside their own timeout. A server declares and consumes its queues anew, and
//! replies that were being made are sent on the new connection.
//!
//! # What it does not
//! Publish and subscribe, declare topologies, AMQP 1.0.
//!
//! # How it is built
//! Everything that decides is a state machine that takes bytes and time and gives bytes and
//! events: [`connection`], and on it [`requester`] and [`responder`]. One driver, a private
//! module, owns the socket and reads the clock. The octets are the crate `leveret-codec`'s.
//!
//! # Features
//! - `tokio` (default): the driver, and with it [`Client`] and [`Server`]. Without it the crate is
//!   `no_std`, on `alloc` alone, and what has no socket, no clock and no task remains: the
//!   [`connection`], the engines of client and server, and the [`uri`], for a driver of your own.
//! - `tracing`: a span for each call and each handler, by OpenTelemetry's conventions for messaging,
//!   events for what happens to the connection, and `traceparent` in headers (`Propagator`).
//! - `tls`: `amqps://`, by rustls, and `TlsOptions`. Brings `tokio`.
//! - `json`: bodies in JSON by serde: `call_json`, `handle_json` and what they are made of.
//! - `tower`: `leveret::service`, the client as a `tower::Service` and services as handlers.
//! - `broker`: `leveret::broker`, a broker inside the process for tests. Brings `tokio`.

// Where there are none to link to.
#![cfg_attr(not(feature = "tokio"), doc = "")]
#![cfg_attr(
    not(feature = "tokio"),
    doc = "[`Client`]: https://docs.rs/leveret/latest/leveret/struct.Client.html"
)]
#![cfg_attr(
    not(feature = "tokio"),
    doc = "[`Server`]: https://docs.rs/leveret/latest/leveret/struct.Server.html"
)]
#![cfg_attr(not(feature = "tokio"), no_std)]
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

extern crate alloc;

#[cfg(feature = "broker")]
pub mod broker;
#[cfg(feature = "tokio")]
mod call;
#[cfg(feature = "tokio")]
mod client;
#[cfg(feature = "tokio")]
mod connect;
pub mod connection;
#[cfg(feature = "tokio")]
mod driver;
mod engine;
mod error;
#[cfg(feature = "json")]
mod json;
mod message;
#[cfg_attr(
    not(feature = "tokio"),
    expect(dead_code, reason = "only users of the driver wait for an engine's state")
)]
mod observers;
#[cfg(feature = "tokio")]
mod pool;
mod properties;
#[cfg(feature = "tokio")]
mod queue;
mod reconnect;
pub mod replier;
#[cfg(feature = "tokio")]
mod replies;
pub mod requester;
pub mod responder;
#[cfg(feature = "tokio")]
mod server;
#[cfg(feature = "tower")]
pub mod service;
#[cfg(test)]
mod testing;
mod time;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "tokio")]
mod trace;
pub mod uri;

#[cfg(feature = "tokio")]
pub use call::RequestBuilder;
#[cfg(feature = "tokio")]
pub use client::{Client, ClientBuilder};
#[cfg(feature = "tokio")]
pub use connect::ConnectError;
pub use engine::Engine;
pub use error::{CallError, InvalidRequest, Outcome, SessionError};
#[cfg(feature = "json")]
pub use json::JsonError;
pub use leveret_codec::{
    BasicProperties, FieldArray, FieldTable, FieldValue, LongStr, ReplyCode, ShortStr, TableError,
    TooLong,
};
pub use message::{Fault, Reply, Request};
pub use properties::Properties;
#[cfg(feature = "tokio")]
pub use queue::Queue;
pub use reconnect::{ConnectionState, Reconnect, Reconnecting};
pub use requester::{Retry, Stats};
pub use responder::ServerStats;
#[cfg(feature = "tokio")]
pub use server::{Server, ServerBuilder};
pub use time::Instant;
#[cfg(feature = "tls")]
pub use tls::{TlsError, TlsOptions, TlsOptionsError};
#[cfg(feature = "tls")]
pub use tokio_rustls::rustls;
#[cfg(feature = "tracing")]
pub use trace::Propagator;

/// The examples of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// Those of the documents.
#[cfg(doctest)]
#[doc = include_str!("../docs/interop.md")]
#[doc = include_str!("../docs/interop-spring-nestjs.md")]
struct Interop;

//! Clients and servers as [`Service`]s, so that limits, timeouts, retries and load shedding come from
//! the crate `tower`.
//!
//! [`Client::service`](crate::Client::service) makes a queue a service: what sends requests to it and
//! gives their replies. [`ServerBuilder::handle_service`](crate::ServerBuilder::handle_service) makes a
//! service the handler of a queue.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! # let broker = leveret::broker::Broker::start().await?;
//! use std::time::Duration;
//!
//! use leveret::{Client, Fault, Request, Server};
//! use tower::{Service, ServiceBuilder, ServiceExt};
//!
//! let handler = ServiceBuilder::new()
//!     .load_shed()
//!     .concurrency_limit(100)
//!     .timeout(Duration::from_secs(5))
//!     .service_fn(|request: Request| async move { Ok::<_, Fault>(request.into_body()) });
//! let server = Server::builder(broker.url()).handle_service("ping", handler).start().await?;
//!
//! let client = Client::connect(broker.url()).await?;
//! let mut ping = ServiceBuilder::new().concurrency_limit(10).service(client.service("ping"));
//! let reply = ping.ready().await?.call("hello".into()).await?;
//! assert_eq!(reply.text()?, "hello");
//! # client.close().await;
//! # server.shutdown().await?;
//! # Ok(())
//! # }
//! ```
//!
//! [`Service`]: https://docs.rs/tower-service/0.3/tower_service/trait.Service.html

mod handler;
mod queue_service;
mod request;

pub use self::handler::BoxError;
pub use self::queue_service::{QueueService, ResponseFuture};
pub use self::request::OutgoingRequest;

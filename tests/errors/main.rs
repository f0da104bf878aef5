//! What a person sees when something fails: which error, in which words, whether the request may
//! have run, and never the password.
//!
//! Most tests meet a broker that the test itself plays; those in `broker`, `server` and `admin`
//! need a RabbitMQ.

mod admin;
mod broker;
mod calls;
mod channels;
#[path = "../support/fake.rs"]
mod fake;
mod handshake;
mod plaintext;
mod requests;
mod secrets;
mod seen;
mod server;
mod session;
mod silence;
mod strangers;
#[path = "../support/mod.rs"]
mod support;
mod uris;

/// Which RabbitMQ the broker inside the process behaves as, unless `LEVERET_BROKER_VERSION` says.
const VERSION: Option<&str> = None;

//! TLS as a user sees it: who is talked to, who is not, and in which words that is said.
//!
//! Tests in `admin` open a TLS port of the broker under test, with certificates of their own: on
//! RabbitMQ by `rabbitmqctl`, and in front of the broker inside the process by an acceptor of rustls'. The
//! others play the broker themselves.

mod admin;
mod authority;
mod options;
mod port;
mod scripted;
mod strangers;
#[path = "../support/mod.rs"]
mod support;

use std::time::Duration;

use leveret::{Client, ConnectError, TlsError, TlsOptions};

/// Which RabbitMQ the broker inside the process behaves as, unless `LEVERET_BROKER_VERSION` says.
const VERSION: Option<&str> = None;

/// The longest that a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(20);

async fn patiently<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it takes too long")
}

/// Why there is no client, and what a person reads of it behind the address.
async fn refusal(url: &str, options: TlsOptions) -> (TlsError, String) {
    let error = patiently(Client::builder(url).tls(options).connect()).await.unwrap_err();
    let text = error.to_string();
    let ConnectError::Tls { address, source } = error else { panic!("{error:?}") };
    let words = text.strip_prefix(&format!("{address}: ")).expect("the address comes first");
    assert_eq!(words, source.to_string());
    (source, words.to_owned())
}

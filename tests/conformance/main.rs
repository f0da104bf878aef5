//! How RabbitMQ behaves, as far as request/reply over it depends on that: exact frames, codes and
//! texts, version by version.
//!
//! The tests are numbered as the items of a checklist. They know the broker by its address alone,
//! so whatever claims to behave as RabbitMQ can be held against them. Only the module `admin` needs
//! `rabbitmqctl`.

mod admin;
mod closing;
mod content;
mod deliveries;
mod faults;
mod handshake;
mod heartbeat;
mod limits;
mod queue_arguments;
mod queues;
mod replies;
mod reply_addresses;
mod reply_consumer;
mod reply_queues;
mod requests;
mod roles;
mod settling;
#[path = "../support/mod.rs"]
mod support;
mod tables;

/// Which RabbitMQ the broker inside the process behaves as, unless `LEVERET_BROKER_VERSION` says.
const VERSION: Option<&str> = None;

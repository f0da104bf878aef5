//! A broker inside the process, for tests and development: AMQP 0-9-1 as RabbitMQ speaks it, as
//! far as request/reply needs it.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use leveret::broker::Broker;
//! use leveret::{Client, Request, Server};
//!
//! let broker = Broker::start().await?;
//! let server = Server::builder(&broker.url())
//!     .handle("ping", |request: Request| async move { Ok(request.into_body()) })
//!     .start()
//!     .await?;
//! let client = Client::connect(&broker.url()).await?;
//! assert_eq!(client.call("ping", "hello").await?.text()?, "hello");
//! # client.close().await;
//! # server.shutdown().await?;
//! # Ok(())
//! # }
//! ```
//!
//! It is for tests and development. Nothing is kept on disk; of the arguments of queues it heeds
//! `x-message-ttl`, `x-expires` and `x-dead-letter-*`, and of dead letters it tells the first reason
//! and queue only; a wrong login is dropped at once, where RabbitMQ waits for three seconds; of the exchanges, only the default one
//! routes; there are no clusters, transactions or policies. Memory is bounded: above
//! [`memory_limit`](BrokerBuilder::memory_limit), publishers are blocked, and who does not read what
//! it is sent is not read. What is delivered and not acknowledged is not counted, since a server has
//! to reply before it acknowledges; nor is what has come of a body. It listens on loopback
//! unless told otherwise.

mod admin;
mod assembly;
mod channel;
mod connections;
mod consuming;
mod counts;
mod dead_letters;
mod deep_headers;
mod describe;
mod direct_reply;
mod ends;
mod equivalence;
mod heartbeat;
mod levers;
mod lines;
mod listener;
mod login;
mod node;
mod observe;
mod operator;
mod permissions;
mod publishing;
mod queue;
mod queues;
mod raise;
mod random;
pub mod script;
mod session;
mod settings;
mod tables;
mod transport;
mod unread;
mod version;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use self::listener::Shared;
use self::observe::Observer;
use self::settings::Settings;
use crate::driver::Clock;

pub use self::connections::ConnectionHandle;
pub use self::counts::{BrokerStats, QueueStats};
pub use self::levers::NextConnection;
pub use self::node::{Node, SessionId};
pub use self::observe::{Direction, ObservedFrame, Transcript};
pub use self::permissions::{Pattern, Permissions};
pub use self::version::Version;

/// A broker that listens until it is dropped.
#[derive(Debug)]
pub struct Broker {
    shared: Arc<Shared>,
    address: SocketAddr,
    listener: JoinHandle<()>,
}

impl Broker {
    /// A broker that behaves as the newest RabbitMQ known, on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// The operating system's, if it gives no port.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    /// A broker to be configured.
    pub fn builder() -> BrokerBuilder {
        BrokerBuilder {
            settings: Settings::new(Version::default()),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            seed: 0,
            records: false,
            observer: None,
        }
    }

    /// Where to connect: `amqp://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("amqp://{}", self.address)
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.listener.abort();
        self.shared.drop_connections();
    }
}

/// Configures a [`Broker`].
#[derive(Debug)]
#[must_use = "a builder does nothing before `start`"]
pub struct BrokerBuilder {
    settings: Settings,
    address: SocketAddr,
    seed: u64,
    records: bool,
    observer: Option<Observer>,
}

impl BrokerBuilder {
    /// Which RabbitMQ to behave as. This comes first: its limits are those of that version.
    pub fn version(mut self, version: Version) -> Self {
        let Settings { users, virtual_hosts, memory_limit, .. } = self.settings;
        self.settings = Settings { users, virtual_hosts, memory_limit, ..Settings::new(version) };
        self
    }

    /// A user with a password, besides `guest`, who may do everything everywhere.
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.settings.add_user(name.into(), password.into());
        self.settings.permit_all();
        self
    }

    /// A virtual host, besides `/`.
    pub fn virtual_host(mut self, name: impl Into<String>) -> Self {
        self.settings.virtual_hosts.push(name.into());
        self.settings.permit_all();
        self
    }

    /// Where to listen: a free port of 127.0.0.1 unless set. There is no protection against what
    /// strangers may do, and whoever logs in over a network has to ask for that in the URL, with
    /// `?auth_mechanism=plain`.
    pub fn address(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// How many octets of messages may wait in queues, 256 MiB unless set. Above that, whoever
    /// publishes is blocked until there are fewer (`connection.blocked`, "low on memory").
    pub fn memory_limit(mut self, octets: usize) -> Self {
        self.settings.memory_limit = octets;
        self
    }

    /// The largest body in octets; a larger one is 406 on its channel. That of the version unless
    /// set: 128 MiB for 3.10, 16 MiB from 4.0 on.
    pub fn max_message_size(mut self, octets: u64) -> Self {
        self.settings.max_message_size = octets;
        self
    }

    /// What `connection.tune` offers: the most channels (2047 unless set), the largest frame in
    /// octets (131072) and the seconds between signs of life (60).
    pub fn tune(mut self, channel_max: u16, frame_max: u32, heartbeat: u16) -> Self {
        self.settings.channel_max = channel_max;
        self.settings.frame_max = frame_max;
        self.settings.heartbeat = heartbeat;
        self
    }

    /// What names and reply addresses are made from: the same seed makes the same ones.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The broker alone, for those who move its bytes and its time themselves. Address and recorded
    /// frames are of no use to it.
    pub fn without_io(self) -> Node {
        Node::new(self.settings, self.seed)
    }

    /// Begins to listen.
    ///
    /// # Errors
    /// The operating system's, if the address is taken or not ours.
    pub async fn start(self) -> io::Result<Broker> {
        let listener = TcpListener::bind(self.address).await?;
        let address = listener.local_addr()?;
        let node = Node::new(self.settings, self.seed);
        let shared = Shared::new(node, Clock::start(), self.records, self.observer);
        let listener = tokio::spawn(listener::listen(listener, Arc::clone(&shared)));
        Ok(Broker { shared, address, listener })
    }
}

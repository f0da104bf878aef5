//! The broker under test: where it is, what version it is, and who may disturb it when.
//!
//! Tests know the broker by this alone, so that anything that listens at `AMQP_URL` can take its
//! place. What differs by version is asked of [`Broker::at_least`] and asserted on both sides of
//! the difference.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::env;
use std::fmt::Write as _;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use leveret_codec::ShortStr;
use tokio::net::TcpStream;
use tokio::sync::{OnceCell, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::wire::{Handshake, Wire};

/// Tests share the broker; what disturbs all of its users asks for it alone.
static LOCK: RwLock<()> = RwLock::const_new(());

static VERSION: OnceCell<(u32, u32, u32)> = OnceCell::const_new();

/// the broker under test, for as long as a test holds it.
pub(crate) struct Broker {
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) virtual_host: String,
    /// Host and port.
    address: String,
    version: (u32, u32, u32),
    _guard: Guard,
}

enum Guard {
    Shared(#[allow(dead_code, reason = "held")] RwLockReadGuard<'static, ()>),
    Exclusive(#[allow(dead_code, reason = "held")] RwLockWriteGuard<'static, ()>),
}

impl Broker {
    /// For tests that get along with others.
    pub(crate) async fn shared() -> Self {
        Self::new(Guard::Shared(LOCK.read().await)).await
    }

    /// For tests that others would fail beside.
    pub(crate) async fn exclusive() -> Self {
        Self::new(Guard::Exclusive(LOCK.write().await)).await
    }

    async fn new(guard: Guard) -> Self {
        let url = url();
        let mut broker = Self::parse(&url, guard)
            .unwrap_or_else(|| panic!("AMQP_URL is not amqp://user:password@host:port/vhost"));
        broker.version = *VERSION.get_or_init(|| broker.read_version()).await;
        broker
    }

    /// `amqp://user:password@host:port/vhost`, of which all but the host may be left out. What
    /// follows a `?` is for Leveret.
    fn parse(url: &str, guard: Guard) -> Option<Self> {
        let url = url.split_once('?').map_or(url, |(url, _)| url);
        let rest = url.strip_prefix("amqp://")?;
        let (authority, virtual_host) = match rest.split_once('/') {
            Some((authority, path)) => (authority, decode_percent(path)?),
            None => (rest, "/".to_owned()),
        };
        let (login, address) = authority.rsplit_once('@').unwrap_or(("guest:guest", authority));
        let (user, password) = login.split_once(':')?;
        let address = match address.split_once(':') {
            Some(_) => address.to_owned(),
            None => format!("{address}:5672"),
        };
        Some(Self {
            user: decode_percent(user)?,
            password: decode_percent(password)?,
            virtual_host,
            address,
            version: (0, 0, 0),
            _guard: guard,
        })
    }

    /// `LEVERET_BROKER_VERSION` speaks for a broker that behaves as a RabbitMQ it is not.
    async fn read_version(&self) -> (u32, u32, u32) {
        let version = match env::var("LEVERET_BROKER_VERSION") {
            Ok(version) => version,
            Err(_) => {
                let wire = self.connect().await;
                let version = wire.server_property("version").expect("the broker has a version");
                wire.close().await;
                version
            }
        };
        let mut numbers = version.split('.').map(|number| {
            number.parse().unwrap_or_else(|error| panic!("the broker's version {version}: {error}"))
        });
        let mut next = || numbers.next().unwrap_or(0);
        (next(), next(), next())
    }

    /// Whether the broker behaves as this version of RabbitMQ or a later one.
    pub(crate) fn at_least(&self, major: u32, minor: u32) -> bool {
        self.version >= (major, minor, 0)
    }

    /// A connection that is open.
    pub(crate) async fn connect(&self) -> Wire {
        Handshake::new(self).open(self.tcp().await).await
    }

    /// An open connection with channel 1 open.
    pub(crate) async fn channel(&self) -> Wire {
        let mut wire = self.connect().await;
        wire.open_channel(1).await;
        wire
    }

    /// A connection without a word said.
    pub(crate) async fn tcp(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address)
            .await
            .unwrap_or_else(|error| panic!("no broker at {}: {error}", self.address));
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// `rabbitmqctl` on the broker; its output.
    pub(crate) fn ctl(arguments: &[&str]) -> String {
        if is_in_process() {
            return super::in_process::ctl(arguments);
        }
        let output = Command::new(variable("LEVERET_RABBITMQ"))
            .args(["ctl", &variable("LEVERET_RABBITMQ_NAME")])
            .args(arguments)
            .output()
            .expect("LEVERET_RABBITMQ is a program");
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }
}

/// Where the broker is: at `AMQP_URL`, or else inside this process, if it was built with one.
pub(crate) fn url() -> String {
    if is_in_process() {
        return super::in_process::url();
    }
    variable("AMQP_URL")
}

fn is_in_process() -> bool {
    env::var_os("AMQP_URL").is_none()
}

/// A name that no other test uses, nor an earlier run on the same broker.
pub(crate) fn unique(purpose: &str) -> ShortStr {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    #[allow(clippy::disallowed_methods, reason = "names differ from run to run")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let mut name = format!("leveret-test.{purpose}.");
    write!(name, "{now:x}.{count}").unwrap();
    ShortStr::try_from(name).unwrap()
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `cargo xtask test`"))
}

fn decode_percent(text: &str) -> Option<String> {
    let mut pieces = text.split('%');
    let mut octets = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2)?;
        octets.push(u8::from_str_radix(digits, 16).ok()?);
        octets.extend(rest.as_bytes());
    }
    String::from_utf8(octets).ok()
}

//! From a URI to a socket with an engine at work on it.

use std::hash::{BuildHasher, Hasher};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use leveret_codec::{LongStr, TooLong};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::connection::{Config, ConnectionError, Credentials};
use crate::driver::{Clock, Connect, Driver, Shared};
use crate::engine::Engine;
use crate::uri::{Address, AuthMechanism, Uri, UriError};
use crate::{Instant, Reconnect, Reconnecting, SessionError};

/// Why there is no client or server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URI cannot be understood.
    #[error(transparent)]
    Uri(#[from] UriError),
    /// `amqps` asks for TLS.
    #[error(
        "{address}: TLS is not supported yet; where the network can be trusted, use amqp:// with \
         the query parameter ?auth_mechanism=plain"
    )]
    TlsUnsupported {
        /// Host and port.
        address: String,
    },
    /// The broker is on another machine, and everybody on the way there could read the password.
    #[error(
        "{address}: the password is not sent to {peer}, because it would cross the network in the \
         clear; amqps:// will encrypt it once TLS is supported; where the network can be trusted, \
         name the login in the URI, with the query parameter ?auth_mechanism=plain"
    )]
    PasswordInTheClear {
        /// Host and port.
        address: String,
        /// What answers there.
        peer: SocketAddr,
    },
    /// A user name, a connection name or a queue's name is too long for the wire.
    #[error("{what}: {source}")]
    TooLong {
        /// Of what.
        what: &'static str,
        /// How long.
        source: TooLong,
    },
    /// Nothing answers at that address.
    #[error("cannot reach {address}: {source}{}", io_hint(.source))]
    Unreachable {
        /// Host and port.
        address: String,
        /// The operating system's words.
        source: io::Error,
    },
    /// The connect timeout passed before the session was ready.
    #[error(
        "{address} was not ready within the connect timeout of {timeout:?}: it was silent {stage}"
    )]
    TimedOut {
        /// Host and port.
        address: String,
        /// The whole time allowed, from the first packet on.
        timeout: Duration,
        /// What was going on.
        stage: &'static str,
    },
    /// The broker was reached, and then it failed.
    #[error("{address}: {source}")]
    Session {
        /// Host and port.
        address: String,
        /// Why.
        source: SessionError,
    },
    /// None of the addresses has a broker that takes us.
    #[error("none of {} addresses will do: {}", .0.len(), list(.0))]
    NoAddress(
        /// Why, for each address in its turn.
        Vec<ConnectError>,
    ),
    /// A server without queues has nothing to do.
    #[error("the server has no queues to serve: give it some with `handle`")]
    NoQueues,
    /// A queue's argument cannot be put on the wire.
    #[error("an argument of queue \"{queue}\": {source}")]
    Argument {
        /// The queue.
        queue: String,
        /// Why.
        source: leveret_codec::TableError,
    },
}

fn list(errors: &[ConnectError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn io_hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            "; nothing listens there: is the broker running, and is the port right?"
        }
        _ => "",
    }
}

/// What client and server have in common: where the broker is, how to be its guest, and what to do
/// when it goes.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    uri: Uri,
    config: Config,
    pub(crate) connect_timeout: Duration,
    pub(crate) reconnect: Reconnect,
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest body that RabbitMQ 4 takes if nothing else is configured; 3.x takes 128 MiB.
pub(crate) const MAX_BODY_SIZE: u64 = 16 * 1024 * 1024;

impl Options {
    pub(crate) fn new(uri: Uri) -> Result<Self, ConnectError> {
        if uri.is_tls() {
            let [address, ..] = uri.addresses() else {
                return Err(ConnectError::NoAddress(vec![]));
            };
            return Err(ConnectError::TlsUnsupported { address: address.to_string() });
        }
        let mut config = Config {
            credentials: credentials(&uri)?,
            virtual_host: uri.virtual_host().clone(),
            ..Config::default()
        };
        config.heartbeat = uri.heartbeat().unwrap_or(config.heartbeat);
        config.channel_max = uri.channel_max().unwrap_or(config.channel_max);
        config.frame_max = uri.frame_max().unwrap_or(config.frame_max);
        let connect_timeout = uri.connection_timeout().unwrap_or(CONNECT_TIMEOUT);
        Ok(Self { uri, config, connect_timeout, reconnect: Reconnect::default() })
    }

    pub(crate) fn set_connection_name(&mut self, name: &str) -> Result<(), ConnectError> {
        let name = LongStr::try_from(name)
            .map_err(|source| ConnectError::TooLong { what: "the connection name", source })?;
        self.config.connection_name = Some(name);
        Ok(())
    }

    /// Tries the broker's addresses in turn, each for as long as the connect timeout, until there is
    /// a connection that is ready. Later on, further connections are made in the same way.
    pub(crate) async fn connect<E, F>(
        self,
        engine: impl Fn(Start) -> E,
        work: F,
        ready: Ready<E>,
    ) -> Result<Arc<Shared<E>>, ConnectError>
    where
        E: Engine,
        E::Work: Send,
        F: Work<E>,
    {
        let options = Arc::new(self);
        let mut errors = Vec::new();
        for (number, address) in options.uri.addresses().iter().enumerate() {
            let reach = options.tcp(address);
            let connect = Arc::clone(&options).reconnecting();
            let begin = Begin { address, number, reconnect: options.reconnect, connect };
            match options.begin(begin, reach, &engine, work.clone(), ready).await {
                Ok(shared) => return Ok(shared),
                Err(error) => errors.push(error),
            }
        }
        Err(if errors.len() > 1 { None } else { errors.pop() }
            .unwrap_or(ConnectError::NoAddress(errors)))
    }

    /// Does the same over a stream that is there, and that nothing can take the place of.
    pub(crate) async fn connect_over<E, F, S>(
        self,
        stream: S,
        engine: impl Fn(Start) -> E,
        work: F,
        ready: Ready<E>,
    ) -> Result<Arc<Shared<E>>, ConnectError>
    where
        E: Engine,
        E::Work: Send,
        F: Work<E>,
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let [address, ..] = self.uri.addresses() else {
            return Err(ConnectError::NoAddress(vec![]));
        };
        let connect: Connect<S> = Box::new(|_| Box::pin(std::future::pending()));
        let begin = Begin { address, number: 0, reconnect: Reconnect::never(), connect };
        self.begin(begin, async { Ok(stream) }, &engine, work, ready).await
    }

    /// A socket to an address of the broker's, fit for the login.
    async fn tcp(&self, address: &Address) -> Result<TcpStream, ConnectError> {
        let connect = async || {
            let stream = TcpStream::connect((address.host(), address.port())).await?;
            stream.set_nodelay(true)?;
            Ok((stream.peer_addr()?, stream))
        };
        let address = || address.to_string();
        let (peer, stream) = connect()
            .await
            .map_err(|source| ConnectError::Unreachable { address: address(), source })?;
        if !may_log_in(self.uri.auth_mechanism(), peer) {
            return Err(ConnectError::PasswordInTheClear { address: address(), peer });
        }
        Ok(stream)
    }

    /// Makes further sockets.
    fn reconnecting(self: Arc<Self>) -> Connect<TcpStream> {
        Box::new(move |number| {
            let options = Arc::clone(&self);
            Box::pin(async move {
                let address = options.uri.addresses().get(number).ok_or("there is no address")?;
                let limit = options.connect_timeout;
                match timeout(limit, options.tcp(address)).await {
                    Ok(Ok(stream)) => Ok(stream),
                    Ok(Err(error)) => Err(error.to_string()),
                    Err(_) => Err(timed_out(address, limit, REACHING).to_string()),
                }
            })
        })
    }

    /// Gets a stream, lets the engine's driver loose on it, and waits until `ready`, all within the
    /// connect timeout. The engine's work is done by `work`.
    async fn begin<E, F, S>(
        &self,
        begin: Begin<'_, S>,
        reach: impl Future<Output = Result<S, ConnectError>>,
        engine: impl Fn(Start) -> E,
        work: F,
        ready: Ready<E>,
    ) -> Result<Arc<Shared<E>>, ConnectError>
    where
        E: Engine,
        E::Work: Send,
        F: Work<E>,
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let Begin { address, number, reconnect: policy, connect } = begin;
        let limit = self.connect_timeout;
        let clock = Clock::start();
        let stream =
            timeout(limit, reach).await.map_err(|_| timed_out(address, limit, REACHING))??;

        // The handshake has what is left, and says what it was waiting for if that is too little.
        let now = clock.now();
        let mut config = self.config.clone();
        config.handshake_timeout = limit.saturating_sub(now.since_start());
        let addresses = self.uri.addresses().len();
        let reconnecting =
            Reconnecting { policy, addresses, connect_timeout: limit, seed: random() };
        let engine = engine(Start { config, reconnecting, address: number, now });
        let shared = Shared::new(engine, clock);
        let driver = Driver::new(Arc::clone(&shared), stream, connect, work);
        let driver = AbortOnDrop(Some(tokio::spawn(driver.run()).abort_handle()));
        let left = limit.saturating_sub(now.since_start()).saturating_add(GRACE);
        let result = timeout(left, shared.wait(ready))
            .await
            .map_err(|_| timed_out(address, limit, "after the login, on a channel"))?;
        // Ready or refused: from here on, the driver ends when its engine does.
        driver.let_go();
        match result {
            Ok(()) => Ok(shared),
            Err(SessionError::Connection(ConnectionError::HandshakeTimeout { stage })) => {
                Err(timed_out(address, limit, stage))
            }
            Err(source) => Err(ConnectError::Session { address: address.to_string(), source }),
        }
    }
}

/// What an engine is made from.
pub(crate) struct Start {
    pub(crate) config: Config,
    pub(crate) reconnecting: Reconnecting,
    /// Which of the addresses its first transport leads to.
    pub(crate) address: usize,
    pub(crate) now: Instant,
}

/// Whether an engine is ready, or has failed to be.
pub(crate) type Ready<E> = fn(&mut E) -> Poll<Result<(), SessionError>>;

/// What is done with an engine's work.
pub(crate) trait Work<E: Engine>:
    FnMut(&Arc<Shared<E>>, E::Work) + Clone + Send + Unpin + 'static
{
}

impl<E: Engine, F> Work<E> for F where
    F: FnMut(&Arc<Shared<E>>, E::Work) + Clone + Send + Unpin + 'static
{
}

/// A first connection to be, and what comes after it.
struct Begin<'a, S> {
    address: &'a Address,
    number: usize,
    reconnect: Reconnect,
    connect: Connect<S>,
}

/// What was going on when a socket did not come in time.
const REACHING: &str = "when it was to be reached";

fn timed_out(address: &Address, timeout: Duration, stage: &'static str) -> ConnectError {
    ConnectError::TimedOut { address: address.to_string(), timeout, stage }
}

/// The standard library seeds each of its hashers from the system's random numbers.
pub(crate) fn random() -> u64 {
    std::hash::RandomState::new().build_hasher().finish()
}

/// The handshake's own timeout, which says more, goes off first.
const GRACE: Duration = Duration::from_millis(100);

/// A connection that nobody waits for any more is not left behind.
struct AbortOnDrop(Option<AbortHandle>);

impl AbortOnDrop {
    fn let_go(mut self) {
        self.0 = None;
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        if let Some(driver) = &self.0 {
            driver.abort();
        }
    }
}

/// Whether a password may go to this address as it is, where anybody on the way could read it: not
/// beyond this machine, unless the URI asks for the mechanism by name.
fn may_log_in(asked_for: Option<AuthMechanism>, peer: SocketAddr) -> bool {
    match asked_for {
        // `External` sends none.
        Some(AuthMechanism::Plain | AuthMechanism::AmqPlain | AuthMechanism::External) => true,
        // An IPv6 socket shows the IPv4 address that it is connected to as a mapped one.
        None => peer.ip().to_canonical().is_loopback(),
    }
}

fn credentials(uri: &Uri) -> Result<Credentials, ConnectError> {
    let username = LongStr::try_from(uri.username())
        .map_err(|source| ConnectError::TooLong { what: "the user name", source })?;
    let password = uri.password().clone();
    Ok(match uri.auth_mechanism() {
        None | Some(AuthMechanism::Plain) => Credentials::Plain { username, password },
        Some(AuthMechanism::AmqPlain) => Credentials::AmqPlain { username, password },
        Some(AuthMechanism::External) => Credentials::External,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MECHANISMS: [AuthMechanism; 3] =
        [AuthMechanism::Plain, AuthMechanism::AmqPlain, AuthMechanism::External];

    fn peer(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    #[test]
    fn options_do_not_show_the_password() {
        for parameters in ["", "?auth_mechanism=amqplain"] {
            let url = format!("amqp://alice:open-sesame@rabbit{parameters}");
            let options = Options::new(url.parse().unwrap()).unwrap();
            let shown = format!("{options:?} {options:#?}");
            assert!(shown.contains("alice") && !shown.contains("open-sesame"), "{shown}");
        }
    }

    #[test]
    fn a_password_may_go_to_this_machine() {
        for address in [
            "127.0.0.1:5672",
            "127.8.9.10:1",
            "[::1]:5672",
            "[::ffff:127.0.0.1]:5672",
            "[::ffff:7fff:ffff]:5672",
        ] {
            assert!(may_log_in(None, peer(address)), "{address}");
        }
    }

    #[test]
    fn a_password_goes_to_another_only_if_asked_to() {
        for address in [
            "192.168.0.1:5672",
            "10.0.0.1:5672",
            "169.254.1.1:5672",
            "128.0.0.1:5672",
            "0.0.0.0:5672",
            "8.8.8.8:5672",
            "[::]:5672",
            "[::2]:5672",
            "[fe80::1%1]:5672",
            "[fd00::1]:5672",
            "[2001:db8::1]:5672",
            "[::ffff:192.168.0.1]:5672",
            // IPv4-compatible, which is long out of use and routed like any other.
            "[::127.0.0.1]:5672",
        ] {
            assert!(!may_log_in(None, peer(address)), "{address}");
            for mechanism in MECHANISMS {
                assert!(may_log_in(Some(mechanism), peer(address)), "{mechanism:?} {address}");
            }
        }
    }
}

//! From a URI to a socket with an engine at work on it.

mod error;
mod login;
mod open;
mod reach;

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use leveret_codec::LongStr;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use self::login::credentials;
use self::reach::Tcp;
use crate::connection::{Config, ConnectionError};
use crate::driver::{Clock, Connect, Driver, Shared};
use crate::engine::Engine;
#[cfg(feature = "tls")]
use crate::tls::{Tls, TlsOptions, TlsOptionsError};
use crate::uri::{Address, Uri};
use crate::{Instant, Reconnect, Reconnecting, SessionError, trace};

pub use self::error::ConnectError;
pub(crate) use self::reach::Reach;
#[cfg(feature = "tls")]
pub(crate) use self::reach::tcp;

/// What client and server have in common: where the broker is, how to be its guest, and what to do
/// when it goes.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    uri: Uri,
    config: Config,
    /// How to encrypt, if the URI asks for it.
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
    /// Which of the addresses to try first.
    first_address: usize,
    pub(crate) connect_timeout: Duration,
    pub(crate) reconnect: Reconnect,
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest body that RabbitMQ 4 takes if nothing else is configured; 3.x takes 128 MiB.
pub(crate) const MAX_BODY_SIZE: u64 = 16 * 1024 * 1024;

impl Options {
    pub(crate) fn new(uri: Uri) -> Result<Self, ConnectError> {
        #[cfg(not(feature = "tls"))]
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
        let reconnect = Reconnect::default();
        Ok(Self {
            #[cfg(feature = "tls")]
            tls: uri.is_tls().then(|| Tls::new(TlsOptions::new(), &uri)),
            uri,
            config,
            first_address: 0,
            connect_timeout,
            reconnect,
        })
    }

    /// Somebody who says how to encrypt is not to find out that nobody does.
    #[cfg(feature = "tls")]
    pub(crate) fn set_tls(&mut self, options: TlsOptions) -> Result<(), ConnectError> {
        if !self.uri.is_tls() {
            return Err(TlsOptionsError::WithoutTls.into());
        }
        self.tls = Some(Tls::new(options, &self.uri));
        Ok(())
    }

    pub(crate) fn addresses(&self) -> &[Address] {
        self.uri.addresses()
    }

    pub(crate) fn set_connection_name(&mut self, name: &str) -> Result<(), ConnectError> {
        let name = LongStr::try_from(name)
            .map_err(|source| ConnectError::TooLong { what: "the connection name", source })?;
        self.config.connection_name = Some(name);
        Ok(())
    }

    /// The same for one of several connections. They begin at different addresses, if there are.
    pub(crate) fn of_connection(&self, number: usize) -> Self {
        let first_address = number.checked_rem(self.uri.addresses().len()).unwrap_or_default();
        Self { first_address, ..self.clone() }
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
        #[cfg(feature = "tls")]
        if let Some(tls) = self.tls.clone() {
            return self.connect_by(tls, engine, work, ready).await;
        }
        self.connect_by(Tcp, engine, work, ready).await
    }

    async fn connect_by<R, E, F>(
        self,
        reach: R,
        engine: impl Fn(Start) -> E,
        work: F,
        ready: Ready<E>,
    ) -> Result<Arc<Shared<E>>, ConnectError>
    where
        R: Reach,
        E: Engine,
        E::Work: Send,
        F: Work<E>,
    {
        let options = Arc::new(self);
        let mut errors = Vec::new();
        let addresses = options.uri.addresses();
        let in_turn = addresses.iter().enumerate().cycle().skip(options.first_address);
        for (number, address) in in_turn.take(addresses.len()) {
            let stream = reach.reach(&options.uri, address);
            let connect = Arc::clone(&options).reconnecting(reach.clone());
            let reconnect = options.reconnect;
            let begin = Begin { address, number, stage: R::STAGE, reconnect, connect };
            match options.begin(begin, stream, &engine, work.clone(), ready).await {
                Ok(shared) => return Ok(shared),
                // It would be the same at the next address.
                #[cfg(feature = "tls")]
                Err(error @ ConnectError::TlsOptions(_)) => return Err(error),
                Err(error) => errors.push(error),
            }
        }
        Err(none_of(errors))
    }

    /// Does the same over a stream that is there, and that nothing can take the place of. If the URI asks
    /// for TLS, that is what is spoken on it.
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
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            let stream = tls.over(stream, address);
            return self
                .begin(Begin::once(address, Tls::STAGE), stream, &engine, work, ready)
                .await;
        }
        let stream = async { Ok(stream) };
        self.begin(Begin::once(address, Tcp::STAGE), stream, &engine, work, ready).await
    }

    /// Makes further streams.
    fn reconnecting<R: Reach>(self: Arc<Self>, reach: R) -> Connect<R::Stream> {
        Box::new(move |number| {
            let (options, reach) = (Arc::clone(&self), reach.clone());
            Box::pin(async move {
                let address = options.uri.addresses().get(number).ok_or("there is no address")?;
                let limit = options.connect_timeout;
                match timeout(limit, reach.reach(&options.uri, address)).await {
                    Ok(Ok(stream)) => Ok(stream),
                    Ok(Err(error)) => Err(error.to_string()),
                    Err(_) => Err(timed_out(address, limit, R::STAGE).to_string()),
                }
            })
        })
    }

    /// Gets a stream, lets the engine's driver loose on it, and waits until `ready`, all within the
    /// connect timeout. The engine's work is done by `work`.
    async fn begin<E, F, S>(
        &self,
        begin: Begin<'_, S>,
        stream: impl Future<Output = Result<S, ConnectError>>,
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
        let Begin { address, number, stage, reconnect: policy, connect } = begin;
        let limit = self.connect_timeout;
        let clock = Clock::start();
        let stream =
            timeout(limit, stream).await.map_err(|_| timed_out(address, limit, stage))??;

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
        let driver = AbortOnDrop(Some(
            tokio::spawn(trace::connection(self.uri.addresses(), driver.run())).abort_handle(),
        ));
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
    /// What goes on until there is a stream.
    stage: &'static str,
    reconnect: Reconnect,
    connect: Connect<S>,
}

impl<'a, S: Send + 'static> Begin<'a, S> {
    /// Nothing comes after it.
    fn once(address: &'a Address, stage: &'static str) -> Self {
        let connect: Connect<S> = Box::new(|_| Box::pin(std::future::pending()));
        Self { address, number: 0, stage, reconnect: Reconnect::never(), connect }
    }
}

/// What each address failed of.
fn none_of(errors: Vec<ConnectError>) -> ConnectError {
    match <[ConnectError; 1]>::try_from(errors) {
        Ok([error]) => error,
        Err(errors) => ConnectError::NoAddress(errors),
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_do_not_show_the_password() {
        for parameters in ["", "?auth_mechanism=amqplain"] {
            let url = format!("amqp://alice:open-sesame@rabbit{parameters}");
            let options = Options::new(url.parse().unwrap()).unwrap();
            let shown = format!("{options:?} {options:#?}");
            assert!(shown.contains("alice") && !shown.contains("open-sesame"), "{shown}");
        }
    }
}

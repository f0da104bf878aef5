//! The driver: the one place that owns a socket and reads the clock.
//!
//! ```text
//!   users ──lock──▶ engine ◀──lock── driver ◀──▶ socket, clock
//!            │                          ▲
//!            └────────── wake ──────────┘
//! ```
//!
//! A user's call locks the engine, which writes the request into its buffer, and wakes the driver.
//! Each turn of the driver takes whatever has gathered there and hands it to the socket at once:
//! no queue between user and engine, no task per call, one write for many calls.
//!
//! When the engine is done with a connection, its socket goes, and when the engine asks for another,
//! the driver makes one. Deadlines are kept meanwhile.

mod clock;
mod shared;

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, BufMut, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use self::shared::Guarded;
use crate::Instant;
use crate::engine::Engine;
use crate::time::earlier;

pub(crate) use self::clock::{Clock, Timer};
pub(crate) use self::shared::{Shared, wake_all};

/// A socket in the making, or the reason why there is none.
pub(crate) type Reaching<S> = Pin<Box<dyn Future<Output = Result<S, String>> + Send>>;

/// Makes a socket to the how-manieth address of the broker.
pub(crate) type Connect<S> = Box<dyn FnMut(usize) -> Reaching<S> + Send>;

/// Moves bytes between one engine and its sockets, one after the other, until it is done.
pub(crate) struct Driver<E: Engine, S, F> {
    shared: Arc<Shared<E>>,
    transport: Transport<S>,
    connect: Connect<S>,
    /// What to do with the engine's work.
    work: F,
    input: BytesMut,
    /// Room for so many octets is made before the next read.
    room: usize,
    /// The last read filled most of its room, so there is more. Others go first then: what they send is
    /// on its way while the rest is read. Where there is no more, the end of the connection may be what
    /// comes next, and then nothing should be sent any more that would be lost with it.
    is_flooded: bool,
    output: BytesMut,
    /// The socket has taken octets that it may be holding back, as one that encrypts does.
    is_unflushed: bool,
    /// The socket takes no more.
    broken: Option<Broken>,
    timer: Timer,
    /// When something is due, as of the last turn.
    deadline: Option<Instant>,
    wake: Vec<Waker>,
    todo: Vec<E::Work>,
}

enum Transport<S> {
    Up(S),
    Reaching(Reaching<S>),
    Down,
}

/// A socket that cannot be written to. The peer may have said why before it closed it, and that may not
/// have arrived yet: so it is read to its end.
struct Broken {
    /// The operating system's words.
    reason: String,
    /// The end is most often there at once.
    until: Instant,
}

/// What a turn has found.
struct Turn {
    /// The socket is of no more use.
    is_disconnected: bool,
    /// Which address to connect to.
    connect: Option<usize>,
    is_finished: bool,
    /// Others have something to do, and most often something to send for the next turn.
    has_woken: bool,
}

/// The least room that is made for a read. It grows while what comes fills half of it, and shrinks when
/// that is little.
pub(crate) const READ_SIZE: usize = 0x4000;

/// The most octets to read at once: two of RabbitMQ's largest frames. The smallest frames grow to
/// fifty times their size when they are events that wait for each other.
const READ_LIMIT: usize = 0x4_0000;

/// Turns in a row before other tasks get theirs.
pub(crate) const TURNS: usize = 32;

/// How long a peer's last words may take to arrive when nothing can be sent to it any more.
const LAST_WORDS_TIMEOUT: Duration = Duration::from_millis(100);

/// How long the last octets, such as close-ok, may take to leave after the end.
pub(crate) const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

impl<E, S, F> Driver<E, S, F>
where
    E: Engine,
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    F: FnMut(&Arc<Shared<E>>, E::Work) + Unpin,
{
    pub(crate) fn new(shared: Arc<Shared<E>>, stream: S, connect: Connect<S>, work: F) -> Self {
        Self {
            shared,
            transport: Transport::Up(stream),
            connect,
            work,
            input: BytesMut::new(),
            room: READ_SIZE,
            is_flooded: false,
            output: BytesMut::new(),
            is_unflushed: false,
            broken: None,
            timer: Timer::default(),
            deadline: None,
            wake: Vec::new(),
            todo: Vec::new(),
        }
    }

    pub(crate) async fn run(mut self) {
        poll_fn(|context| self.poll(context)).await;
        if let Some((stream, output)) = self.put_down() {
            flush(stream, output).await;
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        for _ in 0..TURNS {
            let arrived = self.poll_transport(context);
            let turn = self.turn(context);
            let written = self.poll_write(context);
            if turn.is_finished {
                return Poll::Ready(());
            }
            let changed = self.change_transport(&turn);
            let timed_out = self.timer.poll(context, self.shared.clock(), self.deadline);
            if !(arrived || written || changed || timed_out) {
                return Poll::Pending;
            }
            if turn.has_woken && self.is_flooded {
                break;
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Everything that needs the engine, under one lock.
    fn turn(&mut self, context: &Context<'_>) -> Turn {
        let mut guarded = self.shared.lock();
        let now = self.shared.clock().now();
        let Guarded { engine, driver } = &mut *guarded;
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            engine.handle_timeout(now);
        }
        if let Some(Broken { reason, .. }) = self.broken.take_if(|broken| broken.until <= now) {
            engine.handle_transport_error(now, reason);
        }
        // What the socket has not taken yet goes first, and the engine keeps the rest.
        if self.output.is_empty() && self.broken.is_none() {
            engine.poll_transmit(now, &mut self.output);
        }
        driver.get_or_insert_with(|| context.waker().clone()).clone_from(context.waker());
        engine.take_wakers(&mut self.wake);
        while let Some(work) = engine.poll_work(now) {
            self.todo.push(work);
        }
        let is_down = matches!(self.transport, Transport::Down);
        let turn = Turn {
            connect: is_down.then(|| engine.poll_connect(now)).flatten(),
            is_disconnected: engine.is_disconnected(),
            is_finished: engine.is_finished(),
            has_woken: !(self.wake.is_empty() && self.todo.is_empty()),
        };
        let until = self.broken.as_ref().map(|broken| broken.until);
        self.deadline = earlier(engine.poll_timeout(), until);
        let state = engine.connection_state();
        drop(guarded);
        self.shared.tell(state);
        wake_all(self.wake.drain(..));
        for work in self.todo.drain(..) {
            (self.work)(&self.shared, work);
        }
        turn
    }

    /// Takes the socket away that is of no more use, or makes another. Whether anything happened.
    fn change_transport(&mut self, turn: &Turn) -> bool {
        if let Some(address) = turn.connect {
            self.transport = Transport::Reaching((self.connect)(address));
            return true;
        }
        if turn.is_disconnected
            && let Some((stream, output)) = self.put_down()
        {
            // Deadlines do not wait for it.
            tokio::spawn(flush(stream, output));
            return true;
        }
        false
    }

    /// The socket, if there was one, and what is still to be sent on it.
    fn put_down(&mut self) -> Option<(S, BytesMut)> {
        let Transport::Up(_) = self.transport else { return None };
        let transport = core::mem::replace(&mut self.transport, Transport::Down);
        let Transport::Up(stream) = transport else { return None };
        self.input.clear();
        self.is_unflushed = false;
        self.broken = None;
        self.shared.command(|engine, now| engine.poll_transmit(now, &mut self.output));
        Some((stream, core::mem::take(&mut self.output)))
    }

    /// Reads once, or looks whether there is a socket now. Whether anything happened.
    fn poll_transport(&mut self, context: &mut Context<'_>) -> bool {
        let Transport::Reaching(reaching) = &mut self.transport else {
            return self.poll_read(context);
        };
        match reaching.as_mut().poll(context) {
            Poll::Pending => return false,
            Poll::Ready(Ok(stream)) => {
                self.transport = Transport::Up(stream);
                self.shared.command(Engine::handle_connected);
            }
            Poll::Ready(Err(reason)) => {
                self.transport = Transport::Down;
                self.shared.command(|engine, now| engine.handle_unreachable(now, reason));
            }
        }
        true
    }

    /// Reads once. Whether anything happened.
    fn poll_read(&mut self, context: &mut Context<'_>) -> bool {
        let Transport::Up(stream) = &mut self.transport else { return false };
        self.input.reserve(self.room);
        let mut room = (&mut self.input).limit(self.room);
        let result = match pin!(stream.read_buf(&mut room)).poll(context) {
            Poll::Ready(result) => result,
            Poll::Pending => return false,
        };
        self.is_flooded = matches!(result, Ok(length) if length >= self.room / 2);
        self.room = match result {
            Ok(_) if self.is_flooded => self.room.saturating_mul(2).min(READ_LIMIT),
            Ok(length) if length < self.room / 16 => (self.room / 2).max(READ_SIZE),
            _ => self.room,
        };
        let mut guarded = self.shared.lock();
        let now = self.shared.clock().now();
        let mut broken = || self.broken.take().map(|broken| broken.reason);
        match result {
            Ok(0) => match broken() {
                Some(reason) => guarded.engine.handle_transport_error(now, reason),
                None => guarded.engine.handle_eof(now),
            },
            Ok(_) => guarded.engine.handle_input(now, &mut self.input),
            // An encrypted one says in this way what it heard.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                guarded.engine.handle_transport_refusal(now, error.to_string());
            }
            Err(error) => {
                let reason = broken().unwrap_or_else(|| error.to_string());
                guarded.engine.handle_transport_error(now, reason);
            }
        }
        true
    }

    /// Writes until the socket takes no more. Whether it took all there was.
    fn poll_write(&mut self, context: &mut Context<'_>) -> bool {
        let mut progress = false;
        while !self.output.is_empty() {
            let Transport::Up(stream) = &mut self.transport else { return progress };
            match Pin::new(stream).poll_write(context, &self.output) {
                Poll::Pending => return false,
                Poll::Ready(Ok(0)) => return self.write_failed(&io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(length)) => self.output.advance(length),
                Poll::Ready(Err(error)) => return self.write_failed(&error),
            }
            self.is_unflushed = true;
            progress = true;
        }
        if progress {
            // From its beginning on again, or what is written next would be moved there half-way.
            let _ = self.output.try_reclaim(self.output.capacity().saturating_add(1));
        }
        match self.poll_flush(context) {
            Ok(()) => progress,
            Err(error) => self.write_failed(&error),
        }
    }

    /// Of a plain socket, there is nothing to flush.
    fn poll_flush(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.is_unflushed
            && let Transport::Up(stream) = &mut self.transport
            && let Poll::Ready(result) = Pin::new(stream).poll_flush(context)
        {
            self.is_unflushed = false;
            return result;
        }
        Ok(())
    }

    fn write_failed(&mut self, error: &io::Error) -> bool {
        self.output.clear();
        self.is_unflushed = false;
        let until = self.shared.clock().now().after(LAST_WORDS_TIMEOUT);
        self.broken = Some(Broken { reason: error.to_string(), until });
        true
    }
}

/// Sends the last octets, such as close-ok, and closes the socket. Whether that succeeds is of no
/// interest to anybody any more.
async fn flush<S: AsyncWrite + Unpin>(mut stream: S, output: BytesMut) {
    let _ = tokio::time::timeout(FLUSH_TIMEOUT, async {
        stream.write_all(&output).await?;
        stream.shutdown().await
    })
    .await;
}

/// However the driver ends, with its runtime or in a panic, everybody who waits learns it.
impl<E: Engine, S, F> Drop for Driver<E, S, F> {
    fn drop(&mut self) {
        let reason = "the task that drives the connection has ended, with its runtime perhaps";
        let state = self.shared.command(|engine, now| {
            engine.handle_end_of_driver(now, reason.to_string());
            engine.connection_state()
        });
        self.shared.tell(state);
    }
}

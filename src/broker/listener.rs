//! Sockets for a [`Node`]: a task that accepts, and one for each connection.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

use super::lines::Lines;
use super::node::{Node, SessionId};
use super::observe::Observer;
use super::transport::{Line, Wire};
use crate::Instant;
use crate::driver::{Clock, FLUSH_TIMEOUT, READ_SIZE, TURNS, Timer, wake_all};

/// One node and the tasks of its connections.
#[derive(Debug)]
pub(super) struct Shared {
    guarded: Mutex<Guarded>,
    pub(super) lines: Lines,
    clock: Clock,
}

#[derive(Debug)]
struct Guarded {
    node: Node,
    /// The connections' tasks, while they sleep.
    tasks: BTreeMap<SessionId, Waker>,
}

impl Shared {
    pub(super) fn new(
        node: Node,
        clock: Clock,
        records: bool,
        observer: Option<Observer>,
    ) -> Arc<Self> {
        let guarded = Mutex::new(Guarded { node, tasks: BTreeMap::new() });
        Arc::new(Self { guarded, lines: Lines::new(records, observer), clock })
    }

    /// Does something with the node, and wakes every connection that this gave something to do.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Node, Instant) -> T) -> T {
        let mut guarded = self.lock();
        let now = self.clock.now();
        let result = act(&mut guarded.node, now);
        guarded.node.conclude(now);
        let tasks = core::mem::take(&mut guarded.tasks);
        drop(guarded);
        wake_all(tasks.into_values());
        self.lines.changed();
        result
    }

    /// Asks the node something that changes nothing.
    pub(super) fn query<T>(&self, ask: impl FnOnce(&Node) -> T) -> T {
        // With no connection, nobody else sees to it that time passes.
        let mut guarded = self.lock();
        let now = self.clock.now();
        if guarded.node.poll_timeout().is_some_and(|deadline| deadline <= now) {
            guarded.node.handle_timeout(now);
        }
        ask(&guarded.node)
    }

    /// Ends every connection without a word.
    pub(super) fn drop_connections(&self) {
        for line in self.lines.all() {
            self.drop_connection(&line);
        }
    }

    /// Ends a connection without a word, and without what was still to be sent.
    pub(super) fn drop_connection(&self, line: &Line) {
        line.cut();
        self.with(|node, now| node.handle_eof(line.id, now));
    }

    fn lock(&self) -> MutexGuard<'_, Guarded> {
        self.guarded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let _ = stream.set_nodelay(true);
                serve(&shared, stream);
            }
            // Out of files, perhaps: there will be some again.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Takes a connection on, unless it is the one that a test wants refused.
pub(super) fn serve<S>(shared: &Arc<Shared>, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let plan = shared.lines.next_plan();
    if plan.refuses {
        return shared.lines.changed();
    }
    // The time that a client has to log in begins after the delay.
    let id = shared.with(|node, now| node.accept(now.after(plan.delay)));
    let line = shared.lines.accept(id, plan.faults);
    shared.lines.changed();
    tokio::spawn(Port::new(Arc::clone(shared), line, stream).run(plan.delay));
}

/// One connection's socket.
struct Port<S> {
    shared: Arc<Shared>,
    id: SessionId,
    line: Arc<Line>,
    stream: Wire<S>,
    /// Its line knows who the client is.
    introduced: bool,
    input: BytesMut,
    output: BytesMut,
    timer: Timer,
}

/// Does nothing for a while, unless the connection is cut meanwhile.
async fn wait(line: &Line, delay: Duration) {
    if delay.is_zero() {
        return;
    }
    let mut delay = pin!(tokio::time::sleep(delay));
    poll_fn(
        |context| {
            if line.poll_cut(context) { Poll::Ready(()) } else { delay.as_mut().poll(context) }
        },
    )
    .await;
}

/// What came of a turn.
struct Turn {
    /// When something is due.
    deadline: Option<Instant>,
    finished: bool,
    /// Whether anything happened.
    acted: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Port<S> {
    fn new(shared: Arc<Shared>, line: Arc<Line>, stream: S) -> Self {
        Self {
            shared,
            id: line.id,
            stream: Wire::new(stream, Arc::clone(&line)),
            line,
            introduced: false,
            input: BytesMut::new(),
            output: BytesMut::new(),
            timer: Timer::default(),
        }
    }

    async fn run(mut self, delay: Duration) {
        wait(&self.line, delay).await;
        poll_fn(|context| self.poll(context)).await;
        let _ = tokio::time::timeout(FLUSH_TIMEOUT, async {
            self.stream.write_all(&self.output).await?;
            self.output.clear();
            self.shared.with(|node, _| node.poll_transmit(self.id, &mut self.output));
            self.stream.write_all(&self.output).await?;
            self.stream.shutdown().await
        })
        .await;
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        for _ in 0..TURNS {
            if self.line.poll_cut(context) {
                self.output.clear();
                return Poll::Ready(());
            }
            let read = self.poll_read(context);
            let Turn { deadline, finished, acted } = self.turn(context);
            let written = self.poll_write(context);
            let timed_out = self.timer.poll(context, self.shared.clock, deadline);
            if finished {
                return Poll::Ready(());
            }
            if !(read || acted || written || timed_out) {
                return Poll::Pending;
            }
            self.shared.lines.changed();
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn turn(&mut self, context: &Context<'_>) -> Turn {
        let mut acted = false;
        let mut guarded = self.shared.lock();
        let now = self.shared.clock.now();
        let Guarded { node, tasks } = &mut *guarded;
        // What was left while the connection was blocked.
        if !self.input.is_empty() && node.is_reading(self.id) {
            let before = self.input.len();
            node.handle_input(self.id, now, &mut self.input);
            acted = self.input.len() < before;
        }
        if node.poll_timeout().is_some_and(|deadline| deadline <= now) {
            node.handle_timeout(now);
            acted = true;
        }
        acted |= node.notice(self.id);
        let was_read = node.is_reading(self.id);
        if self.output.is_empty() {
            node.poll_transmit(self.id, &mut self.output);
        }
        // It has just begun to be read again, and nothing has asked its socket yet.
        acted |= !was_read && node.is_reading(self.id);
        if !self.introduced
            && let Some((user, virtual_host)) = node.guest(self.id)
        {
            self.introduced = true;
            self.line.introduce(user, virtual_host);
        }
        tasks.insert(self.id, context.waker().clone());
        let others: Vec<SessionId> =
            tasks.keys().copied().filter(|id| *id != self.id && node.has_news(*id)).collect();
        let wake: Vec<Waker> = others.iter().filter_map(|id| tasks.remove(id)).collect();
        let (deadline, finished) = (node.poll_timeout(), node.is_finished(self.id));
        drop(guarded);
        wake_all(wake.into_iter());
        Turn { deadline, finished, acted }
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> bool {
        if !self.shared.lock().node.is_reading(self.id) {
            return false;
        }
        self.input.reserve(READ_SIZE);
        let result = match pin!(self.stream.read_buf(&mut self.input)).poll(context) {
            Poll::Ready(result) => result,
            Poll::Pending => return false,
        };
        let mut guarded = self.shared.lock();
        let now = self.shared.clock.now();
        match result {
            Ok(0) | Err(_) => {
                guarded.node.handle_eof(self.id, now);
                guarded.node.conclude(now);
            }
            Ok(_) => guarded.node.handle_input(self.id, now, &mut self.input),
        }
        true
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> bool {
        let mut progress = false;
        while !self.output.is_empty() {
            match Pin::new(&mut self.stream).poll_write(context, &self.output) {
                Poll::Pending => return progress,
                Poll::Ready(Ok(length)) if length > 0 => {
                    self.output.advance(length);
                    self.shared.lock().node.has_read(self.id);
                }
                Poll::Ready(_) => {
                    self.output.clear();
                    self.shared.with(|node, now| node.handle_eof(self.id, now));
                }
            }
            progress = true;
        }
        progress
    }
}

impl<S> Drop for Port<S> {
    fn drop(&mut self) {
        self.shared.lines.end(&self.line);
        self.shared.with(|node, now| node.forget(self.id, now));
        self.shared.lock().tasks.remove(&self.id);
    }
}

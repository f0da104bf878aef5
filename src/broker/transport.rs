//! [`Line`] and [`Wire`]: what is between a connection's socket and the broker, where a test can
//! watch, stall and cut.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use leveret_codec::{FieldTable, Frame, Method, ProtocolHeader};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::counts::{Counter, Counts};
use super::node::SessionId;
use super::observe::{Direction, FrameLog, Observer, Transcript};
use super::unread::Unread;

/// What a test knows of a connection and does to it, below AMQP.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) id: SessionId,
    observer: Option<Observer>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    faults: Faults,
    cut: bool,
    ended: bool,
    guest: Guest,
    /// The client's first octets, until they have said who it is.
    introduction: Option<Unread>,
    received: Counter,
    sent: Counter,
    log: Option<FrameLog>,
    /// The task that may wait for a fault to end.
    task: Option<Waker>,
}

/// What is wrong with a connection.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Faults {
    pub(super) stalls_reads: bool,
    pub(super) stalls_writes: bool,
    /// It is cut when so many more octets have come.
    pub(super) may_receive: Option<u64>,
    /// It is cut when so many more octets have gone.
    pub(super) may_send: Option<u64>,
}

/// Who is at the other end.
#[derive(Debug, Clone, Default)]
pub(super) struct Guest {
    pub(super) client_properties: FieldTable,
    pub(super) user: Option<String>,
    pub(super) virtual_host: Option<String>,
}

/// The longest introduction that is listened to.
const MAX_INTRODUCTION: usize = 0x1_0000;

impl Line {
    pub(super) fn new(
        id: SessionId,
        faults: Faults,
        records: bool,
        observer: Option<Observer>,
    ) -> Arc<Self> {
        let state = State {
            introduction: Some(Unread::default()),
            log: records.then(FrameLog::default),
            ..State::default()
        };
        let line = Arc::new(Self { id, observer, state: Mutex::new(state) });
        line.fault(|own| *own = faults);
        line
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is wrong, and has the connection's task see it.
    pub(super) fn fault(&self, change: impl FnOnce(&mut Faults)) {
        let mut state = self.lock();
        change(&mut state.faults);
        state.check();
        let task = state.task.take();
        drop(state);
        task.into_iter().for_each(Waker::wake);
    }

    /// Cuts it, whatever was still to be sent.
    pub(super) fn cut(&self) {
        self.fault(|faults| faults.may_send = Some(0));
    }

    /// Whether it is cut. If not, the task is woken when that or a fault changes.
    pub(super) fn poll_cut(&self, context: &Context<'_>) -> bool {
        let mut state = self.lock();
        state.task = Some(context.waker().clone());
        state.cut
    }

    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.observe(Direction::FromClient, &[]);
        self.observe(Direction::ToClient, &[]);
    }

    /// Tells who watches, holding no lock: that is somebody else's code.
    fn observe(&self, direction: Direction, octets: &[u8]) {
        if let Some(Observer(see)) = &self.observer {
            see(self.id.0, direction, octets);
        }
    }

    pub(super) fn is_open(&self) -> bool {
        let state = self.lock();
        !(state.ended || state.cut)
    }

    pub(super) fn introduce(&self, user: &str, virtual_host: &str) {
        let guest = &mut self.lock().guest;
        guest.user = Some(user.into());
        guest.virtual_host = Some(virtual_host.into());
    }

    pub(super) fn guest(&self) -> Guest {
        self.lock().guest.clone()
    }

    /// What was received and what was sent.
    pub(super) fn counts(&self) -> (Counts, Counts) {
        let state = self.lock();
        (state.received.counts, state.sent.counts)
    }

    /// Empty if nothing is recorded.
    pub(super) fn transcript(&self) -> Transcript {
        self.lock().log.as_ref().map(FrameLog::transcript).unwrap_or_default()
    }
}

impl State {
    fn check(&mut self) {
        self.cut |= self.faults.may_receive == Some(0) || self.faults.may_send == Some(0);
    }

    fn received(&mut self, octets: &[u8]) {
        pay(&mut self.faults.may_receive, octets.len());
        self.check();
        self.received.pass(octets);
        if let Some(log) = &mut self.log {
            log.pass(Direction::FromClient, octets);
        }
        if let Some(Unread(introduction)) = &mut self.introduction {
            introduction.extend_from_slice(octets);
            if let Some(properties) = client_properties(introduction) {
                self.guest.client_properties = properties.unwrap_or_default();
                self.introduction = None;
            }
        }
    }

    fn sent(&mut self, octets: &[u8]) {
        pay(&mut self.faults.may_send, octets.len());
        self.check();
        self.sent.pass(octets);
        if let Some(log) = &mut self.log {
            log.pass(Direction::ToClient, octets);
        }
    }
}

fn pay(allowance: &mut Option<u64>, octets: usize) {
    let octets = u64::try_from(octets).unwrap_or(u64::MAX);
    *allowance = allowance.map(|allowance| allowance.saturating_sub(octets));
}

/// What a client says of itself in its first frame. `Some(None)`: it never will.
fn client_properties(introduction: &mut BytesMut) -> Option<Option<FieldTable>> {
    if ProtocolHeader::could_begin(introduction) {
        ProtocolHeader::decode(introduction)?;
        let _ = introduction.split_to(8);
    }
    match Frame::decode(introduction, u32::MAX) {
        Ok(None) if introduction.len() < MAX_INTRODUCTION => None,
        Ok(Some(Frame::Method { method: Method::ConnectionStartOk(start_ok), .. })) => {
            Some(Some(start_ok.client_properties))
        }
        _ => Some(None),
    }
}

/// A socket as its line leaves it.
#[derive(Debug)]
pub(super) struct Wire<S> {
    socket: S,
    line: Arc<Line>,
}

impl<S> Wire<S> {
    pub(super) fn new(socket: S, line: Arc<Line>) -> Self {
        Self { socket, line }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let mut state = this.line.lock();
        if state.cut {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if state.faults.stalls_reads {
            state.task = Some(context.waker().clone());
            return Poll::Pending;
        }
        let allowance = state.faults.may_receive.unwrap_or(u64::MAX);
        let before = buffer.filled().len();
        let mut limited = (&mut this.socket).take(allowance);
        let result = Pin::new(&mut limited).poll_read(context, buffer);
        let octets = buffer.filled().get(before..).unwrap_or_default();
        state.received(octets);
        drop(state);
        if !octets.is_empty() {
            this.line.observe(Direction::FromClient, octets);
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let mut state = this.line.lock();
        if state.cut {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if state.faults.stalls_writes {
            state.task = Some(context.waker().clone());
            return Poll::Pending;
        }
        let allowance = state.faults.may_send.and_then(|allowance| allowance.try_into().ok());
        let octets = octets.get(..allowance.unwrap_or(usize::MAX)).unwrap_or(octets);
        let result = Pin::new(&mut this.socket).poll_write(context, octets);
        if let Poll::Ready(Ok(length)) = result {
            let octets = octets.get(..length).unwrap_or_default();
            state.sent(octets);
            drop(state);
            if !octets.is_empty() {
                this.line.observe(Direction::ToClient, octets);
            }
        }
        result
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

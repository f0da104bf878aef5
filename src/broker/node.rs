//! [`Node`]: the broker without IO. All connections, queues and reply consumers of one broker.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use bytes::BytesMut;
use leveret_codec::{Frame, Method, ReplyCode, ShortStr, channel as channel_method};

use super::channel::Channel;
use super::dead_letters::Letter;
use super::heartbeat::Heartbeat;
use super::queue::Queue;
use super::raise::{Raise, Raised};
use super::random::Random;
use super::session::{Command, Session, State};
use super::settings::Settings;
use crate::Instant;

/// Which connection of a [`Node`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub(super) u64);

/// The broker without sockets, tasks and a clock, for simulations and fuzzing; made by
/// [`BrokerBuilder::without_io`](super::BrokerBuilder::without_io).
///
/// Bytes and time go in by connection, bytes come out by connection; what one connection does
/// shows on the others as bytes to be sent. So whoever owns one looks at
/// [`poll_transmit`](Self::poll_transmit) of all connections after each input.
///
/// ```
/// use bytes::BytesMut;
/// use leveret::Instant;
/// use leveret::broker::Broker;
///
/// let mut node = Broker::builder().without_io();
/// let now = Instant::default();
/// let client = node.accept(now);
/// node.handle_input(client, now, &mut BytesMut::from(&b"AMQP\x00\x00\x09\x01"[..]));
///
/// let mut greeting = BytesMut::new();
/// node.poll_transmit(client, &mut greeting);
/// assert_eq!(greeting[7..11], [0, 10, 0, 10], "connection.start");
/// ```
#[derive(Debug)]
pub struct Node {
    pub(super) settings: Settings,
    pub(super) sessions: BTreeMap<SessionId, Session>,
    pub(super) hosts: BTreeMap<String, Host>,
    /// Whose consumer an address leads to.
    pub(super) addresses: BTreeMap<ShortStr, (SessionId, u16)>,
    pub(super) random: Random,
    /// Why publishers are blocked, if a test wants them to be.
    pub(super) alarm: Option<ShortStr>,
    /// The queues are full, which is an alarm, too.
    pub(super) out_of_memory: bool,
    /// The time of the last thing that happened.
    pub(super) now: Instant,
    /// Dead messages on their way to other queues.
    pub(super) letters: VecDeque<Letter>,
    pub(super) queues_made: u64,
    opened: u64,
    channels_opened: u32,
}

/// A virtual host.
#[derive(Debug, Default)]
pub(super) struct Host {
    pub(super) queues: BTreeMap<ShortStr, Queue>,
}

/// Octets of replies that may wait for a client to read them: two of the largest.
const MAX_UNREAD_REPLIES: usize = 256 << 20;

impl Node {
    /// `seed` makes names and addresses; the same one makes the same ones.
    pub(super) fn new(settings: Settings, seed: u64) -> Self {
        let hosts = settings.virtual_hosts.iter().map(|name| (name.clone(), Host::default()));
        Self {
            hosts: hosts.collect(),
            sessions: BTreeMap::new(),
            addresses: BTreeMap::new(),
            random: Random::new(seed),
            alarm: None,
            out_of_memory: false,
            now: Instant::default(),
            letters: VecDeque::new(),
            queues_made: 0,
            opened: 0,
            channels_opened: 0,
            settings,
        }
    }

    /// A transport is there.
    pub fn accept(&mut self, now: Instant) -> SessionId {
        self.opened = self.opened.saturating_add(1);
        let id = SessionId(self.opened);
        self.sessions.insert(id, Session::new(&self.settings, now));
        id
    }

    // ------------------------------------------------------------------ input

    /// Takes what is whole off the front of `input`, unless the connection is blocked.
    pub fn handle_input(&mut self, id: SessionId, now: Instant, input: &mut BytesMut) {
        self.take_input(id, now, input);
        self.conclude(now);
    }

    /// Draws the conclusions from what has happened, whatever it was.
    pub(super) fn conclude(&mut self, now: Instant) {
        self.now = now;
        self.post_letters(now);
        self.watch_memory(now);
    }

    /// Raises the alarm when the queues hold more than they may, and ends it when they no longer do.
    /// A client that is sent far more in replies alone, and does not read them, is dropped.
    pub(super) fn watch_memory(&mut self, now: Instant) {
        let limit = self.settings.memory_limit;
        let unread = limit.max(MAX_UNREAD_REPLIES);
        let deaf = self.sessions.iter().filter(|(_, session)| session.transmit.len() > unread);
        let deaf: Vec<SessionId> = deaf.map(|(id, _)| *id).collect();
        for id in deaf {
            if let Some(session) = self.sessions.get_mut(&id) {
                session.transmit.clear();
            }
            self.handle_eof(id, now);
        }
        let queues = self.hosts.values().flat_map(|host| host.queues.values());
        let octets = queues.map(Queue::octets).fold(0, usize::saturating_add);
        let full = octets > self.settings.memory_limit;
        if full != self.out_of_memory {
            self.out_of_memory = full;
            self.end_of_alarm();
        }
    }

    fn take_input(&mut self, id: SessionId, now: Instant, input: &mut BytesMut) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.heartbeat.received();
        }
        loop {
            let Some(session) = self.sessions.get_mut(&id) else { return };
            match session.state {
                State::Closed => return input.clear(),
                _ if session.blocked || session.is_deaf() => return,
                _ => {}
            }
            match session.next(&self.settings, input) {
                Ok(None) => return,
                Ok(Some(command)) => {
                    let (channel, ids) = (command.channel, command.method.id());
                    if let Err(raise) = self.execute(id, now, command) {
                        self.raise(id, now, channel, ids, raise);
                    }
                }
                // Whatever follows an error of the connection is dropped.
                Err(_) if session.state == State::ExpectCloseOk => return input.clear(),
                Err(raise) => self.raise(id, now, 0, (0, 0), raise),
            }
        }
    }

    /// The transport has ended.
    pub fn handle_eof(&mut self, id: SessionId, now: Instant) {
        self.release(id, now);
        if let Some(session) = self.sessions.get_mut(&id) {
            session.state = State::Closed;
            session.deadline = None;
            session.heartbeat = Heartbeat::new(0, now);
        }
    }

    /// Time has come to [`poll_timeout`](Self::poll_timeout), or passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        let due = |session: &Session| session.deadline.is_some_and(|deadline| deadline <= now);
        let ids: Vec<SessionId> = self.sessions.keys().copied().collect();
        for id in ids {
            let Some(session) = self.sessions.get_mut(&id) else { continue };
            if session.heartbeat.beat(now) {
                Frame::Heartbeat.encode(&mut session.transmit);
            }
            // Who is not read cannot be heard.
            if due(session) || (session.heartbeat.look(now) && !session.blocked) {
                self.handle_eof(id, now);
            }
        }
        let hosts: Vec<String> = self.hosts.keys().cloned().collect();
        for host in hosts {
            self.expire(&host, now);
        }
        self.conclude(now);
    }

    // ------------------------------------------------------------------ output

    /// Moves what is to be sent on a connection to the end of `out`.
    pub fn poll_transmit(&mut self, id: SessionId, out: &mut BytesMut) {
        if let Some(session) = self.sessions.get_mut(&id)
            && !session.transmit.is_empty()
        {
            session.heartbeat.sent();
            out.extend_from_slice(&session.transmit);
            session.transmit.clear();
            self.deliver_to(id);
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if nothing else happens first.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let sessions = self
            .sessions
            .values()
            .flat_map(|session| [session.deadline, session.heartbeat.timeout()]);
        let queues = self.hosts.values().flat_map(|host| host.queues.values());
        let expiries = queues.flat_map(|queue| [queue.next_expiry(), queue.unused_until()]);
        sessions.chain(expiries).flatten().min()
    }

    /// Whether the transport is to be closed, once everything is sent.
    pub fn is_finished(&self, id: SessionId) -> bool {
        self.sessions.get(&id).is_none_or(|session| session.state == State::Closed)
    }

    /// The connection's task looks after it again. Whether it had something to notice.
    pub(super) fn notice(&mut self, id: SessionId) -> bool {
        self.sessions.get_mut(&id).is_some_and(|session| core::mem::take(&mut session.resumed))
    }

    /// Whether the connection's task has something to do.
    pub(super) fn has_news(&self, id: SessionId) -> bool {
        self.sessions.get(&id).is_none_or(|session| {
            !session.transmit.is_empty() || session.resumed || session.state == State::Closed
        })
    }

    /// The client has read on. While it leaves so much unread that it is not read itself, this is its
    /// sign of life.
    pub(super) fn has_read(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.get_mut(&id).filter(|session| session.is_deaf()) {
            session.heartbeat.received();
        }
    }

    /// Whether the transport is to be read: not while its client is blocked by an alarm, nor while
    /// it leaves too much unread itself.
    pub fn is_reading(&self, id: SessionId) -> bool {
        self.sessions.get(&id).is_some_and(|session| !(session.blocked || session.is_deaf()))
    }

    /// The transport is gone, and with it all that is known of the connection.
    pub fn forget(&mut self, id: SessionId, now: Instant) {
        self.handle_eof(id, now);
        self.sessions.remove(&id);
        self.conclude(now);
    }

    // ------------------------------------------------------------------ commands

    fn execute(&mut self, id: SessionId, now: Instant, command: Command) -> Raised {
        let Some(session) = self.sessions.get_mut(&id) else { return Ok(()) };
        let number = command.channel;
        if number == 0 {
            return self.connection_method(id, now, command.method);
        }
        let Some(channel) = session.channels.get_mut(&number) else {
            return self.open_channel(id, number, &command.method);
        };
        match command.method {
            Method::ChannelCloseOk(_) if channel.closing => {
                session.channels.remove(&number);
                Ok(())
            }
            Method::ChannelClose(_) => {
                // One that crosses ours is answered too; ours still awaits its answer.
                let closing = channel.closing;
                session.send(number, channel_method::CloseOk {});
                if !closing {
                    self.release_channel(id, now, number);
                    self.session(id)?.channels.remove(&number);
                }
                Ok(())
            }
            _ if channel.closing => Ok(()),
            method => self.channel_method(id, now, number, method, command.content),
        }
    }

    fn open_channel(&mut self, id: SessionId, number: u16, method: &Method) -> Raised {
        let Method::ChannelOpen(_) = method else {
            let text = "expected 'channel.open'";
            return Err(Raise::connection(ReplyCode::CHANNEL_ERROR, text));
        };
        self.channels_opened = self.channels_opened.wrapping_add(1);
        let serial = self.channels_opened;
        let session = self.session(id)?;
        let (open, max) = (session.channels.len(), session.channel_max);
        if max != 0 && open >= usize::from(max) {
            let text = alloc::format!(
                "number of channels opened ({open}) has reached the negotiated channel_max ({max})"
            );
            return Err(Raise::frame(ReplyCode::NOT_ALLOWED, text));
        }
        session.channels.insert(number, Channel::new(serial));
        session.send(number, channel_method::OpenOk {});
        Ok(())
    }

    pub(super) fn session(&mut self, id: SessionId) -> Raised<&mut Session> {
        self.sessions.get_mut(&id).ok_or(Raise::Silence)
    }

    pub(super) fn channel(&mut self, id: SessionId, number: u16) -> Raised<&mut Channel> {
        self.session(id)?.channels.get_mut(&number).ok_or(Raise::Silence)
    }

    pub(super) fn host_name(&self, id: SessionId) -> String {
        self.sessions.get(&id).map(|session| session.virtual_host.clone()).unwrap_or_default()
    }

    pub(super) fn queue_mut(&mut self, host: &str, queue: &ShortStr) -> Option<&mut Queue> {
        self.hosts.get_mut(host)?.queues.get_mut(queue)
    }
}

//! [`Replier`]: replies on a connection of their own, without IO.
//!
//! A broker with an alarm on stops reading a connection that publishes. A server that replies on the
//! connection that it consumes from then cannot acknowledge either. With a second connection, only the
//! replies wait.
//!
//! ```text
//!                    channel is open, no alarm,           the socket has
//!                    room in front of the socket          taken it
//!   post ──▶ Waiting ───────────────────────────▶ Sent ──────────────────▶ Done ──▶ (gone)
//!               ▲ └── nobody waits for it any more, or the end ──────────▲
//!               └────────── lost before it was taken ──┘
//! ```

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::task::{Context, Poll, Waker};

use crate::connection::{Config, Connection, Event, Violation};
use crate::engine::Engine;
use crate::observers::Observers;
use crate::reconnect::Link;
use crate::responder::{Letter, Sent};
use crate::{ConnectionState, Instant, Reconnecting, SessionError};
use bytes::BytesMut;

/// The engine of a server's second connection. See the [module](self) for the life of a letter.
#[derive(Debug)]
pub struct Replier {
    connection: Connection,
    link: Link,
    channel: Channel,
    letters: BTreeMap<LetterId, Posted>,
    /// Those that wait, in the order they came; some may have gone since.
    waiting: VecDeque<LetterId>,
    /// Those that were sent, with where in the stream they end.
    sent: VecDeque<(LetterId, u64)>,
    posted: u64,
    blocked: Option<String>,
    wake: Vec<Waker>,
    observers: Observers,
    ended: Option<Result<(), SessionError>>,
}

/// Which letter of a replier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LetterId(u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Channel {
    None,
    Opening(u16),
    /// Whether a reply has gone out on it.
    Open {
        number: u16,
        is_used: bool,
    },
}

#[derive(Debug)]
struct Posted {
    state: State,
    /// When nobody waits for it any more.
    deadline: Option<Instant>,
    waker: Option<Waker>,
    /// It was lost before, and may be what its connection was lost over.
    is_second_time: bool,
}

#[derive(Debug)]
enum State {
    Waiting(Letter),
    Sent { letter: Letter, sent: Sent },
    Done(Sent),
}

/// Octets that may wait for the socket when one more reply is written.
const MAX_UNSENT: usize = 1 << 20;

impl Replier {
    /// A replier whose transport is up.
    pub fn new(config: Config, now: Instant) -> Self {
        Self {
            connection: Connection::new(config, now),
            link: Link::default(),
            channel: Channel::None,
            letters: BTreeMap::new(),
            waiting: VecDeque::new(),
            sent: VecDeque::new(),
            posted: 0,
            blocked: None,
            wake: Vec::new(),
            observers: Observers::default(),
            ended: None,
        }
    }

    /// Makes a new connection when one is lost that was ready before. The present transport is one to
    /// that address.
    #[must_use]
    pub fn with_reconnect(mut self, settings: Reconnecting, address: usize) -> Self {
        self.link = Link::new(settings, address);
        self
    }

    // ------------------------------------------------------------------ commands

    /// Takes a reply to be sent, until its caller no longer waits.
    pub fn post(&mut self, now: Instant, letter: Letter, deadline: Option<Instant>) -> LetterId {
        self.posted = self.posted.wrapping_add(1);
        let id = LetterId(self.posted);
        let state = match self.ended {
            None => State::Waiting(letter),
            Some(_) => State::Done(Sent::Failed),
        };
        self.letters.insert(id, Posted { state, deadline, waker: None, is_second_time: false });
        if self.ended.is_none() {
            self.waiting.push_back(id);
            self.send_waiting();
            self.expire(now);
        }
        id
    }

    /// Asks what has become of a reply, which is gone once that is told:
    /// [`Reply`](Sent::Reply) or [`Fault`](Sent::Fault) when the socket has taken it,
    /// [`Expired`](Sent::Expired) if nobody waits for it any more, [`Failed`](Sent::Failed) at the end.
    ///
    /// Gives back the waker that it replaces, which is best dropped where no lock is held: it may be a
    /// task's last owner, and the task may own replies of this engine.
    pub fn poll_posted(
        &mut self,
        id: LetterId,
        context: &mut Context<'_>,
    ) -> (Poll<Sent>, Option<Waker>) {
        match self.letters.get_mut(&id) {
            Some(Posted { state: State::Done(sent), .. }) => {
                let sent = *sent;
                self.letters.remove(&id);
                (Poll::Ready(sent), None)
            }
            Some(posted) => (Poll::Pending, posted.waker.replace(context.waker().clone())),
            // Only a future that was polled after its end asks so.
            None => (Poll::Pending, None),
        }
    }

    /// Forgets a reply, which may be on its way. Gives back its waker, to be dropped as above.
    pub fn cancel(&mut self, id: LetterId) -> Option<Waker> {
        self.waiting.retain(|waiting| *waiting != id);
        self.letters.remove(&id)?.waker
    }

    /// Ends in good order. What waits is not sent.
    pub fn close(&mut self, now: Instant) {
        self.end(now, Ok(()));
        self.connection.close(now);
        self.process(now);
    }

    // ------------------------------------------------------------------ what is known

    /// `Ready(Ok)` once replies can be sent, `Ready(Err)` if that failed.
    pub fn readiness(&self) -> Poll<Result<(), SessionError>> {
        match (&self.ended, self.channel) {
            (Some(result), _) => Poll::Ready(result.clone()),
            (None, Channel::Open { .. }) => Poll::Ready(Ok(())),
            (None, _) => Poll::Pending,
        }
    }

    /// How it ended: `Ok` if its user closed it.
    pub fn ended(&self) -> Option<&Result<(), SessionError>> {
        self.ended.as_ref()
    }

    /// Why the broker does not read replies, while it has an alarm on.
    pub fn blocked(&self) -> Option<&str> {
        self.blocked.as_deref()
    }

    // ------------------------------------------------------------------ inside

    fn send_waiting(&mut self) {
        let Channel::Open { number: channel, .. } = self.channel else { return };
        while self.blocked.is_none()
            && self.connection.may_publish(channel)
            && self.connection.transmit_len() < MAX_UNSENT
            && let Some(id) = self.waiting.pop_front()
        {
            let Some(posted) = self.letters.get_mut(&id) else { continue };
            let State::Waiting(letter) = &posted.state else { continue };
            let letter = letter.clone();
            let sent = letter.clone().publish(&mut self.connection, channel);
            self.channel = Channel::Open { number: channel, is_used: true };
            posted.state = State::Sent { letter, sent };
            let length = u64::try_from(self.connection.transmit_len()).unwrap_or(u64::MAX);
            self.sent.push_back((id, self.connection.transmitted().saturating_add(length)));
        }
    }

    /// The socket has taken so many octets.
    fn taken(&mut self, octets: u64) {
        while let Some((id, _)) = self.sent.front().copied().filter(|(_, end)| *end <= octets) {
            self.sent.pop_front();
            if let Some(Posted { state: State::Sent { sent, .. }, .. }) = self.letters.get(&id) {
                let sent = *sent;
                self.conclude(id, sent);
            }
        }
    }

    /// Nobody waits any more for what has waited too long.
    fn expire(&mut self, now: Instant) {
        let (letters, mut late) = (&self.letters, Vec::new());
        self.waiting.retain(|id| {
            let deadline = letters.get(id).and_then(|posted| posted.deadline);
            let is_late = deadline.is_some_and(|deadline| deadline <= now);
            if is_late {
                late.push(*id);
            }
            !is_late
        });
        for id in late {
            self.conclude(id, Sent::Expired);
        }
    }

    /// What was sent and not taken is sent again, once.
    fn send_again(&mut self) {
        for (id, _) in core::mem::take(&mut self.sent).into_iter().rev() {
            let Some(posted) = self.letters.get_mut(&id) else { continue };
            if core::mem::replace(&mut posted.is_second_time, true) {
                self.conclude(id, Sent::Failed);
            } else if let State::Sent { letter, .. } = &posted.state {
                posted.state = State::Waiting(letter.clone());
                self.waiting.push_front(id);
            }
        }
    }

    fn conclude(&mut self, id: LetterId, sent: Sent) {
        if let Some(posted) = self.letters.get_mut(&id) {
            posted.state = State::Done(sent);
            self.wake.extend(posted.waker.take());
        }
    }

    fn handle_opened(&mut self, now: Instant) {
        match self.connection.open_channel() {
            Ok(channel) => self.channel = Channel::Opening(channel),
            Err(misuse) => self.fail(now, misuse.into()),
        }
    }
}

impl Engine for Replier {
    type Work = core::convert::Infallible;

    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn connection_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }

    fn handle_event(&mut self, now: Instant, event: Event) -> Result<(), Violation> {
        match event {
            Event::Opened => self.handle_opened(now),
            Event::ChannelOpened { channel } => {
                self.channel = Channel::Open { number: channel, is_used: false };
                self.link.ready(now);
                self.observers.change(&mut self.wake);
                self.send_waiting();
            }
            Event::ChannelClosed { close: Some(close), .. } => {
                let is_used = matches!(self.channel, Channel::Open { is_used: true, .. });
                self.channel = Channel::None;
                if is_used {
                    // Over a reply that it refuses. Those behind it go on another channel.
                    self.send_again();
                    self.handle_opened(now);
                } else {
                    let (code, text) = (close.reply_code, self.connection.quote(&close.reply_text));
                    self.fail(now, SessionError::ReplyRefused { code, text });
                }
            }
            Event::Method { method, .. } => return Err(Violation::unasked(method.name())),
            Event::Content { content, .. } => {
                return Err(Violation::unasked(content.origin.name()));
            }
            Event::Blocked { reason } => self.blocked = Some(reason),
            Event::Unblocked => {
                self.blocked = None;
                self.send_waiting();
            }
            Event::Flow { .. } => self.send_waiting(),
            Event::ChannelClosed { .. } | Event::SecretUpdated | Event::Closed(_) => {}
        }
        Ok(())
    }

    fn link(&mut self) -> &mut Link {
        &mut self.link
    }

    /// What the socket has not taken waits for the next connection.
    fn disconnect(&mut self, _now: Instant, _cause: &SessionError) {
        self.channel = Channel::None;
        self.blocked = None;
        self.send_again();
        self.observers.change(&mut self.wake);
    }

    fn end(&mut self, _now: Instant, result: Result<(), SessionError>) {
        self.ended.get_or_insert(result);
        self.link.end();
        self.channel = Channel::None;
        let ids: Vec<LetterId> = self.letters.keys().copied().collect();
        for id in ids {
            if !matches!(self.letters.get(&id), Some(Posted { state: State::Done(_), .. })) {
                self.conclude(id, Sent::Failed);
            }
        }
        self.waiting.clear();
        self.sent.clear();
        self.observers.change(&mut self.wake);
    }

    fn notify(&mut self) {
        self.observers.change(&mut self.wake);
    }

    fn connection_state(&self) -> ConnectionState {
        self.link.connection_state(self.ended.as_ref(), self.blocked.as_deref())
    }

    fn is_finished(&self) -> bool {
        self.ended.is_some() && self.connection.is_finished()
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.handle_connection_timeout(now);
        self.expire(now);
    }

    /// Who asks for more has got rid of what it was given before.
    fn poll_transmit(&mut self, now: Instant, out: &mut BytesMut) {
        if !self.connection.is_finished() {
            self.taken(self.connection.transmitted());
        }
        self.connection.poll_transmit(now, out);
        // There is room for more in front of the socket.
        self.send_waiting();
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let waiting = self.waiting.iter().filter_map(|id| self.letters.get(id)?.deadline).min();
        let of_link = self.link.poll_timeout(self.is_disconnected());
        [waiting, of_link, self.connection.poll_timeout()].into_iter().flatten().min()
    }

    fn take_wakers(&mut self, wake: &mut Vec<Waker>) {
        wake.append(&mut self.wake);
    }

    fn observers(&mut self) -> &mut Observers {
        &mut self.observers
    }
}

#[cfg(test)]
mod tests;

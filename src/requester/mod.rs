//! [`Requester`]: the client's engine, without IO.
//!
//! It subscribes to the replies first and on the channel that it publishes on, because Direct
//! Reply-to allows no other order; a request made earlier waits. Any number of calls share that
//! one consumer, told apart by correlation-id.
//!
//! ```text
//!                                        ┌────────── timeout, return, fault, lost ──────────┐
//!            channel is ready            │                reply                             ▼
//!  request ──────────────────▶ Waiting ──┴▶ Sent ─────────────────────────────────────▶ Done ──▶ (gone)
//!                                 └── dropped by its user at any moment: gone at once ──────────▲
//! ```

mod calls;
mod deadlines;
mod events;
mod sending;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use leveret_codec::ShortStr;

use self::calls::{Call, Calls, Phase};
use self::deadlines::Deadlines;
use crate::connection::{Config, Connection};
use crate::engine::Engine;
use crate::message::check;
use crate::observers::Observers;
use crate::{CallError, Instant, InvalidRequest, Reply, SessionError};

pub use self::calls::{CallId, Outgoing};

/// The client's engine. See the [module](self) for the life of a call.
#[derive(Debug)]
pub struct Requester {
    connection: Connection,
    subscription: Subscription,
    calls: Calls,
    deadlines: Deadlines,
    /// Calls in the order they came; some may have ended since.
    waiting: VecDeque<CallId>,
    /// Channels that belong to one call each.
    own_channels: BTreeMap<u16, OwnChannel>,
    /// Those of them whose consumer is there, while the request may not go.
    held_back: BTreeSet<u16>,
    /// The broker has an alarm on: what is published now would not be read.
    blocked: Option<String>,
    max_body_size: u64,
    /// Octets handed to the driver since the beginning.
    transmitted: u64,
    stats: Stats,
    wake: Vec<Waker>,
    observers: Observers,
    /// Replaced, and to be dropped where no lock is held.
    discarded: Option<Waker>,
    ended: Option<Result<(), SessionError>>,
}

/// The consumer of the replies, and the channel that it shares with the requests.
#[derive(Debug)]
enum Subscription {
    None,
    Opening { channel: u16 },
    Consuming { channel: u16 },
    Ready { channel: u16, consumer_tag: ShortStr },
}

/// A channel for one call alone, whatever comes there being the reply.
#[derive(Debug, Clone, Copy)]
struct OwnChannel {
    call: CallId,
    /// Whether its consumer is there, so that the request may go.
    consuming: bool,
}

/// What a client has done so far, and is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Calls made.
    pub calls: u64,
    /// Calls that got their reply.
    pub replies: u64,
    /// Calls that were answered with a fault.
    pub faults: u64,
    /// Calls that failed in any other way.
    pub failures: u64,
    /// Calls that their user dropped before they ended.
    pub dropped: u64,
    /// Replies that came after their call had ended, or a second time: dropped.
    pub late_replies: u64,
    /// Replies whose correlation-id is none of ours, or missing: dropped.
    pub unknown_replies: u64,
    /// Replies that were too large, or whose headers could not be read. The call they answer fails
    /// with [`CallError::UnreadableReply`]; where none is to be seen in them, they are dropped.
    pub unreadable_replies: u64,
    /// Calls that have not ended, at this moment.
    pub pending: usize,
    /// Those of them that wait to be sent: for the subscription, for the socket to take what came
    /// before, or for the end of an alarm.
    pub waiting: usize,
}

impl Requester {
    /// A requester whose transport is up.
    ///
    /// `secret` should be random: the correlation-ids are made with it, so that nobody can answer a
    /// request that he was not sent. Bodies of more than `max_body_size` octets are refused here,
    /// because the broker would close the channel over them.
    pub fn new(config: Config, max_body_size: u64, secret: u128, now: Instant) -> Self {
        Self {
            connection: Connection::new(config, now),
            subscription: Subscription::None,
            calls: Calls::new(secret),
            deadlines: Deadlines::default(),
            waiting: VecDeque::new(),
            own_channels: BTreeMap::new(),
            held_back: BTreeSet::new(),
            blocked: None,
            max_body_size,
            transmitted: 0,
            stats: Stats::default(),
            wake: Vec::new(),
            observers: Observers::default(),
            discarded: None,
            ended: None,
        }
    }

    // ------------------------------------------------------------------ commands

    /// Makes a call. It ends by `timeout` from now, whatever happens.
    ///
    /// # Errors
    /// [`CallError`] if the call cannot even begin; its outcome is then
    /// [`NotExecuted`](crate::Outcome::NotExecuted).
    pub fn request(
        &mut self,
        now: Instant,
        outgoing: Outgoing,
        timeout: Duration,
    ) -> Result<CallId, CallError> {
        if let Some(ended) = &self.ended {
            return Err(ended_error(ended, false));
        }
        let size = u64::try_from(outgoing.body.len()).unwrap_or(u64::MAX);
        if size > self.max_body_size {
            return Err(CallError::BodyTooLarge { size, limit: self.max_body_size });
        }
        check(&outgoing.properties).map_err(InvalidRequest::Property)?;
        if timeout.is_zero() {
            return Err(CallError::Timeout { timeout, written: false });
        }
        self.stats.calls = self.stats.calls.saturating_add(1);
        let deadline = now.after(timeout);
        let phase = Phase::Waiting(outgoing);
        let id = self.calls.insert(Call { phase, timeout, deadline, waker: None });
        self.deadlines.push(deadline, id, &mut self.calls);
        if self.may_start() {
            self.start(now, id);
        } else {
            self.forget_ended_waiting();
            self.waiting.push_back(id);
        }
        Ok(id)
    }

    /// Asks for the result of a call, which is gone once it is given out.
    pub fn poll_call(
        &mut self,
        id: CallId,
        context: &mut Context<'_>,
    ) -> Poll<Result<Reply, CallError>> {
        let Some(call) = self.calls.get_mut(id) else {
            // Only a future that was polled after its end asks so.
            return Poll::Pending;
        };
        if !matches!(call.phase, Phase::Done(_)) {
            if !call.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
                self.discarded = call.waker.replace(context.waker().clone());
            }
            return Poll::Pending;
        }
        match self.calls.remove(id) {
            Some(Call { phase: Phase::Done(result), .. }) => Poll::Ready(result),
            _ => Poll::Pending,
        }
    }

    /// Forgets a call: its user has gone. A reply that still comes is counted and dropped.
    pub fn cancel(&mut self, id: CallId) {
        let Some(call) = self.calls.remove(id) else { return };
        if !matches!(call.phase, Phase::Done(_)) {
            self.stats.dropped = self.stats.dropped.saturating_add(1);
            self.close_own_channel(id);
        }
        self.discarded = call.waker;
    }

    /// A waker that the last command has replaced. It may be a task's last owner, and the task may
    /// own calls of this engine: so it is dropped where no lock is held.
    pub fn take_discarded(&mut self) -> Option<Waker> {
        self.discarded.take()
    }

    /// Ends the session in good order. Pending calls fail with [`CallError::Closed`].
    pub fn close(&mut self, now: Instant) {
        if self.ended.is_none() {
            self.ended = Some(Ok(()));
            self.fail_pending();
        }
        self.connection.close(now);
        self.process(now);
    }

    /// Whether calls can be sent: `Ready(Ok)` once the replies are subscribed to, `Ready(Err)` if
    /// that failed.
    pub fn readiness(&self) -> Poll<Result<(), SessionError>> {
        match (&self.ended, &self.subscription) {
            (Some(Err(error)), _) => Poll::Ready(Err(error.clone())),
            (Some(Ok(())), _) | (None, Subscription::Ready { .. }) => Poll::Ready(Ok(())),
            _ => Poll::Pending,
        }
    }

    // ------------------------------------------------------------------ what is known

    /// How it goes.
    pub fn stats(&self) -> Stats {
        let mut stats = self.stats;
        let ended = [stats.replies, stats.faults, stats.failures, stats.dropped];
        let ended = ended.into_iter().fold(0, u64::saturating_add);
        stats.pending = usize::try_from(stats.calls.saturating_sub(ended)).unwrap_or(usize::MAX);
        stats.waiting = self.calls.waiting();
        stats
    }

    /// Why the broker does not read what is published, while it has an alarm on.
    pub fn blocked(&self) -> Option<&str> {
        self.blocked.as_deref()
    }

    /// How the session ended: `Ok` if its user closed it.
    pub fn ended(&self) -> Option<&Result<(), SessionError>> {
        self.ended.as_ref()
    }

    // ------------------------------------------------------------------ inside

    /// Whether the call's request has been handed to the connection. Nothing takes it back from
    /// there while that goes on: it will be sent, if it was not.
    fn is_sent(&mut self, id: CallId) -> bool {
        matches!(self.calls.get_mut(id), Some(Call { phase: Phase::Sent { .. }, .. }))
    }

    /// Whether the call's request has been handed to the driver. That is what counts where the
    /// broker takes no more: what had not been sent by then is not read any more.
    fn is_transmitted(&mut self, id: CallId) -> bool {
        let call = self.calls.get_mut(id);
        let phase = call.map(|call| &call.phase);
        matches!(phase, Some(Phase::Sent { end, .. }) if *end <= self.transmitted)
    }

    /// Ends a call, once.
    fn resolve(&mut self, id: CallId, result: Result<Reply, CallError>) {
        let Some(call) = self.calls.get_mut(id) else { return };
        if matches!(call.phase, Phase::Done(_)) {
            return;
        }
        let counter = match &result {
            Ok(_) => &mut self.stats.replies,
            Err(CallError::Fault(_)) => &mut self.stats.faults,
            Err(_) => &mut self.stats.failures,
        };
        *counter = counter.saturating_add(1);
        call.phase = Phase::Done(result);
        self.wake.extend(call.waker.take());
        self.close_own_channel(id);
    }

    fn close_own_channel(&mut self, id: CallId) {
        let own = self.own_channels.iter().find(|(_, own)| own.call == id).map(|(&n, _)| n);
        if let Some(channel) = own {
            self.forget_own_channel(channel);
            self.abandon_channel(channel);
        }
    }

    fn forget_own_channel(&mut self, channel: u16) -> Option<OwnChannel> {
        self.held_back.remove(&channel);
        self.own_channels.remove(&channel)
    }

    fn fail_pending(&mut self) {
        let Some(ended) = self.ended.clone() else { return };
        for id in self.calls.ids() {
            // A close of our own goes out behind the requests.
            let over = self.connection.is_finished();
            let written = if over { self.is_transmitted(id) } else { self.is_sent(id) };
            self.resolve(id, Err(ended_error(&ended, written)));
        }
        self.waiting.clear();
        self.observers.change(&mut self.wake);
    }
}

fn ended_error(ended: &Result<(), SessionError>, written: bool) -> CallError {
    match ended {
        Ok(()) => CallError::Closed { written },
        Err(cause) => CallError::Disconnected { written, cause: cause.clone() },
    }
}

#[cfg(test)]
mod tests;

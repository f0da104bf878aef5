//! [`Requester`]: the client's engine, without IO.
//!
//! It subscribes to the replies first and on the channel that it publishes on, because Direct
//! Reply-to allows no other order; a request made earlier waits. Any number of calls share that
//! one consumer, told apart by correlation-id.
//!
//! ```text
//!                   ┌──────────────────── timeout ─────────────────────────────────────┐
//!                   │        ┌─── refused, return, fault, lost ────────────────────────┤
//!                   │        │                reply                                    ▼
//!  request ──▶ Waiting ──▶ Opening ──▶ Sent ────────────────────────────────────────▶ Done ──▶ (gone)
//!                 ▲   subscribed,       │                                                  ▲
//!                 │   and room for it   │ lost, and to be sent again                       │
//!                 └─────────────────────┘                                                  │
//!                 └── dropped by its user at any moment: gone at once ─────────────────────┘
//! ```
//!
//! It outlives its connection. What was sent on a connection that is lost ends with it, since nobody
//! could say any more whether it ran; what still waits, and what is asked for meanwhile, is sent on the
//! next. A request that the broker may refuse goes on a channel beside the shared one, which is lent to it.

mod calls;
mod correlation;
mod deadlines;
mod events;
mod replies;
mod resolving;
mod retrying;
mod sending;
mod side_channels;
mod stats;
mod template;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use leveret_codec::ShortStr;

use self::calls::{Call, Calls, Phase};
use self::deadlines::Deadlines;
use self::resolving::ended_error;
use self::side_channels::SideChannels;
use self::template::Templates;
use crate::connection::{Config, Connection};
use crate::engine::Engine;
use crate::message::check;
use crate::observers::Observers;
use crate::reconnect::Link;
use crate::{CallError, Instant, InvalidRequest, Reconnecting, Reply, SessionError};

pub use self::calls::{CallId, Outgoing};
pub use self::retrying::Retry;
pub use self::stats::Stats;

/// The client's engine. See the [module](self) for the life of a call.
#[derive(Debug)]
pub struct Requester {
    connection: Connection,
    link: Link,
    subscription: Subscription,
    side_channels: SideChannels,
    calls: Calls,
    templates: Templates,
    deadlines: Deadlines,
    /// Calls in the order they came; some may have ended since.
    waiting: VecDeque<CallId>,
    /// Those that need a channel where none was free, likewise.
    without_channel: VecDeque<CallId>,
    /// When the subscription on a new channel has taken too long, if the connection was ready before.
    subscription_deadline: Option<Instant>,
    /// Calls that have had their turn, and not ended.
    in_flight: usize,
    max_in_flight: usize,
    fails_when_busy: bool,
    max_body_size: u64,
    /// The largest body that the broker is known to take.
    proven_size: u64,
    /// The largest body that it says it takes, if it ever did.
    broker_limit: u64,
    /// The broker has an alarm on: what is published now would not be read.
    blocked: Option<String>,
    /// No new calls: the end comes with that of the last.
    draining: bool,
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

impl Requester {
    /// A requester whose transport is up.
    ///
    /// `secret` should be random: the correlation-ids are made with it, so that nobody can answer a
    /// request that he was not sent. Bodies of more than `max_body_size` octets are refused here,
    /// because the broker would close the channel over them.
    pub fn new(config: Config, max_body_size: u64, secret: u128, now: Instant) -> Self {
        Self {
            connection: Connection::new(config, now),
            link: Link::default(),
            subscription: Subscription::None,
            side_channels: SideChannels::default(),
            calls: Calls::new(secret),
            templates: Templates::default(),
            deadlines: Deadlines::default(),
            waiting: VecDeque::new(),
            without_channel: VecDeque::new(),
            subscription_deadline: None,
            in_flight: 0,
            max_in_flight: usize::MAX,
            fails_when_busy: false,
            max_body_size,
            proven_size: sending::SMALL_BODY,
            broker_limit: u64::MAX,
            blocked: None,
            draining: false,
            stats: Stats::default(),
            wake: Vec::new(),
            observers: Observers::default(),
            discarded: None,
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

    /// The most calls that are sent and not ended, at least 1. Further ones wait, or fail at once.
    #[must_use]
    pub fn with_max_in_flight(mut self, calls: usize, fails_when_busy: bool) -> Self {
        self.max_in_flight = calls.max(1);
        self.fails_when_busy = fails_when_busy;
        self
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
        mut outgoing: Outgoing,
        timeout: Duration,
    ) -> Result<CallId, CallError> {
        self.request_from(now, &mut outgoing, timeout)
    }

    /// Makes a call of what is there, which need not be moved for it. Nothing of use is left.
    pub(crate) fn request_from(
        &mut self,
        now: Instant,
        outgoing: &mut Outgoing,
        timeout: Duration,
    ) -> Result<CallId, CallError> {
        if self.is_over() {
            return Err(self.refusal());
        }
        let size = u64::try_from(outgoing.body.len()).unwrap_or(u64::MAX);
        let limit = self.max_body_size.min(self.broker_limit);
        if size > limit {
            return Err(CallError::BodyTooLarge { size, limit });
        }
        if !outgoing.properties.is_unset() {
            check(&outgoing.properties).map_err(InvalidRequest::Property)?;
        }
        if timeout.is_zero() {
            return Err(CallError::Timeout { timeout, written: false, cause: None });
        }
        if self.fails_when_busy && self.pending() >= self.max_in_flight {
            return Err(CallError::Busy { limit: self.max_in_flight });
        }
        self.stats.calls = self.stats.calls.saturating_add(1);
        if let Some(channel) = self.channel_at_once(outgoing) {
            return Ok(self.send_at_once(now, channel, outgoing, timeout));
        }
        let retry = outgoing.retry;
        let outgoing = Box::new(core::mem::take(outgoing));
        let id = self.register(now, Phase::Waiting(outgoing), retry, timeout);
        self.forget_ended_waiting();
        self.waiting.push_back(id);
        self.start_waiting(now);
        Ok(id)
    }

    /// Makes a place for a call, before anything of it is written.
    #[inline(always)]
    fn register(&mut self, now: Instant, phase: Phase, retry: Retry, timeout: Duration) -> CallId {
        let deadline = now.after(timeout);
        let id = self.calls.insert(Call::new(phase, retry, timeout, deadline));
        self.deadlines.push(deadline, id, &self.calls);
        id
    }

    /// What the call's reply is told by.
    #[cfg(feature = "tokio")]
    pub(crate) fn correlation_id(&self, id: CallId) -> ShortStr {
        ShortStr::copied(&self.calls.correlation_id(id)).unwrap_or_default()
    }

    /// Asks for the result of a call, which is gone once it is given out.
    pub fn poll_call(
        &mut self,
        id: CallId,
        context: &mut Context<'_>,
    ) -> Poll<Result<Reply, CallError>> {
        match self.calls.get_mut(id) {
            Some(call) if call.phase.is_done() => self.calls.take_result(id),
            Some(call) => {
                if !call.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
                    self.discarded = call.waker.replace(context.waker().clone());
                }
                Poll::Pending
            }
            // Only a future that was polled after its end asks so.
            None => Poll::Pending,
        }
    }

    /// Forgets a call: its user has gone. A reply that still comes is counted and dropped.
    pub fn cancel(&mut self, id: CallId) {
        let Some(call) = self.calls.remove(id) else { return };
        if !call.phase.is_done() {
            self.stats.dropped = self.stats.dropped.saturating_add(1);
            self.leave_flight(id, call.phase.is_in_flight(), false);
        }
        self.discarded = call.waker;
    }

    /// A waker that the last command has replaced. It may be a task's last owner, and the task may
    /// own calls of this engine: so it is dropped where no lock is held.
    pub fn take_discarded(&mut self) -> Option<Waker> {
        self.discarded.take()
    }

    /// Takes no more calls, and closes when those that are pending have ended.
    pub fn drain(&mut self, now: Instant) {
        self.draining = true;
        self.close_when_drained(now);
    }

    /// Ends the session in good order. Pending calls fail with [`CallError::Closed`].
    pub fn close(&mut self, now: Instant) {
        self.end(now, Ok(()));
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

    /// Whether no more calls are taken.
    pub(crate) fn is_over(&self) -> bool {
        self.ended.is_some() || self.draining
    }

    /// Why no more calls are taken.
    pub(crate) fn refusal(&self) -> CallError {
        match &self.ended {
            Some(ended) => ended_error(ended, false),
            None => CallError::Closed { written: false },
        }
    }

    /// Why the broker does not read what is published, while it has an alarm on.
    pub fn blocked(&self) -> Option<&str> {
        self.blocked.as_deref()
    }

    /// How the session ended: `Ok` if its user closed it.
    pub fn ended(&self) -> Option<&Result<(), SessionError>> {
        self.ended.as_ref()
    }
}

#[cfg(test)]
mod tests;

//! [`Responder`]: the server's engine, without IO.
//!
//! Each queue has a channel of its own, so that an error on one leaves the others alone:
//!
//! ```text
//!             open-ok: declare, qos, consume
//!   Opening ─────────────────────────────────▶ Declaring ──▶ Limiting ──▶ Consuming ──▶ Serving
//!      ▲                                        ▲      declare-ok   qos-ok     consume-ok  │ │
//!      │ channel closed by the broker: anew     │ cancelled by the broker: anew           │ │
//!      └──────────────────────── Resting ───────┴──────────────────────────────────────────┘ │
//!                                                                                  shutdown: │
//!                              Cancelled ◀───────────────────── Cancelling ◀──────── cancel ─┘
//!                                              cancel-ok
//! ```
//!
//! A request is handed out once, with the [`Pending`] that leads its answer back, and no more at a
//! time than the prefetch says. The reply is written before the request is acknowledged, so a
//! request whose server dies goes to another.

mod answer;
mod events;
mod queue;

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::task::{Poll, Waker};

use self::queue::{Queue, State};
use crate::connection::{Config, Connection};
use crate::engine::Engine;
use crate::observers::Observers;
use crate::{Instant, Request, SessionError};

pub use self::answer::{Answer, Pending};
pub use self::queue::QueueOptions;

/// The server's engine. See the [module](self) for the states of its queues.
#[derive(Debug)]
pub struct Responder {
    connection: Connection,
    queues: Vec<Queue>,
    /// Requests that nobody has taken yet, in the order they came.
    arrived: VecDeque<Arrived>,
    max_reply_size: usize,
    draining: bool,
    /// The broker has an alarm on, and does not read our replies.
    blocked: Option<String>,
    stats: ServerStats,
    wake: Vec<Waker>,
    observers: Observers,
    ended: Option<Result<(), SessionError>>,
}

/// A request for the handler of a queue.
#[derive(Debug)]
pub struct Arrived {
    /// Which of the queues that the responder was made with.
    pub queue: usize,
    /// The request.
    pub request: Request,
    /// To be handed back with the answer.
    pub pending: Pending,
}

/// What a server has done so far, and is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStats {
    /// Requests received.
    pub requests: u64,
    /// Those that may have been delivered before, to this server or another.
    pub redelivered: u64,
    /// Replies sent that are no faults.
    pub replies: u64,
    /// Faults sent, those of panics included.
    pub faults: u64,
    /// Handlers that panicked.
    pub panics: u64,
    /// Requests without a reply address: run, and not answered.
    pub without_reply_to: u64,
    /// Requests that were too large, or whose headers could not be read: neither run nor answered,
    /// but rejected without requeue, so that a dead-letter exchange can keep them. They are not
    /// among `requests`.
    pub unreadable: u64,
    /// Answers that came when the connection or the channel was gone: not sent.
    pub unsent: u64,
    /// Consumers that the broker has cancelled, and that were made anew.
    pub cancelled_by_broker: u64,
    /// Channels that the broker has closed, and that were made anew.
    pub channels_closed: u64,
    /// Requests whose handlers run at this moment.
    pub running: usize,
}

impl Responder {
    /// A responder whose transport is up.
    ///
    /// A reply of more than `max_reply_size` octets becomes a fault, because the broker would
    /// close the channel over it and deliver the request again.
    pub fn new(
        config: Config,
        queues: impl IntoIterator<Item = QueueOptions>,
        max_reply_size: usize,
        now: Instant,
    ) -> Self {
        Self {
            connection: Connection::new(config, now),
            queues: queues.into_iter().map(Queue::new).collect(),
            arrived: VecDeque::new(),
            max_reply_size,
            draining: false,
            blocked: None,
            stats: ServerStats::default(),
            wake: Vec::new(),
            observers: Observers::default(),
            ended: None,
        }
    }

    // ------------------------------------------------------------------ commands

    /// Begins to end: no new requests. When those that run are answered, the connection is closed.
    pub fn shutdown(&mut self, now: Instant) {
        if self.ended.is_some() {
            return;
        }
        self.draining = true;
        for queue in &mut self.queues {
            queue.cancel(&mut self.connection);
        }
        self.close_when_drained(now);
    }

    /// Ends at once, in good order for the connection. Unanswered requests go back to their queues.
    pub fn close(&mut self, now: Instant) {
        self.draining = true;
        // Nobody could answer them any more.
        self.arrived.clear();
        self.connection.close(now);
        self.process(now);
    }

    // ------------------------------------------------------------------ what is known

    /// `Ready(Ok)` once every queue is consumed from, `Ready(Err)` if that failed.
    pub fn readiness(&self) -> Poll<Result<(), SessionError>> {
        match &self.ended {
            Some(result) => Poll::Ready(result.clone()),
            None if self.queues.iter().all(|queue| queue.state == State::Serving) => {
                Poll::Ready(Ok(()))
            }
            None => Poll::Pending,
        }
    }

    /// How the session ended, once it has and nothing more is to be expected of the connection.
    pub fn end_result(&self) -> Poll<Result<(), SessionError>> {
        match &self.ended {
            Some(result) if self.connection.is_finished() => Poll::Ready(result.clone()),
            _ => Poll::Pending,
        }
    }

    /// Why the broker does not read replies at the moment.
    pub fn blocked(&self) -> Option<&str> {
        self.blocked.as_deref()
    }

    /// How it goes.
    pub fn stats(&self) -> ServerStats {
        let running = self.queues.iter().map(|queue| queue.running);
        ServerStats { running: running.fold(0, usize::saturating_add), ..self.stats }
    }

    // ------------------------------------------------------------------ inside

    /// Whether the end has not begun.
    fn goes_on(&self) -> bool {
        !self.draining && self.ended.is_none()
    }

    fn close_when_drained(&mut self, now: Instant) {
        if self.draining && self.queues.iter().all(Queue::is_drained) {
            self.connection.close(now);
        }
    }

    fn end(&mut self, now: Instant, result: Result<(), SessionError>) {
        self.ended.get_or_insert(result);
        // They cannot be acknowledged any more, and are delivered to another server.
        self.arrived.clear();
        self.connection.close(now);
        self.observers.change(&mut self.wake);
    }
}

#[cfg(test)]
mod tests;

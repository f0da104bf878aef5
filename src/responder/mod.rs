//! [`Responder`]: the server's engine, without IO.
//!
//! Each queue has a channel of its own, so that an error on one leaves the others alone:
//!
//! ```text
//!             open-ok: declare, qos, consume
//!   Opening ─────────────────────────────────▶ Declaring ──▶ Limiting ──▶ Consuming ──▶ Serving
//!      ▲                                               declare-ok   qos-ok     consume-ok  │ │
//!      │ consumer cancelled or channel closed by the broker: anew, on another channel      │ │
//!      └──────────────────────── Resting ◀─────────────────────────────────────────────────┘ │
//!                                                                                  shutdown: │
//!                              Cancelled ◀───────────────────── Cancelling ◀──────── cancel ─┘
//!                                              cancel-ok
//! ```
//!
//! A request is handed out once, with the [`Pending`] that leads its answer back, and no more at a
//! time than the prefetch says. The reply is written before the request is acknowledged, so a
//! request whose server dies goes to another. What is answered in one turn is acknowledged together.
//!
//! It outlives its connection: on the next one, every queue begins anew. A handler that was at work
//! goes on, and its reply is held until there is a channel for it. It is not acknowledged, because the
//! broker has taken the request back and delivers it again.

mod acknowledgements;
mod answer;
mod destination;
mod events;
mod held;
mod letter;
mod plain;
mod queue;
mod requests;
mod stats;

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::task::{Poll, Waker};

use self::held::Held;
use self::queue::{Queue, State};
use crate::connection::{Config, Connection};
use crate::engine::Engine;
use crate::observers::Observers;
use crate::reconnect::Link;
use crate::{Instant, Reconnecting, Request, SessionError};

pub use self::answer::{Answer, Pending, Settlement};
pub use self::letter::{Letter, Sent};
pub use self::queue::QueueOptions;
pub use self::stats::ServerStats;

/// The server's engine. See the [module](self) for the states of its queues.
#[derive(Debug)]
pub struct Responder {
    connection: Connection,
    link: Link,
    queues: Vec<Queue>,
    /// Requests that nobody has taken yet, in the order they came.
    arrived: VecDeque<Arrived>,
    /// Replies without a channel to go on.
    held: Held,
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
    /// When its caller no longer waits: it is not run after that.
    pub deadline: Option<Instant>,
    /// To be handed back with the answer.
    pub pending: Pending,
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
            link: Link::default(),
            queues: queues.into_iter().map(Queue::new).collect(),
            arrived: VecDeque::new(),
            held: Held::default(),
            max_reply_size,
            draining: false,
            blocked: None,
            stats: ServerStats::default(),
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

    /// Begins to end: no new requests. When those that run are answered, the connection is closed.
    pub fn shutdown(&mut self, now: Instant) {
        if self.ended.is_some() {
            return;
        }
        self.send_acknowledgements();
        self.draining = true;
        for queue in &mut self.queues {
            if self.link.is_connected() {
                queue.finish(&mut self.connection);
            } else {
                queue.state = State::Cancelled;
            }
        }
        self.open_for_replies(now);
        self.close_when_drained(now);
        self.process(now);
    }

    /// Ends at once, in good order for the connection. Unanswered requests go back to their queues.
    pub fn close(&mut self, now: Instant) {
        self.send_acknowledgements();
        self.draining = true;
        // Nobody could answer them any more.
        self.arrived.clear();
        if !self.link.is_connected() {
            self.end(now, Ok(()));
        }
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

    // ------------------------------------------------------------------ inside

    /// Whether the end has not begun.
    fn goes_on(&self) -> bool {
        !self.draining && self.ended.is_none()
    }

    fn close_when_drained(&mut self, now: Instant) {
        if self.draining && self.held.is_empty() && self.queues.iter().all(Queue::is_drained) {
            if !self.link.is_connected() {
                self.end(now, Ok(()));
            }
            self.send_acknowledgements();
            self.connection.close(now);
        }
    }

    /// Acknowledges what was answered: behind the replies, and before anything else that happens.
    fn send_acknowledgements(&mut self) {
        for queue in &mut self.queues {
            queue.acknowledgements.send(queue.channel, &mut self.connection);
        }
    }
}

#[cfg(test)]
mod tests;

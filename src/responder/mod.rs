//! [`Responder`]: the server's engine, without IO.
//!
//! Each queue has a channel of its own, so that an error on one leaves the others alone:
//!
//! ```text
//!            open-ok: send declare, qos, consume
//!   Opening ────────────────────────────────────▶ Declaring ──▶ Limiting ──▶ Consuming ──▶ Serving
//!                                                     ▲  declare-ok     qos-ok    consume-ok │  │
//!                                                     └──── cancel from the broker ──────────┘  │
//!                                                       (its queue is gone: declare again)      ▼
//!                                       Cancelled ◀──────────────────────────────────── Cancelling
//!                                                             cancel-ok                (shutdown)
//! ```
//!
//! A request is handed out once, with the [`Pending`] that leads its answer back. The reply is
//! written before the request is acknowledged, so a request whose server dies goes to another.

mod answer;
mod events;

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::task::{Context, Poll, Waker};

use leveret_codec::{FieldTable, ShortStr, basic, queue as queue_method};

use crate::connection::{Config, Connection};
use crate::engine::Engine;
use crate::{Instant, Request, SessionError};

pub use self::answer::{Answer, Pending};

/// The server's engine. See the [module](self) for the states of its queues.
#[derive(Debug)]
pub struct Responder {
    connection: Connection,
    queues: Vec<Queue>,
    max_reply_size: usize,
    /// Requests that nobody has taken yet.
    arrived: VecDeque<Arrived>,
    /// Requests that were handed out and not answered.
    running: usize,
    draining: bool,
    stats: ServerStats,
    wake: Vec<Waker>,
    observers: Vec<Waker>,
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

/// A queue to serve.
#[derive(Debug, Clone)]
pub struct QueueOptions {
    /// Its name.
    pub name: ShortStr,
    /// Whether it is only checked, and must exist already. The rest is then ignored.
    pub passive: bool,
    /// Whether it survives a restart of the broker.
    pub durable: bool,
    /// Whether it belongs to this connection and ends with it.
    pub exclusive: bool,
    /// Whether it is deleted when its last consumer has gone.
    pub auto_delete: bool,
    /// x-queue-type, x-message-ttl, x-dead-letter-exchange and the like.
    pub arguments: FieldTable,
    /// The most requests at a time, and so the most handlers that run at a time. 0 is no limit.
    pub prefetch: u16,
}

#[derive(Debug)]
struct Queue {
    options: QueueOptions,
    channel: u16,
    state: QueueState,
    consumer_tag: ShortStr,
}

/// Named by what is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum QueueState {
    Opening,
    Declaring,
    Limiting,
    Consuming,
    Serving,
    Cancelling,
    Cancelled,
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
    /// Consumers that the broker has cancelled, and that were made anew.
    pub cancelled_by_broker: u64,
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
        let queues = queues.into_iter().map(|options| Queue {
            options,
            channel: 0,
            state: QueueState::Opening,
            consumer_tag: ShortStr::EMPTY,
        });
        Self {
            connection: Connection::new(config, now),
            queues: queues.collect(),
            max_reply_size,
            arrived: VecDeque::new(),
            running: 0,
            draining: false,
            stats: ServerStats::default(),
            wake: Vec::new(),
            observers: Vec::new(),
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
            if queue.state == QueueState::Serving {
                let consumer_tag = queue.consumer_tag.clone();
                let cancel = basic::Cancel { consumer_tag, nowait: false };
                let _ = self.connection.send(queue.channel, cancel);
                queue.state = QueueState::Cancelling;
            }
        }
        self.close_when_drained(now);
    }

    /// Ends at once, in good order for the connection. Unanswered requests go back to their queues.
    pub fn close(&mut self, now: Instant) {
        self.draining = true;
        self.connection.close(now);
        self.process(now);
    }

    /// `Ready(Ok)` once every queue is consumed from, `Ready(Err)` if that failed.
    pub fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), SessionError>> {
        match &self.ended {
            Some(result) => Poll::Ready(result.clone()),
            None if self.queues.iter().all(|queue| queue.state == QueueState::Serving) => {
                Poll::Ready(Ok(()))
            }
            None => self.observe(context),
        }
    }

    /// How the session ended, once it has.
    pub fn poll_ended(&mut self, context: &mut Context<'_>) -> Poll<Result<(), SessionError>> {
        match &self.ended {
            Some(result) if self.connection.is_finished() => Poll::Ready(result.clone()),
            _ => self.observe(context),
        }
    }

    // ------------------------------------------------------------------ what is known

    /// How it goes.
    pub fn stats(&self) -> ServerStats {
        ServerStats { running: self.running, ..self.stats }
    }

    // ------------------------------------------------------------------ inside

    fn observe<T>(&mut self, context: &Context<'_>) -> Poll<T> {
        if !self.observers.iter().any(|waker| waker.will_wake(context.waker())) {
            self.observers.push(context.waker().clone());
        }
        Poll::Pending
    }

    fn close_when_drained(&mut self, now: Instant) {
        let consuming = |queue: &Queue| queue.state != QueueState::Cancelled;
        let idle = self.running == 0 && self.arrived.is_empty();
        if self.draining && idle && !self.queues.iter().any(consuming) {
            self.connection.close(now);
        }
    }

    fn end(&mut self, now: Instant, result: Result<(), SessionError>) {
        self.ended.get_or_insert(result);
        self.connection.close(now);
        self.wake.append(&mut self.observers);
    }
}

impl QueueOptions {
    /// A durable queue, with a prefetch of 128.
    pub fn new(name: ShortStr) -> Self {
        Self {
            name,
            passive: false,
            durable: true,
            exclusive: false,
            auto_delete: false,
            arguments: FieldTable::EMPTY,
            prefetch: 128,
        }
    }

    fn declare(&self) -> queue_method::Declare {
        queue_method::Declare {
            queue: self.name.clone(),
            passive: self.passive,
            durable: self.durable,
            exclusive: self.exclusive,
            auto_delete: self.auto_delete,
            nowait: false,
            arguments: self.arguments.clone(),
        }
    }

    fn qos(&self) -> basic::Qos {
        basic::Qos { prefetch_size: 0, prefetch_count: self.prefetch, global: false }
    }

    fn consume(&self) -> basic::Consume {
        basic::Consume { queue: self.name.clone(), ..basic::Consume::default() }
    }

    fn name(&self) -> String {
        alloc::string::ToString::to_string(&self.name)
    }
}

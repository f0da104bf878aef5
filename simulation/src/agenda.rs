//! [`Agenda`]: what is to happen, in the order of virtual time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use leveret::Instant;

use crate::network::{LineId, Side};

/// A client or a server, by its place in the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Actor {
    /// A program that calls.
    Client(usize),
    /// A program that serves.
    Server(usize),
}

/// Which of the programs that have been started in an actor's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    /// In whose place.
    pub actor: Actor,
    /// How many there were before it.
    pub incarnation: u32,
}

impl std::fmt::Display for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.actor {
            Actor::Client(index) => write!(f, "client {index}.{}", self.incarnation),
            Actor::Server(index) => write!(f, "server {index}.{}", self.incarnation),
        }
    }
}

/// One attempt of a process to reach the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attempt {
    /// Whose.
    pub process: Process,
    /// How many it made before.
    pub number: u32,
    /// To which of the broker's addresses.
    pub address: usize,
}

/// Something that is to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// A step of the plan.
    Step(usize),
    /// Octets, or the end, come to this side of a line.
    Arrival(LineId, Side),
    /// This side of a line can write again.
    Room(LineId, Side),
    /// Something is due in an engine.
    Timer(Process),
    /// Something is due in the broker.
    BrokerTimer,
    /// An attempt comes to where the broker should be.
    Knock(Attempt),
    /// An attempt has succeeded.
    Reached(Attempt, LineId),
    /// An attempt has failed: refused, or not answered in time.
    Unreachable(Attempt, bool),
    /// A process is started.
    Begin(Actor),
    /// The process that was started is given up unless it is ready.
    GiveUp(Process),
    /// A server that shuts down waits no longer for its handlers.
    ShutdownOver(Process),
    /// A handler has finished.
    HandlerDone(Process, u64),
    /// A caller loses interest.
    Dropped(u32),
    /// A call has to have ended by now.
    Due(u32),
    /// The last octets of a line that was given up have had their time.
    FarewellOver(LineId),
    /// The broker is back.
    PowerOn,
    /// The broker goes, after it has said so.
    PowerOff,
    /// The alarm is over.
    AlarmOver,
}

/// What is to happen, the earliest first; of what is to happen at the same moment, what was planned
/// first.
#[derive(Debug, Default)]
pub struct Agenda {
    heap: BinaryHeap<Reverse<(Instant, u64, Event)>>,
    planned: u64,
}

impl Agenda {
    /// Has it happen then.
    pub fn at(&mut self, time: Instant, event: Event) {
        self.planned += 1;
        self.heap.push(Reverse((time, self.planned, event)));
    }

    /// The next thing to happen, and when.
    pub fn pop(&mut self) -> Option<(Instant, Event)> {
        self.heap.pop().map(|Reverse((time, _, event))| (time, event))
    }

    /// When the next thing happens.
    pub fn next_time(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((time, _, _))| *time)
    }
}

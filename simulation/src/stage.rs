//! [`Stage`]: what everybody in a run has in common.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::BytesMut;
use leveret::Instant;

use crate::agenda::{Agenda, Event, Process};
use crate::ledger::Ledger;
use crate::network::{LineId, Network, Side};
use crate::plan::{Plan, Target};
use crate::random::Random;
use crate::trace::Trace;
use crate::wire::Wire;

/// Time, chance, what is to come, and what has been.
#[derive(Debug)]
pub struct Stage {
    /// Virtual time.
    pub now: Instant,
    /// What is to come.
    pub agenda: Agenda,
    /// What the plan has left open.
    pub random: Random,
    /// The lines.
    pub network: Network,
    /// What goes over them.
    pub wire: Wire,
    /// The calls, and what is wrong with them.
    pub ledger: Ledger,
    /// What is still to be sent on lines that their engines are done with.
    pub farewells: BTreeMap<LineId, BytesMut>,
    /// The story.
    pub trace: Trace,
    /// What was decided before.
    pub plan: Plan,
    /// Until when each queue was not there, the last time.
    pub absent_at: Vec<Instant>,
    /// Nothing goes wrong any more, and handlers are quick.
    pub is_over: bool,
    /// Nobody is started any more.
    pub is_ending: bool,
}

impl Stage {
    /// Tells what happens.
    pub fn tell(&mut self, what: impl FnOnce() -> String) {
        self.trace.tell(self.now, what);
    }

    /// Something is as it should never be.
    pub fn violate(&mut self, what: String) {
        if self.ledger.violation().is_none() {
            self.trace.tell(self.now, || format!("VIOLATION: {what}"));
        }
        self.ledger.violate(self.now, what);
    }

    /// Something has to be so.
    pub fn check(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.violate(what());
        }
    }

    /// Whether the queue that a call goes to was not there for a time since.
    pub fn is_absent_since(&mut self, number: u32, since: Instant) -> bool {
        match self.ledger.call(number).plan.target {
            Target::Queue(queue) => self.absent_at[queue] >= since,
            _ => false,
        }
    }

    /// Whether the driver of a process comes to it only later, because others have their turn. If so,
    /// that is planned.
    pub fn is_late(&mut self, process: Process) -> bool {
        let is_late = self.random.chance(25);
        if is_late {
            let lag = self.random.time(Duration::ZERO..=Duration::from_micros(500));
            self.agenda.at(self.now.after(lag), Event::Timer(process));
        }
        is_late
    }

    /// Takes from the front of `octets` what the line has room for.
    ///
    /// # Errors
    /// The line is broken.
    pub fn write(
        &mut self,
        line: LineId,
        side: Side,
        octets: &mut BytesMut,
    ) -> Result<usize, &'static str> {
        self.network.write(self.now, (line, side), octets, &mut self.random, &mut self.agenda)
    }

    /// This side of the line is closed.
    pub fn close(&mut self, line: LineId, side: Side) {
        self.network.close(self.now, (line, side), &mut self.random, &mut self.agenda);
    }

    /// Sends more of what is still to be sent on a line that its engine is done with.
    pub fn bid_farewell(&mut self, line: LineId) {
        let Some(mut octets) = self.farewells.remove(&line) else { return };
        match self.write(line, Side::Engine, &mut octets) {
            Ok(_) if !octets.is_empty() => _ = self.farewells.insert(line, octets),
            _ => self.close(line, Side::Engine),
        }
    }

    /// That has taken too long.
    pub fn end_farewell(&mut self, line: LineId) {
        if self.farewells.remove(&line).is_some() {
            self.close(line, Side::Engine);
        }
    }

    /// An engine has handed this to its driver. It is `heard` of unless the connection is over, so
    /// that the broker drops it.
    pub fn sent(
        &mut self,
        process: Process,
        line: LineId,
        octets: &[u8],
        (empty_at, is_heard): (Instant, bool),
    ) {
        let heard = self.wire.from_engine(process, line, octets, self.trace.is_kept());
        for frame in heard.frames {
            self.tell(|| format!("{process} on {}: {frame}", line.0));
        }
        if let Some(violation) = heard.violation {
            self.violate(format!("{process} {violation}"));
        }
        let requests = heard.requests.into_iter().filter(|_| is_heard);
        for (number, expiration) in requests {
            if let Some(violation) = self.ledger.transmitted(self.now, number, expiration, empty_at)
            {
                self.violate(violation);
            }
        }
    }

    /// The broker has handed this to the network.
    pub fn heard(&mut self, line: LineId, octets: &[u8]) {
        let process = self.network.owner(line);
        let heard = self.wire.from_broker(process, line, octets, self.trace.is_kept());
        for frame in heard.frames {
            self.tell(|| format!("{process} on {}: {frame}", line.0));
        }
    }
}

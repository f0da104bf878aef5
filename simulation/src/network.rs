//! [`Network`]: lines between engines and the broker, which are slow, stall, and break.
//!
//! What is written is cut into pieces at any octet, each of which arrives in its own time and in
//! order. So many octets may be under way at a time; a peer that does not read holds up the writer.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use leveret::Instant;

use crate::agenda::{Agenda, Event, Process};
use crate::random::Random;

/// One line, through the whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineId(pub usize);

/// Who reads and writes at one end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// A client or a server.
    Engine,
    /// The broker.
    Broker,
}

impl Side {
    /// Who is at the other end.
    pub fn other(self) -> Self {
        match self {
            Self::Engine => Self::Broker,
            Self::Broker => Self::Engine,
        }
    }
}

/// How the network is.
#[derive(Debug, Clone)]
pub struct NetworkPlan {
    /// How long an octet is under way.
    pub latency: RangeInclusive<Duration>,
    /// How many octets may be under way in one direction.
    pub window: usize,
    /// Into how many pieces what is written at once may be cut.
    pub pieces: usize,
}

/// How a line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The other side has closed it.
    Closed,
    /// It broke.
    Reset,
}

/// How a line breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// Both sides hear of it, each in its time; until then, what they write is lost.
    Heard,
    /// The same, but writing fails at once.
    Refusing,
    /// Nobody hears of it.
    Silent,
}

#[derive(Debug)]
struct Line {
    owner: Process,
    up: Pipe,
    down: Pipe,
    /// Something has happened to it beyond what networks usually do.
    is_troubled: bool,
}

/// One direction.
#[derive(Debug, Default)]
struct Pipe {
    pieces: VecDeque<(Instant, Bytes)>,
    /// Octets under way, or there and not read.
    octets: usize,
    /// When the last piece arrives, or the end.
    last: Instant,
    end: Option<(Instant, End)>,
    /// What becomes of what is written now.
    broken: Option<Break>,
    writer_waits: bool,
}

/// Every line that there was.
#[derive(Debug)]
pub struct Network {
    plan: NetworkPlan,
    lines: Vec<Line>,
}

/// What was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// Nothing is there.
    Nothing,
    /// So many octets.
    Octets(usize),
    /// Nothing more will come.
    End(End),
}

/// The most that is read at once.
const READ_LIMIT: usize = 0x1_0000;

impl Network {
    /// A network without lines.
    pub fn new(plan: NetworkPlan) -> Self {
        Self { plan, lines: Vec::new() }
    }

    /// How long an octet is under way at most.
    pub fn slowest(&self) -> Duration {
        *self.plan.latency.end()
    }

    /// How long the next octet is under way.
    pub fn latency(&self, random: &mut Random) -> Duration {
        random.time(self.plan.latency.clone())
    }

    /// A new line, whole.
    pub fn open(&mut self, owner: Process) -> LineId {
        let [up, down] = [Pipe::default(), Pipe::default()];
        self.lines.push(Line { owner, up, down, is_troubled: false });
        LineId(self.lines.len() - 1)
    }

    /// Whose engine is at the end of it.
    pub fn owner(&self, line: LineId) -> Process {
        self.lines[line.0].owner
    }

    /// Whether something has happened to the line, so that what was on it may be lost.
    pub fn is_troubled(&self, line: LineId) -> bool {
        self.lines[line.0].is_troubled
    }

    /// Notes that something has happened.
    pub fn trouble(&mut self, line: LineId) {
        self.lines[line.0].is_troubled = true;
    }

    // ------------------------------------------------------------------ reading and writing

    /// Takes from the front of `octets` what there is room for.
    ///
    /// # Errors
    /// The line is broken.
    pub fn write(
        &mut self,
        now: Instant,
        (line, side): (LineId, Side),
        octets: &mut BytesMut,
        random: &mut Random,
        agenda: &mut Agenda,
    ) -> Result<usize, &'static str> {
        let Self { plan, lines } = self;
        let pipe = lines[line.0].written_by(side);
        match pipe.broken {
            Some(Break::Refusing) => return Err("broken pipe"),
            Some(Break::Heard) => {
                let length = octets.len();
                octets.clear();
                return Ok(length);
            }
            // Nobody acknowledges what is lost, so the window stays full.
            Some(Break::Silent) | None => {}
        }
        let length = octets.len().min(plan.window - pipe.octets.min(plan.window));
        pipe.writer_waits = length < octets.len();
        pipe.octets += length;
        if pipe.broken.is_some() {
            octets.advance(length);
            return Ok(length);
        }
        let mut rest = octets.split_to(length).freeze();
        let mut pieces = random.within(1..=plan.pieces);
        while !rest.is_empty() {
            let size = if pieces <= 1 { rest.len() } else { random.within(1..=rest.len()) };
            pieces -= 1;
            let arrives = now.after(random.time(plan.latency.clone())).max(pipe.last);
            pipe.last = arrives;
            pipe.pieces.push_back((arrives, rest.split_to(size)));
            agenda.at(arrives, Event::Arrival(line, side.other()));
        }
        Ok(length)
    }

    /// Moves what has arrived to the end of `input`.
    pub fn read(
        &mut self,
        now: Instant,
        (line, side): (LineId, Side),
        input: &mut BytesMut,
        agenda: &mut Agenda,
    ) -> Read {
        let pipe = self.lines[line.0].read_by(side);
        let mut taken = 0;
        while taken < READ_LIMIT
            && pipe.pieces.front().is_some_and(|(arrives, _)| *arrives <= now)
            && let Some((_, octets)) = pipe.pieces.pop_front()
        {
            taken += octets.len();
            input.extend_from_slice(&octets);
        }
        pipe.octets -= taken;
        if taken > 0 {
            if core::mem::take(&mut pipe.writer_waits) {
                agenda.at(now, Event::Room(line, side.other()));
            }
            return Read::Octets(taken);
        }
        match (pipe.pieces.front(), pipe.end) {
            (None, Some((at, end))) if at <= now => Read::End(end),
            _ => Read::Nothing,
        }
    }

    /// This side writes no more, and reads no more.
    pub fn close(
        &mut self,
        now: Instant,
        (line, side): (LineId, Side),
        random: &mut Random,
        agenda: &mut Agenda,
    ) {
        let Self { plan, lines } = self;
        let line_of = &mut lines[line.0];
        let other = line_of.read_by(side);
        other.broken = other.broken.or(Some(Break::Heard));
        other.pieces.clear();
        let pipe = line_of.written_by(side);
        if pipe.broken.is_none() {
            pipe.end_with(now.after(random.time(plan.latency.clone())), End::Closed);
            agenda.at(pipe.last, Event::Arrival(line, side.other()));
        }
    }

    // ------------------------------------------------------------------ what goes wrong

    /// Breaks the line. Of what is under way, some octets still arrive.
    pub fn cut(
        &mut self,
        now: Instant,
        line: LineId,
        how: Break,
        random: &mut Random,
        agenda: &mut Agenda,
    ) {
        let Self { plan, lines } = self;
        let line_of = &mut lines[line.0];
        line_of.is_troubled = true;
        for side in [Side::Engine, Side::Broker] {
            let pipe = line_of.read_by(side);
            if pipe.broken == Some(Break::Silent) && how != Break::Silent {
                // It was cut before, and now that is heard.
                pipe.broken = Some(how);
            } else if pipe.broken.is_some() {
                continue;
            } else {
                pipe.broken = Some(how);
                let survive = random.within(0..=pipe.octets);
                pipe.truncate(survive);
            }
            if how != Break::Silent && pipe.end.is_none() {
                let end = random.one_of(&[End::Reset, End::Closed]);
                pipe.end_with(now.after(random.time(plan.latency.clone())), end);
            }
            agenda.at(pipe.last.max(now), Event::Arrival(line, side));
        }
    }

    /// Holds up what is under way to this side, and what follows.
    pub fn stall(&mut self, (line, side): (LineId, Side), until: Instant, agenda: &mut Agenda) {
        let pipe = self.lines[line.0].read_by(side);
        for (arrives, _) in &mut pipe.pieces {
            *arrives = until.max(*arrives);
        }
        if let Some((at, _)) = &mut pipe.end {
            *at = until.max(*at);
        }
        pipe.last = until.max(pipe.last);
        agenda.at(until, Event::Arrival(line, side));
    }

    /// Ends all stalls, and lets all hear that their lines are broken.
    pub fn calm_down(&mut self, now: Instant, random: &mut Random, agenda: &mut Agenda) {
        let latest = now.after(self.slowest());
        self.plan.window = 0x10_0000;
        for index in 0..self.lines.len() {
            let line = LineId(index);
            for side in [Side::Engine, Side::Broker] {
                let pipe = self.lines[index].read_by(side);
                for (arrives, _) in &mut pipe.pieces {
                    *arrives = latest.min(*arrives);
                }
                if let Some((at, _)) = &mut pipe.end {
                    *at = latest.min(*at);
                }
                pipe.last = latest.min(pipe.last);
                agenda.at(latest, Event::Arrival(line, side));
            }
            if self.lines[index].up.broken == Some(Break::Silent) {
                self.cut(now, line, Break::Refusing, random, agenda);
            }
        }
    }
}

impl Line {
    fn written_by(&mut self, side: Side) -> &mut Pipe {
        match side {
            Side::Engine => &mut self.up,
            Side::Broker => &mut self.down,
        }
    }

    fn read_by(&mut self, side: Side) -> &mut Pipe {
        self.written_by(side.other())
    }
}

impl Pipe {
    /// Loses all but the first octets.
    fn truncate(&mut self, mut survive: usize) {
        self.pieces.retain_mut(|(_, octets)| {
            octets.truncate(survive);
            survive -= octets.len();
            !octets.is_empty()
        });
        self.octets = self.pieces.iter().map(|(_, octets)| octets.len()).sum();
    }

    fn end_with(&mut self, at: Instant, end: End) {
        self.last = at.max(self.last);
        self.end.get_or_insert((self.last, end));
    }
}

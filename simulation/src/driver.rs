//! [`Driver`]: drives an engine over lines of the network, in virtual time, as the driver of the
//! library does over sockets.

use std::task::Waker;
use std::time::Duration;

use bytes::BytesMut;
use leveret::{ConnectionState, Engine, Instant};

use crate::agenda::{Attempt, Event, Process};
use crate::network::{End, LineId, Read, Side};
use crate::stage::Stage;

/// One engine and its lines, one after the other.
#[derive(Debug)]
pub struct Driver<E: Engine> {
    /// The engine.
    pub engine: E,
    /// Who it is.
    pub process: Process,
    transport: Transport,
    input: BytesMut,
    output: BytesMut,
    /// When a look at the engine is planned.
    timer: Option<Instant>,
    attempts: u32,
    /// When it was not connected, the last time.
    pub down_at: Instant,
    /// When everything that it wanted to send had been taken, the last time.
    empty_at: Instant,
    /// The most octets that waited to be sent.
    pub most_unsent: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    Up(LineId),
    Reaching(u32),
    Down,
}

/// How long the last octets may take to leave after the end.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// More turns than this at one moment are a driver that spins.
const MAX_TURNS: usize = 1_000;

impl<E: Engine> Driver<E> {
    /// The first line is up.
    pub fn new(engine: E, process: Process, line: LineId, now: Instant) -> Self {
        Self {
            engine,
            process,
            transport: Transport::Up(line),
            input: BytesMut::new(),
            output: BytesMut::new(),
            timer: None,
            attempts: 0,
            down_at: now,
            empty_at: now,
            most_unsent: 0,
        }
    }

    /// The line that is up.
    pub fn line(&self) -> Option<LineId> {
        match self.transport {
            Transport::Up(line) => Some(line),
            Transport::Reaching(_) | Transport::Down => None,
        }
    }

    /// Whether calls can be made, or requests come.
    pub fn is_connected(&self) -> bool {
        use ConnectionState::{Blocked, Connected};
        matches!(self.engine.connection_state(), Connected | Blocked { .. })
    }

    // ------------------------------------------------------------------ turns

    /// Everything that can be done now. What the engine wants done is added to `works`.
    pub fn run(&mut self, stage: &mut Stage, works: &mut Vec<E::Work>) {
        // Whoever commands an engine wakes whom it wants woken.
        self.wake();
        for _ in 0..MAX_TURNS {
            if !self.is_connected() {
                self.down_at = stage.now;
            }
            if self.engine.is_finished() {
                return self.put_down(stage);
            }
            let arrived = self.read(stage);
            let (deadline, connect) = self.turn(stage, works);
            let written = self.write(stage);
            if !self.is_connected() {
                self.down_at = stage.now;
            }
            if self.engine.is_finished() {
                return self.put_down(stage);
            }
            let changed = self.change_transport(stage, connect);
            let is_due = deadline.is_some_and(|deadline| deadline <= stage.now);
            if !(arrived || written || changed || is_due) {
                return self.sleep(stage, deadline);
            }
        }
        let (process, due) = (self.process, self.engine.poll_timeout());
        stage.violate(format!("{process} spins: the next timeout is {due:?}"));
    }

    fn turn(
        &mut self,
        stage: &mut Stage,
        works: &mut Vec<E::Work>,
    ) -> (Option<Instant>, Option<usize>) {
        let now = stage.now;
        if self.engine.poll_timeout().is_some_and(|deadline| deadline <= now) {
            self.engine.handle_timeout(now);
        }
        if self.output.is_empty() {
            self.transmit(stage);
        }
        self.most_unsent =
            self.most_unsent.max(self.output.len()).max(self.engine.connection().transmit_len());
        self.wake();
        while let Some(work) = self.engine.poll_work(now) {
            works.push(work);
        }
        let is_down = self.transport == Transport::Down;
        let connect = is_down.then(|| self.engine.poll_connect(now)).flatten();
        (self.engine.poll_timeout(), connect)
    }

    /// Plans the next look at the engine.
    fn sleep(&mut self, stage: &mut Stage, deadline: Option<Instant>) {
        let Some(deadline) = deadline else { return };
        if self.timer.is_none_or(|timer| timer <= stage.now || timer > deadline) {
            self.timer = Some(deadline);
            stage.agenda.at(deadline, Event::Timer(self.process));
        }
    }

    fn transmit(&mut self, stage: &mut Stage) {
        let before = self.output.len();
        self.engine.poll_transmit(stage.now, &mut self.output);
        if let Some(line) = self.line() {
            let is_heard = !self.engine.is_disconnected();
            let octets = &self.output[before..];
            stage.sent(self.process, line, octets, (self.empty_at, is_heard));
        }
        if self.engine.connection().transmit_len() == 0 {
            self.empty_at = stage.now;
        }
    }

    /// Wakes those whom the engine wants woken.
    pub fn wake(&mut self) {
        let mut wakers = Vec::new();
        self.engine.take_wakers(&mut wakers);
        wakers.into_iter().for_each(Waker::wake);
    }

    // ------------------------------------------------------------------ reading and writing

    fn read(&mut self, stage: &mut Stage) -> bool {
        let Transport::Up(line) = self.transport else { return false };
        // Nothing is read that is not wanted any more.
        if self.engine.is_disconnected() {
            return false;
        }
        let now = stage.now;
        match stage.network.read(now, (line, Side::Engine), &mut self.input, &mut stage.agenda) {
            Read::Nothing => return false,
            Read::Octets(_) => self.engine.handle_input(now, &mut self.input),
            Read::End(end) => {
                stage.tell(|| format!("{} on {}: {end:?}", self.process, line.0));
                match end {
                    End::Closed => self.engine.handle_eof(now),
                    End::Reset => {
                        self.engine.handle_transport_error(now, "connection reset".into());
                    }
                }
            }
        }
        true
    }

    /// Whether all was taken that there was.
    fn write(&mut self, stage: &mut Stage) -> bool {
        let Transport::Up(line) = self.transport else { return false };
        if self.output.is_empty() {
            return false;
        }
        match stage.write(line, Side::Engine, &mut self.output) {
            Ok(length) => length > 0,
            Err(error) => {
                stage.tell(|| format!("{} on {}: {error}", self.process, line.0));
                self.output.clear();
                // The peer may have said why before it closed the line.
                while !self.engine.is_disconnected() && self.read(stage) {}
                self.engine.handle_transport_error(stage.now, error.into());
                self.wake();
                true
            }
        }
    }

    // ------------------------------------------------------------------ lines

    fn change_transport(&mut self, stage: &mut Stage, connect: Option<usize>) -> bool {
        if let Some(address) = connect {
            let attempt = self.attempt(address);
            self.transport = Transport::Reaching(attempt.number);
            stage.tell(|| format!("{} connects to address {address}", self.process));
            reach(stage, attempt);
            return true;
        }
        if self.engine.is_disconnected() && self.line().is_some() {
            self.put_down(stage);
            return true;
        }
        false
    }

    fn attempt(&mut self, address: usize) -> Attempt {
        self.attempts += 1;
        Attempt { process: self.process, number: self.attempts, address }
    }

    /// What is still to be sent on the line leaves by itself.
    fn put_down(&mut self, stage: &mut Stage) {
        let Transport::Up(line) = self.transport else { return };
        self.input.clear();
        self.transmit(stage);
        self.wake();
        self.transport = Transport::Down;
        stage.tell(|| {
            format!("{} puts down {}: {:?}", self.process, line.0, self.engine.connection_state())
        });
        stage.network.trouble(line);
        stage.farewells.insert(line, core::mem::take(&mut self.output));
        stage.agenda.at(stage.now, Event::Room(line, Side::Engine));
        stage.agenda.at(stage.now.after(FLUSH_TIMEOUT), Event::FarewellOver(line));
    }

    /// The attempt has led to a line, which may have come too late.
    pub fn reached(&mut self, stage: &mut Stage, attempt: Attempt, line: LineId) -> bool {
        if self.transport != Transport::Reaching(attempt.number) {
            return false;
        }
        self.transport = Transport::Up(line);
        self.engine.handle_connected(stage.now);
        self.wake();
        true
    }

    /// The attempt has led nowhere.
    pub fn unreachable(&mut self, stage: &mut Stage, attempt: Attempt, reason: &str) {
        if self.transport == Transport::Reaching(attempt.number) {
            stage.tell(|| format!("{}: {reason}", self.process));
            self.transport = Transport::Down;
            self.engine.handle_unreachable(stage.now, reason.into());
            self.wake();
        }
    }

    /// The task that drives the engine ends, with its runtime perhaps.
    pub fn abort(&mut self, stage: &mut Stage) {
        self.engine.handle_end_of_driver(stage.now, "the driver has ended".into());
        self.wake();
        self.kill(stage);
    }

    /// The process is gone, and its line with it.
    pub fn kill(&mut self, stage: &mut Stage) {
        self.output.clear();
        if let Transport::Up(line) = self.transport {
            stage.network.trouble(line);
            stage.close(line, Side::Engine);
        }
        self.transport = Transport::Down;
    }
}

/// An attempt is on its way, and has its time.
pub fn reach(stage: &mut Stage, attempt: Attempt) {
    let latency = stage.network.latency(&mut stage.random);
    stage.agenda.at(stage.now.after(latency), Event::Knock(attempt));
    let limit = stage.now.after(stage.plan.connect_timeout);
    stage.agenda.at(limit, Event::Unreachable(attempt, true));
}

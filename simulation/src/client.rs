//! [`Client`]: the programs that call, one after the other.

mod calls;

use std::time::Duration;

use leveret::connection::Config;
use leveret::requester::Requester;
use leveret::{Engine, Instant, Reconnect, Reconnecting};

use crate::agenda::{Actor, Attempt, Event, Process};
use crate::driver::Driver;
use crate::network::LineId;
use crate::plan::Plan;
use crate::stage::Stage;

/// A client's place: a program runs there, or is about to.
#[derive(Debug)]
pub struct Client {
    /// Which program.
    pub process: Process,
    /// Its engine and the lines of that, once the first line is up.
    pub driver: Option<Driver<Requester>>,
    /// The number of the attempt to get the first line.
    beginning: Option<u32>,
    /// Calls that have not ended.
    open: Vec<u32>,
    /// The broker has closed a channel of its.
    has_lost_channel: bool,
    /// Its user has closed it, or is about to.
    is_closing: bool,
    /// Since when calls wait, and nothing is in their way.
    waits_since: Option<Instant>,
}

/// The limits of a process, and how it connects.
pub fn config(plan: &Plan) -> Config {
    Config {
        frame_max: plan.frame_max,
        heartbeat: plan.heartbeat,
        handshake_timeout: plan.connect_timeout,
        close_timeout: Duration::from_secs(1),
        ..Config::default()
    }
}

/// How a process reconnects.
pub fn reconnecting(plan: &Plan, seed: u64) -> Reconnecting {
    Reconnecting {
        policy: Reconnect::default(),
        addresses: plan.addresses,
        connect_timeout: plan.connect_timeout,
        seed,
    }
}

impl Client {
    /// Nobody is there yet.
    pub fn new(index: usize) -> Self {
        Self {
            process: Process { actor: Actor::Client(index), incarnation: 0 },
            driver: None,
            beginning: None,
            open: Vec::new(),
            has_lost_channel: false,
            is_closing: false,
            waits_since: None,
        }
    }

    /// Whether it can make calls.
    pub fn is_connected(&self) -> bool {
        self.driver.as_ref().is_some_and(Driver::is_connected)
    }

    /// Whether its user has closed it, and it has not ended.
    pub fn is_closing(&self) -> bool {
        self.is_closing
    }

    fn index(&self) -> usize {
        match self.process.actor {
            Actor::Client(index) | Actor::Server(index) => index,
        }
    }

    // ------------------------------------------------------------------ the beginning

    /// A program is started, unless one is there.
    pub fn begin(&mut self, stage: &mut Stage) {
        if self.driver.is_none() && self.beginning.is_none() {
            self.process.incarnation += 1;
            self.beginning = Some(0);
            let (process, address) = (self.process, stage.plan.live_address);
            crate::driver::reach(stage, Attempt { process, number: 0, address });
        }
    }

    /// An attempt has led to a line. Whether anybody still wants it.
    pub fn reached(&mut self, stage: &mut Stage, attempt: Attempt, line: LineId) -> bool {
        if attempt.process != self.process {
            return false;
        }
        if let Some(driver) = &mut self.driver {
            let is_wanted = driver.reached(stage, attempt, line);
            self.run(stage);
            return is_wanted;
        }
        if self.beginning.take() != Some(attempt.number) {
            return false;
        }
        let plan = &stage.plan.clients[self.index()];
        let seed = stage.random.number();
        let settings = reconnecting(&stage.plan, seed);
        let config = config(&stage.plan);
        let max_body_size = plan.max_body_size;
        let engine = Requester::new(config, max_body_size, seed.into(), stage.now)
            .with_reconnect(settings, attempt.address)
            .with_max_in_flight(plan.max_in_flight, plan.fails_when_busy);
        self.driver = Some(Driver::new(engine, self.process, line, stage.now));
        let limit = stage.now.after(stage.plan.connect_timeout);
        stage.agenda.at(limit, Event::GiveUp(self.process));
        self.run(stage);
        true
    }

    /// An attempt has led nowhere.
    pub fn unreachable(&mut self, stage: &mut Stage, attempt: Attempt, reason: &str) {
        if attempt.process != self.process {
            return;
        }
        if let Some(driver) = &mut self.driver {
            driver.unreachable(stage, attempt, reason);
            self.run(stage);
        } else if self.beginning == Some(attempt.number) {
            self.beginning = None;
            self.begin_later(stage);
        }
    }

    /// The first connection was to be ready by now.
    pub fn give_up(&mut self, stage: &mut Stage) {
        let is_ready =
            self.driver.as_ref().is_some_and(|driver| driver.engine.readiness().is_ready());
        if !is_ready {
            self.abort(stage);
        }
    }

    fn begin_later(&self, stage: &mut Stage) {
        let pause = if stage.is_over { 10 } else { 500 };
        let pause = stage.random.milliseconds(1..=pause);
        stage.agenda.at(stage.now.after(pause), Event::Begin(self.process.actor));
    }

    // ------------------------------------------------------------------ what its user does

    /// It is closed.
    pub fn close(&mut self, stage: &mut Stage) {
        self.is_closing = self.driver.is_some();
        if let Some(driver) = &mut self.driver {
            stage.tell(|| format!("{} is closed", self.process));
            driver.engine.close(stage.now);
        }
        self.run_soon(stage);
    }

    /// It takes no more calls, and closes when all have ended.
    pub fn drain(&mut self, stage: &mut Stage) {
        self.is_closing = self.driver.is_some();
        if let Some(driver) = &mut self.driver {
            stage.tell(|| format!("{} drains", self.process));
            driver.engine.drain(stage.now);
        }
        self.run_soon(stage);
    }

    /// The task that drives it ends.
    pub fn abort(&mut self, stage: &mut Stage) {
        if let Some(driver) = &mut self.driver {
            stage.tell(|| format!("the driver of {} ends", self.process));
            driver.abort(stage);
        }
        self.run(stage);
    }

    /// The broker has closed a channel of its.
    pub fn lose_channel(&mut self) {
        self.has_lost_channel = true;
    }

    // ------------------------------------------------------------------ turns

    /// The driver is woken, and may have to wait for its turn. Whom the engine wants woken is at once.
    fn run_soon(&mut self, stage: &mut Stage) {
        if !stage.is_late(self.process) {
            return self.run(stage);
        }
        if let Some(driver) = &mut self.driver {
            driver.wake();
        }
        self.ask_all(stage);
    }

    /// The futures that were woken are polled.
    fn ask_all(&mut self, stage: &mut Stage) {
        for number in self.open.clone() {
            if stage.ledger.call(number).bell.has_rung() {
                self.ask(stage, number);
            }
        }
    }

    /// Everything that can be done now.
    pub fn run(&mut self, stage: &mut Stage) {
        let Some(driver) = &mut self.driver else { return };
        driver.run(stage, &mut Vec::new());
        self.ask_all(stage);
        let Some(driver) = &self.driver else { return };
        let plan = &stage.plan.clients[self.index()];
        let stats = driver.engine.stats();
        let under_way = stats.pending - stats.waiting;
        let (limit, largest) = (plan.max_in_flight, plan.max_body_size as usize);
        let unsent = driver.most_unsent;
        stage.check(under_way <= limit, || format!("{under_way} calls are under way"));
        stage.check(unsent <= MAX_UNSENT + largest, || format!("{unsent} octets wait to be sent"));
        let is_free = stage.is_over
            && stats.waiting > 0
            && under_way < limit
            && driver.is_connected()
            // Some may wait for one of these.
            && driver.engine.connection().has_free_channel()
            && driver.engine.blocked().is_none();
        let since = *self.waits_since.get_or_insert(stage.now);
        if !is_free {
            self.waits_since = None;
        }
        // For a channel of their own, some wait a little.
        let patience = Duration::from_secs(1).saturating_add(stage.network.slowest() * 10);
        stage.check(stage.now.since(since) <= patience, || {
            format!("{} calls of {} wait for nothing", stats.waiting, self.process)
        });
        if driver.engine.is_finished() {
            self.check_end(stage);
        }
    }

    /// It has ended, and nobody waits for it any more.
    fn check_end(&mut self, stage: &mut Stage) {
        let process = self.process;
        for number in core::mem::take(&mut self.open) {
            stage.violate(format!("call {number} outlives {process}"));
        }
        let Some(mut driver) = self.driver.take() else { return };
        stage.tell(|| format!("{process} has ended: {:?}", driver.engine.ended()));
        check_rest(stage, &driver.engine);
        let mut later = stage.now;
        let mut timers = 0;
        while let Some(due) = driver.engine.poll_timeout() {
            later = later.max(due);
            driver.engine.handle_timeout(later);
            timers += 1;
            if timers > 200 {
                stage.violate(format!("{process} has ended, and its timers go on"));
                break;
            }
        }
        self.is_closing = false;
        self.waits_since = None;
        self.has_lost_channel = false;
        if !stage.is_ending {
            self.begin_later(stage);
        }
    }
}

/// Nothing is left of the calls.
pub fn check_rest(stage: &mut Stage, engine: &Requester) {
    let stats = engine.stats();
    let ended = stats.replies + stats.faults + stats.failures + stats.dropped;
    let nothing_is_left = stats.pending == 0 && stats.waiting == 0 && ended == stats.calls;
    stage.check(nothing_is_left, || format!("something is left: {stats:?}"));
    let unknown = (stats.unknown_replies, stats.unreadable_replies);
    stage.check(unknown == (0, 0), || format!("replies of nobody: {stats:?}"));
}

/// What an engine may keep besides one request: the limit and what it answers to the broker.
pub const MAX_UNSENT: usize = (1 << 20) + 0x4000;

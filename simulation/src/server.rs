//! [`Server`]: the programs that serve, one after the other.

mod handlers;

use std::collections::BTreeMap;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use leveret::responder::{Pending, QueueOptions, Responder};
use leveret::{Engine, ShortStr};

use crate::agenda::{Actor, Attempt, Event, Process};
use crate::client::{MAX_UNSENT, config, reconnecting};
use crate::driver::Driver;
use crate::ledger::Answered;
use crate::network::LineId;
use crate::stage::Stage;

/// A server's place: a program runs there, or is about to.
#[derive(Debug)]
pub struct Server {
    /// Which program.
    pub process: Process,
    /// Its engine and the lines of that, once the first line is up.
    pub driver: Option<Driver<Responder>>,
    /// The number of the attempt to get the first line.
    beginning: Option<u32>,
    /// The handlers at work.
    running: BTreeMap<u64, Handler>,
    /// How many there ever were.
    handlers: u64,
    /// Replies that were held while there was no channel for them.
    held: Vec<Held>,
    /// Octets of the replies that handlers at work may still give.
    octets_to_come: usize,
    is_shutting_down: bool,
    /// Its handlers were not waited for.
    is_cut_short: bool,
    /// Programs that have ended, whose handlers run on.
    retired: Vec<Retired>,
}

#[derive(Debug)]
struct Handler {
    call: u32,
    seen: usize,
    correlation_id: ShortStr,
    pending: Pending,
    answer: Answered,
    reply: Bytes,
}

#[derive(Debug)]
struct Held {
    correlation_id: ShortStr,
    /// How often a reply to that request had been sent before.
    sent_before: u32,
    /// How often the connection had been lost before.
    disconnects: u64,
}

#[derive(Debug)]
struct Retired {
    driver: Driver<Responder>,
    running: BTreeMap<u64, Handler>,
}

/// How long a server that shuts down waits for its handlers.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);

impl Server {
    /// Nobody is there yet.
    pub fn new(index: usize) -> Self {
        Self {
            process: Process { actor: Actor::Server(index), incarnation: 0 },
            driver: None,
            beginning: None,
            running: BTreeMap::new(),
            handlers: 0,
            held: Vec::new(),
            octets_to_come: 0,
            is_shutting_down: false,
            is_cut_short: false,
            retired: Vec::new(),
        }
    }

    fn index(&self) -> usize {
        match self.process.actor {
            Actor::Client(index) | Actor::Server(index) => index,
        }
    }

    /// Whether it serves all its queues.
    pub fn is_ready(&self) -> bool {
        self.driver.as_ref().is_some_and(|driver| driver.engine.readiness().is_ready())
    }

    /// Whether its user has closed it, and it has not ended.
    pub fn is_closing(&self) -> bool {
        self.is_shutting_down
    }

    /// Whether a queue was refused so often that it is left alone for a long time.
    pub fn rests(&self) -> bool {
        self.driver.as_ref().is_some_and(|driver| {
            let stats = driver.engine.stats();
            stats.channels_closed > 0 && stats.channels_closed + stats.cancelled_by_broker > 2
        })
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
        let plan = &stage.plan.servers[self.index()];
        let queues: Vec<QueueOptions> = plan
            .queues
            .iter()
            .map(|queue| &stage.plan.queues[*queue])
            .map(|queue| QueueOptions {
                durable: queue.durable,
                prefetch: plan.prefetch,
                ..QueueOptions::new(queue.name.clone())
            })
            .collect();
        let settings = reconnecting(&stage.plan, stage.random.number());
        let max_reply_size = stage.plan.max_message_size as usize;
        let engine = Responder::new(config(&stage.plan), queues, max_reply_size, stage.now)
            .with_reconnect(settings, attempt.address);
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
        let Some(driver) = &mut self.driver else { return };
        // Later on, it is not ready whenever a queue is not.
        if driver.engine.stats().requests == 0 && driver.engine.readiness().is_pending() {
            stage.tell(|| format!("{} is given up", self.process));
            driver.abort(stage);
            self.run(stage);
        }
    }

    fn begin_later(&self, stage: &mut Stage) {
        let pause = if stage.is_over { 10 } else { 500 };
        let pause = stage.random.milliseconds(1..=pause);
        stage.agenda.at(stage.now.after(pause), Event::Begin(self.process.actor));
    }

    // ------------------------------------------------------------------ what its user does

    /// It takes no more requests, and closes when all are answered.
    pub fn shut_down(&mut self, stage: &mut Stage) {
        let Some(driver) = &mut self.driver else { return };
        if self.is_shutting_down {
            return;
        }
        self.is_shutting_down = true;
        stage.tell(|| format!("{} shuts down", self.process));
        driver.engine.shutdown(stage.now);
        driver.wake();
        let limit = stage.now.after(SHUTDOWN_TIMEOUT);
        stage.agenda.at(limit, Event::ShutdownOver(self.process));
        self.run(stage);
    }

    /// It is closed at once.
    pub fn close(&mut self, stage: &mut Stage) {
        let Some(driver) = &mut self.driver else { return };
        stage.tell(|| format!("{} is closed", self.process));
        if let Some(line) = driver.line() {
            stage.network.trouble(line);
        }
        self.is_shutting_down = true;
        self.is_cut_short = true;
        driver.engine.close(stage.now);
        driver.wake();
        // What runs is aborted, and never answered.
        self.running.clear();
        self.run(stage);
    }

    /// Its process is killed.
    pub fn kill(&mut self, stage: &mut Stage) {
        self.beginning = None;
        if let Some(mut driver) = self.driver.take() {
            stage.tell(|| format!("{} is killed", self.process));
            driver.kill(stage);
        }
        self.retired.clear();
        self.forget();
        self.begin_later(stage);
    }

    fn forget(&mut self) {
        self.running.clear();
        self.held.clear();
        self.octets_to_come = 0;
        self.is_shutting_down = false;
        self.is_cut_short = false;
    }

    // ------------------------------------------------------------------ turns

    /// Everything that can be done now.
    pub fn run(&mut self, stage: &mut Stage) {
        let mut works = Vec::new();
        let Some(driver) = &mut self.driver else { return };
        driver.run(stage, &mut works);
        for arrived in works {
            self.handle(stage, arrived);
        }
        let Some(driver) = &self.driver else { return };
        let largest = stage.plan.max_message_size as usize;
        let limit = MAX_UNSENT + largest + self.octets_to_come + 200 * self.running.len();
        let unsent = driver.engine.connection().transmit_len();
        stage.check(unsent <= limit, || format!("{unsent} octets wait to be sent"));
        if driver.engine.is_finished() {
            self.check_end(stage);
        }
    }

    fn check_end(&mut self, stage: &mut Stage) {
        let process = self.process;
        let Some(driver) = self.driver.take() else { return };
        let result = driver.engine.end_result();
        stage.tell(|| format!("{process} has ended: {result:?}"));
        stage.check(result.is_ready(), || format!("{process} has ended without a result"));
        stage.check(driver.engine.poll_timeout().is_none(), || {
            format!("{process} has ended, and its timers go on")
        });
        let running = core::mem::take(&mut self.running);
        let stats = driver.engine.stats();
        let was_in_order = result == Poll::Ready(Ok(())) && !self.is_cut_short;
        stage.check(!was_in_order || (running.is_empty() && stats.unsent == 0), || {
            format!("{process} has ended in good order, and owes replies: {stats:?}")
        });
        if !running.is_empty() {
            self.retired.push(Retired { driver, running });
        }
        self.forget();
        if !stage.is_ending {
            self.begin_later(stage);
        }
    }

    /// What was held has been sent, unless the connection was lost another time.
    pub fn check_held(&mut self, stage: &mut Stage) {
        let Some(driver) = &self.driver else { return };
        let stats = driver.engine.stats();
        let nothing_is_left = stats.running == 0 && stats.held == 0;
        stage
            .check(nothing_is_left, || format!("something is left of {}: {stats:?}", self.process));
        for Held { correlation_id, sent_before, disconnects } in core::mem::take(&mut self.held) {
            let is_sent = stage.wire.replies(self.process, &correlation_id) > sent_before;
            stage.check(is_sent || stats.disconnects > disconnects, || {
                format!("{} has not sent the reply {correlation_id} that it held", self.process)
            });
        }
    }
}

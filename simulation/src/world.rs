//! [`World`]: clients, servers, the broker and the network between them, in virtual time.

mod events;
mod steps;

use std::time::Duration;

use leveret::Instant;

use crate::agenda::{Actor, Agenda, Event};
use crate::broker::{Broker, UNSERVED};
use crate::client::{Client, check_rest};
use crate::ledger::Ledger;
use crate::network::Network;
use crate::plan::{CallPlan, Plan, QueuePlan, Target};
use crate::random::Random;
use crate::server::Server;
use crate::stage::Stage;
use crate::trace::Trace;
use crate::wire::Wire;

/// Everything in a run.
#[derive(Debug)]
pub struct World {
    stage: Stage,
    broker: Broker,
    clients: Vec<Client>,
    servers: Vec<Server>,
}

/// When runs begin. Not zero, so that a forgotten clock shows.
const START: Instant = Instant::from_start(Duration::from_secs(1000));

/// How long it takes after the last trouble until everybody is connected.
const RECOVERY: Duration = Duration::from_secs(2);

/// How long a call may take then.
const PROMPT: Duration = Duration::from_secs(2);

/// Octets of a request that the broker is not known to take, and takes.
const LARGE: usize = 0x2_1000;

/// More events than this are a run that never ends.
const MAX_EVENTS: u64 = 2_000_000;

impl World {
    /// The world of a seed, before anything has happened.
    pub fn new(seed: u64, trace: Trace) -> Self {
        let mut random = Random::new(seed);
        let plan = Plan::new(&mut random);
        let stage = Stage {
            now: START,
            agenda: Agenda::default(),
            network: Network::new(plan.network.clone()),
            wire: Wire::default(),
            ledger: Ledger::default(),
            farewells: std::collections::BTreeMap::new(),
            trace,
            absent_at: vec![START; plan.queues.len()],
            is_over: false,
            is_ending: false,
            random,
            plan,
        };
        let broker = Broker::new(&stage);
        let clients = (0..stage.plan.clients.len()).map(Client::new).collect();
        let servers = (0..stage.plan.servers.len()).map(Server::new).collect();
        Self { stage, broker, clients, servers }
    }

    /// The whole run, from the first connection to the last. What is wrong, if anything is.
    pub fn run(mut self) -> (Option<(Instant, String)>, Report) {
        let plan = self.stage.plan.clone();
        self.stage.tell(|| format!("{plan:#?}"));
        for (index, (after, _)) in plan.steps.iter().enumerate() {
            self.stage.agenda.at(START.after(*after), Event::Step(index));
        }
        for actor in self.actors() {
            let pause = self.stage.random.milliseconds(0..=50);
            self.stage.agenda.at(START.after(pause), Event::Begin(actor));
        }
        let mut report = Report::default();
        self.play(START.after(plan.calm_at), &mut report);
        self.calm_down();
        for phase in [Self::recover, Self::probe, Self::end] {
            if !self.is_violated() {
                phase(&mut self, &mut report);
            }
        }
        report.calls = self.stage.ledger.len() as u64;
        report.virtual_time = self.stage.now.since(START);
        (self.stage.ledger.violation().cloned(), report)
    }

    fn actors(&self) -> Vec<Actor> {
        let clients = (0..self.clients.len()).map(Actor::Client);
        clients.chain((0..self.servers.len()).map(Actor::Server)).collect()
    }

    fn is_violated(&self) -> bool {
        self.stage.ledger.violation().is_some()
    }

    // ------------------------------------------------------------------ phases

    /// Everything happens that is to happen until then.
    fn play(&mut self, until: Instant, report: &mut Report) {
        while !self.is_violated()
            && self.stage.agenda.next_time().is_some_and(|time| time <= until)
            && let Some((time, event)) = self.stage.agenda.pop()
        {
            self.stage.now = time;
            self.happen(event);
            report.events += 1;
            self.stage.check(report.events < MAX_EVENTS, || "the run never ends".into());
        }
        self.stage.now = until.max(self.stage.now);
    }

    /// Everything happens until this holds, or that time has come.
    fn play_until(
        &mut self,
        limit: Instant,
        report: &mut Report,
        holds: impl Fn(&mut Self) -> bool,
    ) -> bool {
        while !self.is_violated() && !holds(self) {
            match self.stage.agenda.next_time() {
                Some(time) if time <= limit => self.play(time, report),
                _ => return false,
            }
        }
        true
    }

    /// Nothing goes wrong any more.
    fn calm_down(&mut self) {
        let stage = &mut self.stage;
        stage.tell(|| "from now on, nothing goes wrong".into());
        stage.is_over = true;
        stage.network.calm_down(stage.now, &mut stage.random, &mut stage.agenda);
        self.broker.power_on(&self.stage);
        self.broker.clear_alarm(&mut self.stage);
        for actor in self.actors() {
            self.begin(actor);
        }
    }

    /// Everybody is connected again in short time, and then all calls end.
    fn recover(&mut self, report: &mut Report) {
        let slowest = self.stage.network.slowest();
        let limit = self.stage.now.after(RECOVERY).after(slowest * 40);
        // What the others are still to hear of is on its way.
        self.play(self.stage.now.after(slowest * 2), report);
        let is_back = self.play_until(limit, report, |world| {
            let is_back = |client: &Client| client.is_closing() || client.is_connected();
            let serves =
                |server: &Server| server.is_closing() || server.is_ready() || server.rests();
            world.clients.iter().all(is_back) && world.servers.iter().all(serves)
        });
        self.stage.check(is_back, || "not everybody is back in time".into());
        let limit = self.stage.now.after(Duration::from_secs(60));
        for _ in 0..2 {
            let is_settled = self.play_until(limit, report, |world| {
                world.is_at_rest() && world.stage.ledger.is_settled() && world.is_empty()
            });
            self.stage.check(is_settled, || "something goes on without end".into());
            // The request of a call that was dropped may still be on its way.
            self.play(self.stage.now.after(slowest * 4), report);
        }
        let is_at_rest = self.is_at_rest();
        self.stage.check(is_at_rest, || "something begins anew".into());
        for client in &self.clients {
            if let Some(driver) = &client.driver {
                check_rest(&mut self.stage, &driver.engine);
            }
        }
        for server in &mut self.servers {
            server.check_held(&mut self.stage);
        }
    }

    /// Whether everybody is there, and no handler is at work.
    fn is_at_rest(&self) -> bool {
        let rests = |server: &Server| {
            let driver = server.driver.as_ref();
            !server.is_closing()
                && server.is_ready()
                && driver.is_some_and(|driver| driver.engine.stats().running == 0)
        };
        let plan = &self.stage.plan;
        let is_served = |index: usize, queue: &QueuePlan| {
            let servers = plan.servers.iter().filter(|server| server.queues.contains(&index));
            self.broker.consumers(&queue.name) == Some(servers.count())
        };
        let mut queues = plan.queues.iter().enumerate();
        let is_back = |client: &Client| !client.is_closing() && client.is_connected();
        self.clients.iter().all(is_back)
            && self.servers.iter().all(rests)
            && queues.all(|(index, queue)| is_served(index, queue))
    }

    /// Whether the broker holds nothing that anybody serves.
    fn is_empty(&mut self) -> bool {
        let Some(node) = self.broker.node() else { return false };
        self.stage.plan.queues.iter().all(|queue| {
            let stats = node.queue_stats(&queue.name).unwrap_or_default();
            stats.ready == 0 && stats.unacknowledged == 0
        })
    }

    /// Every client calls every queue, in each of the ways that there are, and gets its replies at once.
    fn probe(&mut self, report: &mut Report) {
        // On a channel that it is lent, on its own, on that which all share.
        for (size, own_channel) in [(LARGE, false), (10, true), (10, false)] {
            let first = self.stage.ledger.len() as u32;
            for client in 0..self.clients.len() {
                for queue in 0..self.stage.plan.queues.len() {
                    let plan = CallPlan {
                        client,
                        target: Target::Queue(queue),
                        timeout: PROMPT,
                        size,
                        reply_size: 10,
                        retry: leveret::Retry::Never,
                        own_channel,
                        drop_after: None,
                    };
                    self.clients[client].call(&mut self.stage, plan);
                    if self.stage.plan.clients[client].fails_when_busy {
                        // One at a time.
                        self.settle(report);
                    }
                }
            }
            self.settle(report);
            for number in first..self.stage.ledger.len() as u32 {
                let end = self.stage.ledger.call(number).end;
                let is_answered = end == Some(leveret::Outcome::Executed);
                self.stage.check(is_answered, || {
                    format!("call {number} was to succeed, now that nothing goes wrong: {end:?}")
                });
            }
        }
    }

    fn settle(&mut self, report: &mut Report) {
        let limit = self.stage.now.after(PROMPT);
        self.play_until(limit, report, |world| world.stage.ledger.is_settled());
    }

    /// Everybody goes, and nothing is left.
    fn end(&mut self, report: &mut Report) {
        self.stage.is_ending = true;
        for client in &mut self.clients {
            match self.stage.random.chance(50) {
                true => client.close(&mut self.stage),
                false => client.drain(&mut self.stage),
            }
        }
        for server in &mut self.servers {
            server.shut_down(&mut self.stage);
        }
        let limit = self.stage.now.after(Duration::from_secs(3));
        let is_over = self.play_until(limit, report, |world| {
            world.clients.iter().all(|client| client.driver.is_none())
                && world.servers.iter().all(|server| server.driver.is_none())
        });
        self.stage.check(is_over, || "not everybody has ended in time".into());
        let limit = self.stage.now.after(Duration::from_secs(3));
        let is_over = self.play_until(limit, report, |world| world.broker.lines().is_empty());
        self.stage.check(is_over, || "not every connection has ended in time".into());
        let is_empty = self.is_empty();
        self.stage.check(is_empty, || "the broker still holds something".into());
        let ready = self.broker.node().and_then(|node| node.queue_stats(&UNSERVED));
        let unacknowledged = ready.unwrap_or_default().unacknowledged;
        self.stage.check(unacknowledged == 0, || "somebody has what nobody serves".into());
    }
}

/// What a run has come to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Report {
    /// Events.
    pub events: u64,
    /// Calls.
    pub calls: u64,
    /// How long it took in there.
    pub virtual_time: Duration,
}

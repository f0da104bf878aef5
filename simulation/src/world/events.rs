//! What happens when its time has come.

use super::World;
use crate::agenda::{Actor, Attempt, Event, Process};
use crate::network::{LineId, Side};

impl World {
    pub(super) fn happen(&mut self, event: Event) {
        match event {
            Event::Step(index) => {
                let (_, step) = self.stage.plan.steps[index].clone();
                self.step(step);
            }
            Event::Arrival(_, Side::Broker) | Event::Room(_, Side::Broker) | Event::BrokerTimer => {
                self.broker.run(&mut self.stage);
            }
            Event::Arrival(line, Side::Engine) => {
                self.turn(self.stage.network.owner(line));
            }
            Event::Room(line, Side::Engine) => match self.stage.farewells.contains_key(&line) {
                true => self.stage.bid_farewell(line),
                false => self.turn(self.stage.network.owner(line)),
            },
            Event::Timer(process) => self.turn(process),
            Event::Knock(attempt) => self.knock(attempt),
            Event::Reached(attempt, line) => self.reached(attempt, line),
            Event::Unreachable(attempt, in_vain) => {
                let reason = if in_vain { "no answer in time" } else { "connection refused" };
                let stage = &mut self.stage;
                match attempt.process.actor {
                    Actor::Client(index) => {
                        self.clients[index].unreachable(stage, attempt, reason);
                    }
                    Actor::Server(index) => {
                        self.servers[index].unreachable(stage, attempt, reason);
                    }
                }
            }
            Event::Begin(actor) => self.begin(actor),
            Event::GiveUp(process) => match process.actor {
                Actor::Client(index) if self.clients[index].process == process => {
                    self.clients[index].give_up(&mut self.stage);
                }
                Actor::Server(index) if self.servers[index].process == process => {
                    self.servers[index].give_up(&mut self.stage);
                }
                _ => {}
            },
            Event::ShutdownOver(process) => {
                if let Actor::Server(index) = process.actor
                    && self.servers[index].process == process
                {
                    self.servers[index].close(&mut self.stage);
                }
            }
            Event::HandlerDone(process, number) => {
                if let Actor::Server(index) = process.actor {
                    self.servers[index].handler_done(&mut self.stage, process, number);
                }
            }
            Event::Dropped(number) => {
                let client = self.caller(number);
                self.clients[client].drop_call(&mut self.stage, number);
            }
            Event::Due(number) => {
                let client = self.caller(number);
                self.clients[client].check_due(&mut self.stage, number);
            }
            Event::FarewellOver(line) => self.stage.end_farewell(line),
            Event::PowerOn => {
                self.stage.tell(|| "the broker is back".into());
                self.broker.power_on(&self.stage);
            }
            Event::PowerOff => {
                if !self.stage.is_over {
                    self.stage.tell(|| "the broker goes".into());
                    self.broker.power_off(&mut self.stage);
                }
            }
            Event::AlarmOver => self.broker.clear_alarm(&mut self.stage),
        }
    }

    fn caller(&mut self, number: u32) -> usize {
        let (Actor::Client(index) | Actor::Server(index)) =
            self.stage.ledger.call(number).process.actor;
        index
    }

    /// Everything that a process can do now.
    fn turn(&mut self, process: Process) {
        match process.actor {
            Actor::Client(index) if self.clients[index].process == process => {
                self.clients[index].run(&mut self.stage);
            }
            Actor::Server(index) if self.servers[index].process == process => {
                self.servers[index].run(&mut self.stage);
            }
            _ => {}
        }
    }

    pub(super) fn begin(&mut self, actor: Actor) {
        if self.stage.is_ending {
            return;
        }
        match actor {
            Actor::Client(index) => self.clients[index].begin(&mut self.stage),
            Actor::Server(index) => self.servers[index].begin(&mut self.stage),
        }
    }

    /// Somebody comes to where the broker should be.
    fn knock(&mut self, attempt: Attempt) {
        let latency = self.stage.network.latency(&mut self.stage.random);
        let then = self.stage.now.after(latency);
        if attempt.address != self.stage.plan.live_address || !self.broker.is_up() {
            return self.stage.agenda.at(then, Event::Unreachable(attempt, false));
        }
        let line = self.stage.network.open(attempt.process);
        self.broker.accept(&mut self.stage, line);
        self.stage.agenda.at(then, Event::Reached(attempt, line));
    }

    fn reached(&mut self, attempt: Attempt, line: LineId) {
        let stage = &mut self.stage;
        let is_wanted = match attempt.process.actor {
            Actor::Client(index) => self.clients[index].reached(stage, attempt, line),
            Actor::Server(index) => self.servers[index].reached(stage, attempt, line),
        };
        if !is_wanted {
            self.stage.close(line, Side::Engine);
        }
    }
}

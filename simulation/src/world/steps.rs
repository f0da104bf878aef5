//! What the plan has in store.

use super::World;
use crate::agenda::{Actor, Event};
use crate::network::LineId;
use crate::plan::Step;

impl World {
    pub(super) fn step(&mut self, step: Step) {
        let stage = &mut self.stage;
        if !matches!(step, Step::Call(_)) {
            stage.tell(|| format!("{step:?}"));
        }
        match step {
            Step::Call(plan) => self.clients[plan.client].call(stage, plan),
            Step::Cut(whom, how) => {
                if let Some(line) = self.a_line(whom) {
                    let stage = &mut self.stage;
                    stage.network.cut(stage.now, line, how, &mut stage.random, &mut stage.agenda);
                }
            }
            Step::Stall(whom, side, time) => {
                if let Some(line) = self.a_line(whom) {
                    let stage = &mut self.stage;
                    let until = stage.now.after(time);
                    stage.network.stall((line, side), until, &mut stage.agenda);
                }
            }
            Step::Restart(in_order, time) => {
                let mut off = stage.now;
                if in_order {
                    self.broker.power_off_in_order(stage);
                    off = off.after(stage.random.milliseconds(0..=100));
                }
                stage.agenda.at(off, Event::PowerOff);
                stage.agenda.at(off.after(time), Event::PowerOn);
            }
            Step::Alarm(time) => {
                self.broker.set_alarm(stage);
                stage.agenda.at(stage.now.after(time), Event::AlarmOver);
            }
            Step::CancelConsumers(queue) => {
                let name = stage.plan.queues[queue].name.clone();
                self.broker.cancel_consumers(stage, &name);
            }
            Step::DeleteQueue(queue) => {
                let name = stage.plan.queues[queue].name.clone();
                self.broker.delete_queue(stage, &name);
            }
            Step::CloseConnection(whom) => {
                if let Some(line) = self.a_line(whom) {
                    self.broker.close_connection(&mut self.stage, line);
                }
            }
            Step::CloseChannel(whom, number) => self.close_channel(whom, number),
            Step::CloseClient(client) => self.clients[client].close(stage),
            Step::DrainClient(client) => self.clients[client].drain(stage),
            Step::AbortClient(client) => self.clients[client].abort(stage),
            Step::ShutDown(server) => self.servers[server].shut_down(stage),
            Step::CloseServer(server) => self.servers[server].close(stage),
            Step::KillServer(server) => self.servers[server].kill(stage),
        }
    }

    fn close_channel(&mut self, whom: usize, number: u16) {
        let Some(line) = self.a_line(whom) else { return };
        if self.broker.close_channel(&mut self.stage, line, number) {
            let process = self.stage.network.owner(line);
            if let Actor::Client(index) = process.actor
                && self.clients[index].process == process
            {
                self.clients[index].lose_channel();
            }
        }
    }

    /// One of the lines to the broker.
    fn a_line(&self, whom: usize) -> Option<LineId> {
        let lines = self.broker.lines();
        (!lines.is_empty()).then(|| lines[whom % lines.len()])
    }
}

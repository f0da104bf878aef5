//! The handlers of a server: begun, and answered some time later.

use leveret::responder::{Answer, Arrived, Responder};
use leveret::{Fault, Reply};

use super::{Handler, Held, Server};
use crate::agenda::{Event, Process};
use crate::driver::Driver;
use crate::ledger::{Answered, Seen};
use crate::requests;
use crate::stage::Stage;

impl Server {
    pub(super) fn handle(&mut self, stage: &mut Stage, arrived: Arrived) {
        let Arrived { request, deadline, pending, .. } = arrived;
        let process = self.process;
        let is_in_time = deadline.is_none_or(|deadline| deadline > stage.now);
        stage.check(is_in_time, || format!("{process} runs what has expired"));
        let line = self.driver.as_ref().and_then(Driver::line);
        let redelivered = request.redelivered;
        let seen = Seen { at: stage.now, process, line, redelivered, answer: None };
        let network = &stage.network;
        let is_troubled = |line| network.is_troubled(line);
        let call = match stage.ledger.seen(&request.body, seen, is_troubled) {
            Ok(call) => call,
            Err(violation) => return stage.violate(violation),
        };
        let again = if redelivered { ", again" } else { "" };
        stage.tell(|| format!("{process} runs call {call}{again}"));
        let Some(reply) = requests::reply(&request.body) else { return };
        let answer = match stage.random.below(100) {
            _ if reply.len() as u64 > stage.plan.max_message_size => Answered::TooLarge,
            0..6 if !stage.is_over => Answered::Fault,
            6..10 if !stage.is_over => Answered::Panic,
            _ => Answered::Reply,
        };
        let correlation_id = request.properties.correlation_id.clone().unwrap_or_default();
        let seen = stage.ledger.call(call).seen.len() - 1;
        self.octets_to_come += reply.len();
        self.handlers += 1;
        let handler = Handler { call, seen, correlation_id, pending, answer, reply };
        self.running.insert(self.handlers, handler);
        let (usual, slow) = stage.plan.handling;
        let time = match stage.random.chance(slow) {
            true if !stage.is_over => stage.random.milliseconds(0..=5_000),
            _ => stage.random.milliseconds(0..=if stage.is_over { 5 } else { usual }),
        };
        let done = Event::HandlerDone(process, self.handlers);
        stage.agenda.at(stage.now.after(time), done);
    }

    /// A handler has finished, in this program or in one that has ended.
    pub fn handler_done(&mut self, stage: &mut Stage, process: Process, number: u64) {
        if process == self.process
            && let Some(driver) = &mut self.driver
        {
            let Some(handler) = self.running.remove(&number) else { return };
            self.octets_to_come -= handler.reply.len();
            let sent_before = stage.wire.replies(process, &handler.correlation_id);
            let correlation_id = handler.correlation_id.clone();
            let before = driver.engine.stats();
            answer(stage, driver, handler);
            let after = driver.engine.stats();
            if after.held > before.held {
                let disconnects = after.disconnects;
                self.held.push(Held { correlation_id, sent_before, disconnects });
            }
            if !stage.is_late(process) {
                self.run(stage);
            }
            return;
        }
        let mut retired = self.retired.iter_mut();
        let Some(retired) = retired.find(|retired| retired.driver.process == process) else {
            return;
        };
        if let Some(handler) = retired.running.remove(&number) {
            answer(stage, &mut retired.driver, handler);
        }
        if retired.running.is_empty() {
            let stats = retired.driver.engine.stats();
            let nothing_is_left = stats.running == 0 && stats.held == 0;
            stage.check(nothing_is_left, || format!("something is left of {process}: {stats:?}"));
            self.retired.retain(|retired| retired.driver.process != process);
        }
    }
}

fn answer(stage: &mut Stage, driver: &mut Driver<Responder>, handler: Handler) {
    let Handler { call, seen, pending, answer, reply, .. } = handler;
    stage.tell(|| format!("{} answers call {call}: {answer:?}", driver.process));
    stage.ledger.call(call).seen[seen].answer = Some(answer);
    let answer = match answer {
        Answered::Reply | Answered::TooLarge => Answer::Reply(Reply::new(reply)),
        Answered::Fault => Answer::Fault(Fault::new("refused", "by chance").with_body(reply)),
        Answered::Panic => Answer::Panic("by chance".into()),
    };
    driver.engine.answer(stage.now, pending, answer);
    driver.wake();
}

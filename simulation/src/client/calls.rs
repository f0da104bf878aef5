//! The calls of a client: made, polled, ended, dropped.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use leveret::requester::Outgoing;
use leveret::{BasicProperties, CallError, Reply};
use leveret_codec::ShortStr;

use super::Client;
use crate::agenda::Event;
use crate::broker::UNSERVED;
use crate::ledger::{Circumstances, shown};
use crate::plan::{CallPlan, Plan, Target};
use crate::requests;
use crate::stage::Stage;

impl Client {
    /// A call is made, if anybody is there to make it.
    pub fn call(&mut self, stage: &mut Stage, plan: CallPlan) {
        let Some(driver) = &mut self.driver else { return };
        let number = stage.ledger.len() as u32;
        let (exchange, routing_key) = destination(&stage.plan, plan.target);
        let foreign = matches!(plan.target, Target::ForeignUser(_));
        let outgoing = Outgoing {
            exchange,
            routing_key,
            properties: BasicProperties {
                user_id: foreign.then_some(ShortStr::from_static("somebody")),
                ..BasicProperties::default()
            }
            .into(),
            body: requests::request(number, plan.size, plan.reply_size),
            own_channel: plan.own_channel,
            retry: plan.retry,
        };
        stage.tell(|| format!("{} makes call {number}: {plan:?}", self.process));
        let timeout = plan.timeout;
        match driver.engine.request(stage.now, outgoing, timeout) {
            Ok(id) => {
                stage.ledger.add(self.process, plan.clone(), Some(id), stage.now);
                self.open.push(number);
                stage.agenda.at(stage.now.after(timeout), Event::Due(number));
                if let Some(after) = plan.drop_after {
                    stage.agenda.at(stage.now.after(after), Event::Dropped(number));
                }
                self.ask(stage, number);
            }
            Err(error) => {
                stage.ledger.add(self.process, plan, None, stage.now);
                self.end(stage, number, &Err(error));
            }
        }
        self.run_soon(stage);
    }

    /// The future of a call is polled.
    pub(super) fn ask(&mut self, stage: &mut Stage, number: u32) {
        let Some(driver) = &mut self.driver else { return };
        let call = stage.ledger.call(number);
        let waker = Waker::from(Arc::clone(&call.bell));
        let Some(id) = call.id else { return };
        let answer = driver.engine.poll_call(id, &mut Context::from_waker(&waker));
        drop(driver.engine.take_discarded());
        if let Poll::Ready(result) = answer {
            self.open.retain(|open| *open != number);
            self.end(stage, number, &result);
            // A future that is polled again after its end stays where it is.
            let Some(driver) = &mut self.driver else { return };
            let again = driver.engine.poll_call(id, &mut Context::from_waker(Waker::noop()));
            stage.check(again.is_pending(), || format!("call {number} ends twice"));
        }
    }

    fn end(&mut self, stage: &mut Stage, number: u32, result: &Result<Reply, CallError>) {
        stage.tell(|| format!("call {number} ends: {}", shown(result)));
        let circumstances = self.circumstances(stage, number);
        if let Err(violation) = stage.ledger.end(stage.now, number, result, circumstances) {
            stage.violate(violation);
        }
    }

    fn circumstances(&self, stage: &mut Stage, number: u32) -> Circumstances {
        let made = stage.ledger.call(number).made;
        let queue_was_absent = stage.is_absent_since(number, made);
        let plan = &stage.plan.clients[self.index()];
        Circumstances {
            was_down: self
                .driver
                .as_ref()
                .is_none_or(|driver| driver.down_at >= made || !driver.is_connected()),
            lost_channel: self.has_lost_channel,
            was_closed: self.is_closing,
            queue_was_absent,
            is_calm: stage.plan.is_calm,
            fails_when_busy: plan.fails_when_busy,
            max_size: plan.max_body_size.min(stage.plan.max_message_size),
            has_few_channels: stage.plan.channel_max < 100,
        }
    }

    /// A caller loses interest.
    pub fn drop_call(&mut self, stage: &mut Stage, number: u32) {
        let Some(driver) = &mut self.driver else { return };
        let call = stage.ledger.call(number);
        if call.end.is_some() || call.process != self.process {
            return;
        }
        call.is_dropped = true;
        call.id.into_iter().for_each(|id| driver.engine.cancel(id));
        drop(driver.engine.take_discarded());
        self.open.retain(|open| *open != number);
        stage.tell(|| format!("call {number} is dropped"));
        self.run_soon(stage);
    }

    /// The deadline of a call: it has ended, and its future was woken.
    pub fn check_due(&mut self, stage: &mut Stage, number: u32) {
        self.run(stage);
        let call = stage.ledger.call(number);
        let is_over = call.end.is_some() || call.is_dropped;
        stage.check(is_over, || format!("call {number} has not ended by its deadline"));
    }
}

fn destination(plan: &Plan, target: Target) -> (ShortStr, ShortStr) {
    let name = |queue: usize| plan.queues[queue].name.clone();
    match target {
        Target::Queue(queue) | Target::ForeignUser(queue) => (ShortStr::EMPTY, name(queue)),
        Target::Unserved => (ShortStr::EMPTY, UNSERVED),
        Target::Nowhere => (ShortStr::EMPTY, ShortStr::from_static("nowhere")),
        Target::NoExchange => (ShortStr::from_static("missing"), name(0)),
    }
}

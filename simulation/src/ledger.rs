//! [`Ledger`]: every call, what came of it, and whether that is what it should have come to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;

use bytes::Bytes;
use leveret::requester::{CallId, Retry};
use leveret::{CallError, Fault, Instant, InvalidRequest, Outcome, Reply};

use crate::agenda::Process;
use crate::network::LineId;
use crate::plan::{CallPlan, Target};
use crate::requests;

/// All calls of a run, by their numbers.
#[derive(Debug, Default)]
pub struct Ledger {
    calls: Vec<Call>,
    violation: Option<(Instant, String)>,
}

/// A call.
#[derive(Debug)]
pub struct Call {
    /// Who made it.
    pub process: Process,
    /// What was planned.
    pub plan: CallPlan,
    /// What its engine knows it by.
    pub id: Option<CallId>,
    /// When it was made.
    pub made: Instant,
    /// When it has to have ended.
    pub deadline: Instant,
    /// Whether its caller is woken.
    pub bell: Arc<Bell>,
    /// How it ended.
    pub end: Option<Outcome>,
    /// It was dropped by its caller.
    pub is_dropped: bool,
    /// How often its request went to the driver.
    pub transmitted: u32,
    /// The handlers that saw it.
    pub seen: Vec<Seen>,
    /// How it has failed that is never sent.
    is_unsent: bool,
}

/// A request in the hands of a handler.
#[derive(Debug, Clone)]
pub struct Seen {
    /// When.
    pub at: Instant,
    /// Whose handler.
    pub process: Process,
    /// The line that it came on.
    pub line: Option<LineId>,
    /// Whether it was said to have been delivered before.
    pub redelivered: bool,
    /// What the handler answered.
    pub answer: Option<Answered>,
}

/// What a handler answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// The reply.
    Reply,
    /// A fault.
    Fault,
    /// Nothing: it panics.
    Panic,
    /// A reply that is larger than the server may send.
    TooLarge,
}

/// Rings when a call's waker is woken.
#[derive(Debug, Default)]
pub struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Bell {
    /// Whether it has rung.
    pub fn has_rung(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What happened while a call was under way.
#[derive(Debug, Clone, Copy, Default)]
pub struct Circumstances {
    /// Its client was not connected for a time.
    pub was_down: bool,
    /// The broker closed a channel of its client.
    pub lost_channel: bool,
    /// Its client was closed by its user.
    pub was_closed: bool,
    /// Its queue was not there for a time.
    pub queue_was_absent: bool,
    /// Nothing goes wrong in this run.
    pub is_calm: bool,
    /// Calls beyond the limit fail.
    pub fails_when_busy: bool,
    /// The largest request that client and broker take.
    pub max_size: u64,
    /// The channels of a connection are few.
    pub has_few_channels: bool,
}

impl Ledger {
    /// Something is as it should never be. The first such thing counts.
    pub fn violate(&mut self, now: Instant, what: String) {
        self.violation.get_or_insert((now, what));
    }

    /// What was wrong first, and when.
    pub fn violation(&self) -> Option<&(Instant, String)> {
        self.violation.as_ref()
    }

    /// How many calls there are.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Whether all have ended.
    pub fn is_settled(&self) -> bool {
        self.calls.iter().all(|call| call.end.is_some() || call.is_dropped)
    }

    /// The call of that number.
    pub fn call(&mut self, number: u32) -> &mut Call {
        &mut self.calls[number as usize]
    }

    /// A call is made.
    pub fn add(&mut self, process: Process, plan: CallPlan, id: Option<CallId>, now: Instant) {
        let deadline = now.after(plan.timeout);
        self.calls.push(Call {
            process,
            plan,
            id,
            made: now,
            deadline,
            bell: Arc::default(),
            end: None,
            is_dropped: false,
            transmitted: 0,
            seen: Vec::new(),
            is_unsent: false,
        });
    }

    /// A request went to the driver of its client, behind what had been there since `empty_at`.
    pub fn transmitted(
        &mut self,
        now: Instant,
        number: u32,
        expiration: Option<u64>,
        empty_at: Instant,
    ) -> Option<String> {
        let call = self.calls.get_mut(number as usize)?;
        call.transmitted += 1;
        if call.is_unsent {
            return Some(format!("call {number} is sent, and its caller was told that it was not"));
        }
        if call.transmitted > 1 && call.plan.retry != Retry::Unknown {
            return Some(format!("call {number} is sent twice, with {:?}", call.plan.retry));
        }
        let left = call.deadline.since(empty_at.max(call.made)).as_millis().max(1);
        match expiration {
            Some(time) if u128::from(time) <= left => None,
            _ => Some(format!(
                "call {number} is kept by the broker for {expiration:?} ms, and its caller waits \
                 for {} ms more at {:?}",
                left,
                now.since_start()
            )),
        }
    }

    /// A handler sees a request. What is wrong with that, if anything is.
    pub fn seen(
        &mut self,
        body: &Bytes,
        seen: Seen,
        is_troubled: impl Fn(LineId) -> bool,
    ) -> Result<u32, String> {
        let number = requests::number(body).ok_or("a request of nobody")?;
        let call = self.calls.get_mut(number as usize).ok_or("a request of nobody")?;
        if *body != requests::request(number, call.plan.size, call.plan.reply_size) {
            return Err(format!("the request of call {number} has changed on its way"));
        }
        let is_sent_again = call.plan.retry == Retry::Unknown && call.transmitted > 1;
        // The broker delivers a request again when it has lost the channel of the first delivery. Of
        // both, either can be the first to come to a handler.
        let all = || call.seen.iter().chain([&seen]);
        let firsts = all().filter(|seen| !seen.redelivered).count();
        let sound = all().filter(|seen| seen.line.is_some_and(|line| !is_troubled(line))).count();
        if firsts > 1 && !is_sent_again {
            return Err(format!("call {number} runs twice, and is not said to be redelivered"));
        }
        if sound > 1 && !is_sent_again {
            return Err(format!("call {number} runs twice, and nothing had gone wrong"));
        }
        if call.end == Some(Outcome::NotExecuted) {
            return Err(format!("call {number} runs, and its caller was told that it never will"));
        }
        if !matches!(call.plan.target, Target::Queue(_)) {
            return Err(format!("call {number} was for {:?}", call.plan.target));
        }
        call.seen.push(seen);
        Ok(number)
    }

    /// A call has ended. What is wrong with that, if anything is.
    pub fn end(
        &mut self,
        now: Instant,
        number: u32,
        result: &Result<Reply, CallError>,
        circumstances: Circumstances,
    ) -> Result<(), String> {
        let call = &mut self.calls[number as usize];
        if call.end.is_some() || call.is_dropped {
            return Err(format!("call {number} has ended twice: {result:?}"));
        }
        if now > call.deadline {
            return Err(format!("call {number} has ended after its deadline: {result:?}"));
        }
        let outcome = match result {
            Ok(_) => Outcome::Executed,
            Err(error) => error.outcome(),
        };
        call.end = Some(outcome);
        call.is_unsent = matches!(
            result,
            Err(CallError::Timeout { written: false, .. } | CallError::Closed { written: false })
        );
        if call.is_unsent && call.transmitted > 0 {
            return Err(format!("call {number} was sent, and its caller is told that it was not"));
        }
        if outcome == Outcome::NotExecuted && !call.seen.is_empty() {
            return Err(format!("call {number} has run, and ends as if it had not: {result:?}"));
        }
        call.explain(now, number, result, circumstances)
            .map_err(|why| format!("call {number}: {why}: {}", shown(result)))
    }
}

impl Call {
    /// Every end has its reason.
    fn explain(
        &self,
        now: Instant,
        number: u32,
        result: &Result<Reply, CallError>,
        circumstances: Circumstances,
    ) -> Result<(), String> {
        let size = self.plan.size as u64 + 8;
        let holds = |holds: bool, why: &str| if holds { Ok(()) } else { Err(why.to_owned()) };
        let answered = |answer| self.seen.iter().any(|seen| seen.answer == Some(answer));
        let request = requests::request(number, self.plan.size, self.plan.reply_size);
        let reply = requests::reply(&request).unwrap_or_default();
        match result {
            Ok(Reply { body, .. }) => {
                holds(*body == reply, "the reply to another request")?;
                holds(answered(Answered::Reply), "a reply that no handler has given")
            }
            Err(CallError::Fault(fault)) => {
                let answer = match fault.code() {
                    "refused" => Answered::Fault,
                    Fault::PANIC => Answered::Panic,
                    Fault::REPLY_TOO_LARGE => Answered::TooLarge,
                    _ => return Err("a fault that nobody has".into()),
                };
                let is_ours = answer != Answered::Fault || *fault.body() == reply;
                holds(is_ours, "the fault of another request")?;
                holds(answered(answer), "a fault that no handler has given")
            }
            Err(CallError::Timeout { .. }) => {
                let is_served = matches!(self.plan.target, Target::Queue(_));
                holds(now == self.deadline, "it has ended before its time")?;
                holds(!(circumstances.is_calm && is_served), "nothing had gone wrong")
            }
            Err(CallError::Unroutable { .. }) => holds(
                match self.plan.target {
                    Target::Nowhere => true,
                    Target::Queue(_) => circumstances.queue_was_absent,
                    Target::Unserved | Target::NoExchange | Target::ForeignUser(_) => false,
                },
                "its queue was there",
            ),
            Err(CallError::Refused { .. }) => holds(
                matches!(self.plan.target, Target::NoExchange | Target::ForeignUser(_)),
                "there is nothing about it to be refused",
            ),
            Err(CallError::BodyTooLarge { .. }) => {
                holds(size > circumstances.max_size, "it is small enough")
            }
            Err(CallError::Busy { .. }) => {
                holds(circumstances.fails_when_busy, "the client has all the time in the world")
            }
            Err(CallError::Disconnected { .. }) => {
                holds(circumstances.was_down, "the client was connected all the time")
            }
            Err(CallError::ChannelClosed { .. }) => {
                holds(circumstances.lost_channel, "no channel was closed")
            }
            Err(CallError::Closed { .. }) => {
                holds(circumstances.was_closed, "the client was not closed")
            }
            Err(CallError::InvalidRequest(InvalidRequest::Misuse(_))) => {
                holds(circumstances.has_few_channels, "there is a channel for everybody")
            }
            Err(_) => Err("nothing explains this".into()),
        }
    }
}

/// A result for people.
pub fn shown(result: &Result<Reply, CallError>) -> String {
    match result {
        Ok(reply) => format!("a reply of {} octets", reply.body.len()),
        Err(error) => format!("{:?}: {error}", error.outcome()),
    }
}

//! What callers were told and what handlers saw, and whether the two agree.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use leveret::{CallError, Outcome, Reply};

/// How much later than its timeout a caller may be told. The call's own timer is exact to a
/// millisecond; the rest is for a machine with fewer processors than there are nodes that boot
/// meanwhile, where a task that is due has been seen to wait for 300 ms.
pub(crate) const SLACK: Duration = Duration::from_millis(500);

/// One call: all of it follows from its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Call(pub(crate) u64);

impl Call {
    /// The call that a request's body belongs to.
    pub(crate) fn of(body: &[u8]) -> Option<Self> {
        let call = Self(u64::from_be_bytes(*body.first_chunk()?));
        (call.body() == body).then_some(call)
    }

    /// The request: unlike any other. Some need several frames.
    pub(crate) fn body(self) -> Vec<u8> {
        let mut body = self.0.to_be_bytes().to_vec();
        let size = if self.0.is_multiple_of(32) { 300_000 } else { self.0 * 37 % 1024 };
        body.extend((0..size).map(|index| (index + self.0).to_le_bytes()[0]));
        body
    }

    /// The one right answer to it.
    pub(crate) fn answer(self) -> Vec<u8> {
        self.body().iter().map(|octet| !octet).collect()
    }

    pub(crate) fn timeout(self) -> Duration {
        const MILLISECONDS: [u64; 4] = [250, 500, 1000, 2000];
        Duration::from_millis(MILLISECONDS[(self.0 % 4) as usize])
    }

    /// How long a handler works on it: so long that most of 64 calls are at a handler at any time.
    pub(crate) fn work(self) -> Duration {
        Duration::from_millis(self.0 * 13 % 100)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    tally: Tally,
    /// By call, how often a handler saw it: for the first time by the broker's word, and again.
    seen: HashMap<u64, (u32, u32)>,
    /// Calls that did not run, by their error's word.
    not_executed: Vec<(Call, String)>,
    /// What must not be.
    wrong: Vec<String>,
}

/// How many calls ended how.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    pub(crate) calls: u64,
    pub(crate) ok: u64,
    /// By the error's name.
    pub(crate) errors: BTreeMap<String, u64>,
    /// Those of them that say that no handler has seen the request, nor will.
    pub(crate) not_executed: u64,
    /// How late the latest of all calls was told.
    pub(crate) slowest: Duration,
    /// Requests that handlers saw for a second time, by the broker's word.
    pub(crate) redelivered: u64,
}

impl Ledger {
    /// A handler has been given this.
    pub(crate) fn saw(&self, body: &[u8], redelivered: bool) -> Option<Call> {
        let call = Call::of(body);
        match call {
            Some(call) => self.saw_call(call, redelivered),
            None => self.wrong(format!("a request that nobody made: {} octets", body.len())),
        }
        call
    }

    pub(crate) fn saw_call(&self, call: Call, redelivered: bool) {
        let mut entries = self.lock();
        let (first, again) = entries.seen.entry(call.0).or_default();
        *(if redelivered { again } else { first }) += 1;
        entries.tally.redelivered += u64::from(redelivered);
    }

    /// A call has ended, `late` after its deadline.
    pub(crate) fn ended(&self, call: Call, late: Duration, result: &Result<Reply, CallError>) {
        let mut entries = self.lock();
        entries.tally.calls += 1;
        entries.tally.slowest = entries.tally.slowest.max(late);
        if late > SLACK {
            let how = result.as_ref().map(|_| "answered");
            entries.wrong.push(format!("{call:?} ended {late:?} after its deadline: {how:?}"));
        }
        match result {
            Ok(reply) if reply.body == call.answer() => entries.tally.ok += 1,
            Ok(reply) => {
                let of = Call::of(&reply.body.iter().map(|octet| !octet).collect::<Vec<_>>());
                entries.wrong.push(format!("{call:?} got the reply of {of:?}"));
            }
            Err(error) => {
                *entries.tally.errors.entry(name(error)).or_default() += 1;
                match error.outcome() {
                    Outcome::NotExecuted => entries.not_executed.push((call, error.to_string())),
                    Outcome::Unknown => {}
                    // The handlers answer every request, and rightly.
                    Outcome::Executed => entries.wrong.push(format!("{call:?}: {error}")),
                }
            }
        }
    }

    pub(crate) fn wrong(&self, what: String) {
        self.lock().wrong.push(what);
    }

    pub(crate) fn tally(&self) -> Tally {
        let entries = self.lock();
        Tally { not_executed: entries.not_executed.len() as u64, ..entries.tally.clone() }
    }

    /// How many calls have ended with the error of this name.
    pub(crate) fn errors(&self, name: &str) -> u64 {
        self.lock().tally.errors.get(name).copied().unwrap_or(0)
    }

    /// All that must not be, once all handlers have seen all that they will.
    pub(crate) fn judge(&self) -> Vec<String> {
        let entries = self.lock();
        let mut wrong = entries.wrong.clone();
        for (call, error) in &entries.not_executed {
            if let Some(seen) = entries.seen.get(&call.0) {
                wrong.push(format!("{call:?} did not run ({error}), and was seen: {seen:?}"));
            }
        }
        for (call, (first, again)) in &entries.seen {
            if *first > 1 {
                let told = format!("{first} times for the first time, {again} times redelivered");
                wrong.push(format!("call {call} was delivered {told}"));
            }
        }
        wrong
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of the error's kind, those of later versions included.
fn name(error: &CallError) -> String {
    let shown = format!("{error:?}");
    shown.split(|char: char| !char.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ON_TIME: Duration = Duration::ZERO;

    fn failure(written: bool) -> Result<Reply, CallError> {
        Err(CallError::Closed { written })
    }

    #[test]
    fn calls_that_agree_with_their_handlers_are_in_order() {
        let ledger = Ledger::default();
        let calls = [1, 2, 3].map(Call);
        ledger.saw(&calls[0].body(), false);
        ledger.ended(calls[0], ON_TIME, &Ok(Reply::new(calls[0].answer())));
        ledger.saw(&calls[1].body(), false);
        ledger.saw(&calls[1].body(), true);
        ledger.ended(calls[1], SLACK, &failure(true));
        ledger.ended(calls[2], ON_TIME, &failure(false));
        assert_eq!(ledger.judge(), Vec::<String>::new());
        let tally = ledger.tally();
        assert_eq!((tally.calls, tally.ok, tally.redelivered, tally.slowest), (3, 1, 1, SLACK));
        assert_eq!((ledger.errors("Closed"), tally.not_executed), (2, 1));
    }

    #[track_caller]
    fn expect_wrong(ledger: &Ledger, text: &str) {
        let wrong = ledger.judge();
        assert!(matches!(&wrong[..], [one] if one.contains(text)), "{text}: {wrong:?}");
    }

    #[test]
    fn the_reply_of_another_call_is_wrong() {
        let ledger = Ledger::default();
        ledger.ended(Call(1), ON_TIME, &Ok(Reply::new(Call(2).answer())));
        expect_wrong(&ledger, "got the reply of Some(Call(2))");
    }

    #[test]
    fn a_request_that_ran_and_is_said_not_to_have_is_wrong() {
        let ledger = Ledger::default();
        ledger.ended(Call(1), ON_TIME, &failure(false));
        ledger.saw(&Call(1).body(), true);
        expect_wrong(&ledger, "did not run");
    }

    #[test]
    fn a_second_delivery_without_the_flag_is_wrong() {
        let ledger = Ledger::default();
        ledger.saw(&Call(1).body(), false);
        ledger.saw(&Call(1).body(), false);
        expect_wrong(&ledger, "2 times for the first time");
    }

    #[test]
    fn a_call_that_outlasts_its_deadline_is_wrong() {
        let ledger = Ledger::default();
        ledger.ended(Call(1), SLACK + Duration::from_millis(1), &failure(true));
        expect_wrong(&ledger, "after its deadline");
    }

    #[test]
    fn a_request_that_nobody_made_is_wrong() {
        let ledger = Ledger::default();
        let mut body = Call(5).body();
        body.push(0);
        assert_eq!(ledger.saw(&body, false), None);
        expect_wrong(&ledger, "nobody made");
    }
}

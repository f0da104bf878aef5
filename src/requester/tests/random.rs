//! Whatever happens in whatever order, against a model that knows which call is owed what.

mod warren;

use alloc::collections::BTreeMap;

use self::warren::Warren;
use super::*;
use crate::Instant;
use crate::requester::Subscription;

const RUNS: u64 = 2000;
const STEPS: u64 = 60;

#[test]
fn every_call_ends_once_and_in_time_with_its_own_reply() {
    let mut ends = Ends::default();
    for seed in 0..RUNS {
        let mut run = Run::new(seed, &mut ends);
        for _ in 0..STEPS {
            run.step();
        }
        run.finish();
    }
    // Not much is shown by runs in which little happens.
    for (end, count) in [
        ("reply", ends.replies),
        ("timeout", ends.timeouts),
        ("return", ends.unroutable),
        ("closed channel", ends.channels_closed),
        ("lost connection", ends.disconnected),
        ("close", ends.closed),
    ] {
        assert!(count > 100, "only {count} calls ended by {end}");
    }
}

/// How calls ended, over all runs.
#[derive(Debug, Default)]
struct Ends {
    replies: u64,
    timeouts: u64,
    unroutable: u64,
    channels_closed: u64,
    disconnected: u64,
    closed: u64,
}

struct Run<'a> {
    seed: u64,
    random: Random,
    client: Client,
    warren: Warren,
    /// By what their requests say.
    calls: BTreeMap<u64, Model>,
    ends: &'a mut Ends,
}

/// What is known of a call.
struct Model {
    id: CallId,
    deadline: Instant,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Pending,
    Dropped,
    Ended { executed: bool },
}

impl<'a> Run<'a> {
    fn new(seed: u64, ends: &'a mut Ends) -> Self {
        let client = Client::connected_to(Broker { channel_max: 8, ..RABBITMQ });
        let warren = Warren::default();
        Self { seed, random: Random(seed), client, warren, calls: BTreeMap::new(), ends }
    }

    fn step(&mut self) {
        match self.random.below(20) {
            0..=4 => self.request(),
            5 => self.cancel(),
            6..=8 => self.warren.reply(&mut self.random),
            9 => self.warren.repeat_reply(&mut self.random),
            10 => self.warren.send_back(&mut self.random),
            11 => self.close_channel(),
            12 => self.warren.toggle_alarm(),
            13 => self.warren.toggle_flow(&mut self.random),
            14 | 15 => {
                let duration = Duration::from_millis(self.random.below(3000));
                self.client.advance(duration);
            }
            16 if self.random.below(10) == 0 => self.client.broker_closes_the_socket(),
            _ => self.look_at_one(),
        }
        if self.random.below(10) < 6 {
            self.warren.read(&mut self.client);
        }
        if self.random.below(10) < 6 {
            self.warren.flush(&mut self.client);
        }
        self.check();
    }

    fn request(&mut self) {
        let name = self.calls.len() as u64;
        let timeout = Duration::from_millis(1 + self.random.below(10_000));
        let outgoing = Outgoing {
            body: Bytes::from(name.to_string()),
            own_channel: self.random.below(4) == 0,
            ..to("queue")
        };
        let now = self.client.now();
        let over = self.client.engine.ended().is_some();
        match self.client.engine.request(now, outgoing, timeout) {
            Ok(id) => {
                assert!(!over, "seed {}: accepted after the end", self.seed);
                let deadline = now.after(timeout);
                self.calls.insert(name, Model { id, deadline, state: State::Pending });
                let Requester { waiting, calls, .. } = &self.client.engine;
                assert!(waiting.len() <= 2 * calls.len() + 1, "seed {}", self.seed);
            }
            Err(error) => {
                assert!(over, "seed {}: {error}", self.seed);
                assert_eq!(error.outcome(), Outcome::NotExecuted);
            }
        }
    }

    fn cancel(&mut self) {
        let name = self.random.below(self.calls.len() as u64 + 1);
        let Some(call) = self.calls.get_mut(&name) else { return };
        self.client.cancel(call.id);
        if call.state == State::Pending {
            call.state = State::Dropped;
        }
    }

    /// A shared channel is closed only when it is subscribed: before, that would end the session.
    fn close_channel(&mut self) {
        let being_subscribed = match self.client.engine.subscription {
            Subscription::Opening { channel } | Subscription::Consuming { channel } => channel,
            _ => 0,
        };
        self.warren.close_channel(being_subscribed, &mut self.random);
    }

    fn look_at_one(&mut self) {
        let name = self.random.below(self.calls.len() as u64 + 1);
        self.look_at(name);
    }

    /// Whether the call has ended, now or before.
    fn look_at(&mut self, name: u64) -> bool {
        let Some(call) = self.calls.get_mut(&name) else { return true };
        let result = match (self.client.poll(call.id), call.state) {
            (Poll::Ready(result), State::Pending) => result,
            (Poll::Ready(result), state) => {
                panic!("seed {}: call {name} is {state:?}, and now {result:?}", self.seed)
            }
            (Poll::Pending, state) => return state != State::Pending,
        };
        let outcome = result.as_ref().map_or_else(CallError::outcome, |_| Outcome::Executed);
        call.state = State::Ended { executed: outcome != Outcome::NotExecuted };
        match result {
            Ok(reply) => {
                self.ends.replies += 1;
                let text = format!("reply to {name}");
                assert_eq!(reply.text(), Ok(&*text), "seed {}", self.seed);
                assert!(self.warren.has_replied_to(name), "seed {}", self.seed);
            }
            Err(CallError::Timeout { .. }) => {
                self.ends.timeouts += 1;
                assert!(call.deadline <= self.client.now(), "seed {}: too early", self.seed);
            }
            Err(CallError::Unroutable { .. }) => self.ends.unroutable += 1,
            Err(CallError::ChannelClosed { .. }) => self.ends.channels_closed += 1,
            Err(CallError::Disconnected { .. }) => self.ends.disconnected += 1,
            Err(CallError::Closed { .. }) => self.ends.closed += 1,
            Err(CallError::InvalidRequest(InvalidRequest::Misuse(misuse))) => {
                assert_eq!(misuse.to_string(), "all 8 channels of the connection are in use");
            }
            Err(error) => panic!("seed {}: {error}", self.seed),
        }
        true
    }

    /// What holds at any moment.
    fn check(&mut self) {
        let over = self.client.engine.ended().is_some();
        for name in 0..self.calls.len() as u64 {
            let due = over || self.calls[&name].deadline < self.client.now();
            assert!(!due || self.look_at(name), "seed {}: call {name} goes on", self.seed);
        }
        if let Some(Err(error)) = self.client.engine.ended() {
            let lost = "the connection was lost: the peer closed the socket";
            assert_eq!(error.to_string(), lost, "seed {}", self.seed);
        }
        let stats = self.client.engine.stats();
        let pending = self.calls.values().filter(|call| call.state == State::Pending).count();
        assert!(stats.pending <= pending, "seed {}: {stats:?}", self.seed);
        assert!(stats.waiting <= stats.pending, "seed {}: {stats:?}", self.seed);
    }

    fn finish(mut self) {
        if self.random.below(2) == 0 {
            self.client.close();
        } else {
            self.client.advance(seconds(10));
        }
        for name in 0..self.calls.len() as u64 {
            assert!(self.look_at(name), "seed {}: call {name} has not ended", self.seed);
        }
        // What is still under way arrives.
        for _ in 0..5 {
            self.warren.read(&mut self.client);
            self.warren.flush(&mut self.client);
        }
        for (name, call) in &self.calls {
            let executed = self.warren.may_have_executed(*name);
            let wrong = call.state == State::Ended { executed: false } && executed;
            assert!(!wrong, "seed {}: call {name} ran, and was told not to", self.seed);
        }
        let stats = self.client.engine.stats();
        let ended = stats.replies + stats.faults + stats.failures + stats.dropped;
        assert_eq!((stats.calls, ended), (self.calls.len() as u64, stats.calls));
        if self.client.engine.is_finished() {
            self.client.discard_sent();
        }
        self.client.nothing_is_left();
        assert_eq!(stats.waiting, 0);
    }
}

/// Splitmix64: as random as it takes, and the same every time.
pub(super) struct Random(u64);

impl Random {
    /// A number below `limit`, which is not 0.
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

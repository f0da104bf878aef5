//! [`Plan`]: what a seed decides before the run begins.

use std::time::Duration;

use leveret::broker::Version;
use leveret::requester::Retry;
use leveret_codec::ShortStr;

use crate::network::{Break, NetworkPlan, Side};
use crate::random::Random;

/// Who takes part, what they do, and what happens to them.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Which RabbitMQ the broker behaves as.
    pub version: Version,
    /// The largest message that it takes.
    pub max_message_size: u64,
    /// The most channels of a connection.
    pub channel_max: u16,
    /// The largest frame.
    pub frame_max: u32,
    /// Seconds between signs of life.
    pub heartbeat: u16,
    /// How long an attempt to connect may take.
    pub connect_timeout: Duration,
    /// How many addresses there are; all but one of them lead nowhere.
    pub addresses: usize,
    /// The address where the broker is.
    pub live_address: usize,
    /// How lines are.
    pub network: NetworkPlan,
    /// The queues that are served; of each, whether it survives a restart.
    pub queues: Vec<QueuePlan>,
    /// Those who call.
    pub clients: Vec<ClientPlan>,
    /// Those who serve.
    pub servers: Vec<ServerPlan>,
    /// What happens when.
    pub steps: Vec<(Duration, Step)>,
    /// From when on nothing goes wrong any more.
    pub calm_at: Duration,
    /// Whether nothing goes wrong at all.
    pub is_calm: bool,
    /// How long handlers take: in milliseconds, and how many of a hundred take long.
    pub handling: (u64, usize),
}

/// A queue.
#[derive(Debug, Clone)]
pub struct QueuePlan {
    /// Its name.
    pub name: ShortStr,
    /// Whether it survives a restart.
    pub durable: bool,
}

/// A client.
#[derive(Debug, Clone)]
pub struct ClientPlan {
    /// The most calls that are sent and not ended.
    pub max_in_flight: usize,
    /// Whether more than that fail.
    pub fails_when_busy: bool,
    /// The largest request.
    pub max_body_size: u64,
}

/// A server.
#[derive(Debug, Clone)]
pub struct ServerPlan {
    /// The queues that it serves.
    pub queues: Vec<usize>,
    /// The most requests at a time of each.
    pub prefetch: u16,
}

/// Where a call goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// To one of the queues.
    Queue(usize),
    /// To a queue that nobody serves.
    Unserved,
    /// To a queue that does not exist.
    Nowhere,
    /// To an exchange that does not exist.
    NoExchange,
    /// To one of the queues, as another user than the one that is logged in.
    ForeignUser(usize),
}

/// A call.
#[derive(Debug, Clone)]
pub struct CallPlan {
    /// By which client.
    pub client: usize,
    /// Where to.
    pub target: Target,
    /// How long it may take.
    pub timeout: Duration,
    /// Octets of its body.
    pub size: usize,
    /// Octets of the reply's.
    pub reply_size: usize,
    /// Whether it is sent again.
    pub retry: Retry,
    /// Whether it has a channel of its own.
    pub own_channel: bool,
    /// When its caller loses interest.
    pub drop_after: Option<Duration>,
}

/// Something that happens. Whom it happens to is a number to choose among those that are there.
#[derive(Debug, Clone)]
pub enum Step {
    /// A call is made.
    Call(CallPlan),
    /// A line breaks.
    Cut(usize, Break),
    /// A line stalls in one direction.
    Stall(usize, Side, Duration),
    /// The broker goes and comes back, with a word or without.
    Restart(bool, Duration),
    /// The broker reads nothing that is published, for so long.
    Alarm(Duration),
    /// A queue loses its consumers.
    CancelConsumers(usize),
    /// A queue is deleted.
    DeleteQueue(usize),
    /// The broker closes a connection.
    CloseConnection(usize),
    /// The broker closes a channel.
    CloseChannel(usize, u16),
    /// A client is closed.
    CloseClient(usize),
    /// A client takes no more calls, and closes when all have ended.
    DrainClient(usize),
    /// The task that drives a client ends.
    AbortClient(usize),
    /// A server takes no more requests, and closes when all are answered.
    ShutDown(usize),
    /// A server is closed at once.
    CloseServer(usize),
    /// A server's process is killed.
    KillServer(usize),
}

impl Plan {
    /// The plan of a seed.
    pub fn new(random: &mut Random) -> Self {
        let is_calm = random.chance(10);
        let queues = random.within(1..=3);
        let queues: Vec<QueuePlan> = (0..queues)
            .map(|index| QueuePlan {
                name: ShortStr::from_static(["first", "second", "third"][index]),
                durable: random.chance(70),
            })
            .collect();
        let addresses = random.one_of(&[1, 1, 1, 2, 3]);
        let calm_at = random.milliseconds(1_000..=12_000);
        let handling = random.one_of(&[(5, 0), (40, 5), (40, 30), (1_000, 20)]);
        let mut plan = Self {
            version: random.one_of(&[Version::V3_10, Version::V4_0, Version::V4_3]),
            max_message_size: random.one_of(&[0x3_0000, 0x40_0000]),
            channel_max: random.one_of(&[2047, 2047, 6, 3]),
            frame_max: random.one_of(&[0x2000, 0x2_0000]),
            heartbeat: random.one_of(&[1, 3, 3, 10, 60, 60]),
            connect_timeout: random.milliseconds(1_000..=5_000),
            addresses,
            live_address: random.below(addresses),
            network: network(random),
            clients: Vec::new(),
            servers: Vec::new(),
            queues,
            steps: Vec::new(),
            calm_at,
            is_calm,
            handling: if is_calm { (5, 0) } else { handling },
        };
        if is_calm {
            plan.network.window = 0x10_0000;
            // Those that wait for an answer that never comes may have all of a few.
            plan.channel_max = 2047;
        }
        plan.cast(random);
        plan.make_calls(random);
        if !is_calm {
            plan.make_trouble(random);
        }
        plan.steps.sort_by_key(|(time, _)| *time);
        plan
    }

    /// Who takes part.
    fn cast(&mut self, random: &mut Random) {
        for _ in 0..random.within(1..=3) {
            self.clients.push(ClientPlan {
                max_in_flight: if self.is_calm { 1024 } else { random.one_of(&[1, 2, 4, 1024]) },
                fails_when_busy: !self.is_calm && random.chance(15),
                max_body_size: random.one_of(&[0x10_0000, 0x2_8000]),
            });
        }
        let servers = random.within(1..=3);
        for server in 0..servers {
            let mut queues: Vec<usize> =
                (0..self.queues.len()).filter(|_| random.chance(60)).collect();
            // Each queue has at least one server, and each server a queue.
            if server == 0 {
                queues = (0..self.queues.len()).collect();
            } else if queues.is_empty() {
                queues.push(0);
            }
            let prefetch = if self.is_calm { 128 } else { random.one_of(&[1, 2, 8, 128, 0]) };
            self.servers.push(ServerPlan { queues, prefetch });
        }
    }

    fn make_calls(&mut self, random: &mut Random) {
        let calls = random.within(5..=40);
        for _ in 0..calls {
            let at = random.time(Duration::ZERO..=self.calm_at);
            // Some come in one go, as they do.
            let together = if random.chance(10) { random.within(2..=6) } else { 1 };
            for _ in 0..together {
                let call = self.call(random);
                self.steps.push((at, Step::Call(call)));
            }
        }
        if random.chance(4) {
            self.make_flood(random);
        }
    }

    /// More at once than a socket takes.
    fn make_flood(&mut self, random: &mut Random) {
        let at = random.time(Duration::ZERO..=self.calm_at);
        let call = CallPlan { size: 0x2_7000, own_channel: false, ..self.call(random) };
        for _ in 0..random.within(8..=16) {
            self.steps.push((at, Step::Call(call.clone())));
        }
    }

    fn call(&self, random: &mut Random) -> CallPlan {
        let queue = random.below(self.queues.len());
        let target = match random.below(100) {
            0..6 => Target::Unserved,
            6..11 => Target::Nowhere,
            11..17 => Target::NoExchange,
            17..20 => Target::ForeignUser(queue),
            _ => Target::Queue(queue),
        };
        let large = random.chance(6);
        let timeout = match random.below(10) {
            _ if self.is_calm => Duration::from_secs(20),
            0 => random.milliseconds(1..=50),
            1..5 => random.milliseconds(50..=1_000),
            _ => random.milliseconds(1_000..=8_000),
        };
        CallPlan {
            client: random.below(self.clients.len()),
            target,
            timeout,
            size: if large { random.within(0x1_8000..=0x4_0000) } else { random.within(0..=300) },
            reply_size: match random.below(100) {
                0..4 => random.within(0x1_0000..=0x3_8000),
                _ => random.within(0..=300),
            },
            retry: random.one_of(&[Retry::Never, Retry::Never, Retry::NotExecuted, Retry::Unknown]),
            own_channel: random.chance(10),
            drop_after: random.chance(15).then(|| random.time(Duration::ZERO..=timeout)),
        }
    }

    fn make_trouble(&mut self, random: &mut Random) {
        // Of one kind mostly, or of all kinds.
        let kinds: Vec<usize> = match random.below(3) {
            0 => vec![random.below(KINDS)],
            1 => (0..3).map(|_| random.below(KINDS)).collect(),
            _ => (0..KINDS).collect(),
        };
        for _ in 0..random.within(1..=10) {
            // Some of it comes at the very moment of something else.
            let at = match random.chance(30) {
                true => self.steps[random.below(self.steps.len())].0,
                false => random.time(Duration::ZERO..=self.calm_at),
            };
            let kind = random.one_of(&kinds);
            let step = self.trouble(kind, random);
            self.steps.push((at, step));
        }
    }

    fn trouble(&self, kind: usize, random: &mut Random) -> Step {
        let whom = random.number() as usize;
        let client = random.below(self.clients.len());
        let server = random.below(self.servers.len());
        match kind {
            0 | 1 => {
                Step::Cut(whom, random.one_of(&[Break::Heard, Break::Refusing, Break::Silent]))
            }
            2 | 3 => {
                let side = random.one_of(&[Side::Engine, Side::Broker]);
                Step::Stall(whom, side, random.milliseconds(10..=4_000))
            }
            4 | 5 => Step::Restart(random.chance(50), random.milliseconds(0..=3_000)),
            6 | 7 => Step::Alarm(random.milliseconds(50..=4_000)),
            8 => Step::CancelConsumers(random.below(self.queues.len())),
            9 => Step::DeleteQueue(random.below(self.queues.len())),
            10 => Step::CloseConnection(whom),
            11 => Step::CloseChannel(whom, random.within(1..=3) as u16),
            12 => match random.below(3) {
                0 => Step::CloseClient(client),
                1 => Step::DrainClient(client),
                _ => Step::AbortClient(client),
            },
            _ => match random.below(3) {
                0 => Step::ShutDown(server),
                1 => Step::CloseServer(server),
                _ => Step::KillServer(server),
            },
        }
    }
}

/// How many kinds of trouble there are.
const KINDS: usize = 14;

fn network(random: &mut Random) -> NetworkPlan {
    let least = random.one_of(&[50, 500, 5_000]);
    let most = least * random.one_of(&[1, 2, 10]);
    NetworkPlan {
        latency: Duration::from_micros(least)..=Duration::from_micros(most),
        window: random.one_of(&[0x400, 0x4000, 0x4_0000]),
        pieces: random.one_of(&[1, 2, 5]),
    }
}

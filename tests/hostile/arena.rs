//! Where attacks are fought and measured.
//!
//! The test's thread drives the attacker, the victim and all their tasks. So the heap is counted
//! with everything that both of them hold, and the time is all that the processor spent on them.

use std::cell::Cell;
use std::fmt::{self, Write as _};
use std::fs::{self, OpenOptions};
use std::hint::black_box;
use std::io::Write as _;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;
use std::thread;
use std::time::Duration;

use leveret::broker::Broker;
use leveret::{Client, ReplyCode, Request, Server};
use nix::time::{ClockId, clock_gettime};
use tokio::runtime;

/// The most that attacker and victim may hold together.
const HEAP: u64 = 64 << 20;

/// The longest that an attack may take on a busy machine: less than any victim waits by itself.
const DEADLINE: Duration = Duration::from_secs(20);

/// The most that an attack may compute, attacker included, in a build without optimisation: who
/// waits in a loop needs more.
const PROCESSOR: Duration = Duration::from_millis(250);

/// What came of an attack.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What the victim said to its user; of a broker, what it said to the attacker.
    pub(crate) said: String,
    /// The code that the attacker was told on the wire.
    pub(crate) code: Option<ReplyCode>,
}

impl Outcome {
    /// The victim has gone on to serve.
    pub(crate) fn served() -> Self {
        Self { said: "served".into(), code: None }
    }

    /// The victim's words, and none to the attacker.
    pub(crate) fn said(said: impl fmt::Display) -> Self {
        Self { said: said.to_string(), code: None }
    }

    /// The victim's words, with the code that the attacker was told.
    pub(crate) fn told(code: ReplyCode, said: impl fmt::Display) -> Self {
        Self { said: said.to_string(), code: Some(code) }
    }
}

/// Runs an attack on a victim, holds it to the limits, and calls a healthy server through a healthy
/// broker afterwards.
pub(crate) fn attack(
    name: impl fmt::Display,
    victim: impl fmt::Display,
    scene: impl Future<Output = Outcome>,
) {
    attack_within(PROCESSOR, name, victim, scene);
}

/// The same for an attack that is made in many ways, one after the other.
pub(crate) fn attack_in_ways(
    ways: usize,
    name: impl fmt::Display,
    victim: impl fmt::Display,
    scene: impl Future<Output = Outcome>,
) {
    let each = Duration::from_millis(4).saturating_mul(u32::try_from(ways).unwrap());
    let ways = if ways > 1 { format!(" ({ways} ways)") } else { String::new() };
    attack_within(PROCESSOR + each, format!("{name}{ways}"), victim, scene);
}

/// The same for attacks that take the attacker itself longer.
pub(crate) fn attack_within(
    processor: Duration,
    name: impl fmt::Display,
    victim: impl fmt::Display,
    scene: impl Future<Output = Outcome>,
) {
    fight(processor, &name.to_string(), &victim.to_string(), false, scene);
}

/// The same on a clock that jumps over every wait. It must be a scene without a socket: the clock
/// does not know that octets are on their way through one.
pub(crate) fn attack_in_virtual_time(
    name: impl fmt::Display,
    victim: impl fmt::Display,
    scene: impl Future<Output = Outcome>,
) {
    fight(PROCESSOR, &name.to_string(), &victim.to_string(), true, scene);
}

fn fight(
    processor: Duration,
    name: &str,
    victim: &str,
    virtual_time: bool,
    scene: impl Future<Output = Outcome>,
) {
    let fought = measure(virtual_time, scene);
    record(name, victim, &fought);
    if let Err(problem) = judge(&fought, processor) {
        match fought.outcome {
            Ok(_) => panic!("{name}: {victim}: {problem}"),
            Err(panic) => panic::resume_unwind(panic),
        }
    }
    runtime(false).block_on(async {
        call_through(&Broker::start().await.unwrap()).await;
    });
}

/// What an attack has come to, and what it took.
struct Fought {
    /// The panic is that of the scene itself, which expected something else.
    outcome: thread::Result<Outcome>,
    /// The most octets of heap at a time.
    heap: u64,
    processor: Duration,
    /// All panics on this thread, which other tasks than the scene's may have had.
    panics: usize,
}

fn measure(virtual_time: bool, scene: impl Future<Output = Outcome>) -> Fought {
    count_panics();
    let (panics, began) = (PANICS.get(), processor_time());
    let mut outcome = None;
    let heap = allocation_counter::measure(|| {
        outcome = Some(panic::catch_unwind(AssertUnwindSafe(|| {
            let runtime = runtime(virtual_time);
            // Virtual hours pass in no time, and what hangs there waits for ever all the same.
            let deadline = if virtual_time { Duration::from_secs(3600) } else { DEADLINE };
            runtime.block_on(within(deadline, scene))
        })));
    });
    Fought {
        outcome: outcome.expect("it was fought"),
        heap: heap.bytes_max,
        processor: processor_time().saturating_sub(began),
        panics: PANICS.get().saturating_sub(panics),
    }
}

fn judge(fought: &Fought, processor: Duration) -> Result<(), String> {
    match fought {
        Fought { outcome: Err(_), .. } => Err("it went otherwise".into()),
        Fought { panics: 1.., .. } => Err("a task panicked".into()),
        Fought { heap: octets @ HEAP.., .. } => Err(format!("{octets} octets of heap")),
        Fought { processor: time, .. } if *time >= processor => {
            Err(format!("{time:?} of processor time"))
        }
        _ => Ok(()),
    }
}

fn runtime(virtual_time: bool) -> runtime::Runtime {
    let mut builder = runtime::Builder::new_current_thread();
    builder.enable_all().start_paused(virtual_time).build().unwrap()
}

/// A call to a server of its own through the broker.
pub(crate) async fn call_through(broker: &Broker) {
    let call = async {
        let server = Server::builder(broker.url())
            .handle("healthy", |request: Request| async move { Ok(request.into_body()) })
            .start()
            .await
            .unwrap();
        let client = Client::connect(broker.url()).await.unwrap();
        assert_eq!(client.call("healthy", "hello").await.unwrap().body, "hello");
        client.close().await;
        server.shutdown().await.unwrap();
    };
    tokio::time::timeout(DEADLINE, call).await.expect("a new connection works");
}

/// What is done within a limit of time.
pub(crate) async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> T {
    let limited = tokio::time::timeout(limit, future).await;
    limited.unwrap_or_else(|_| panic!("it took longer than {limit:?}"))
}

// ---------------------------------------------------------------------- what is measured

fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}

thread_local! {
    static PANICS: Cell<usize> = const { Cell::new(0) };
}

/// A task's panic is nobody's failure, unless somebody counts.
fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANICS.set(PANICS.get().saturating_add(1));
            report(info);
        }));
    });
}

// ---------------------------------------------------------------------- what is written down

/// The file that each attack adds a line to, if somebody wants to know.
const TABLE: &str = "LEVERET_HOSTILE_TABLE";

/// A line of fields between tabs: attack, victim, words, code, heap in KiB, processor time in ms,
/// and the most memory that the whole process has had, in KiB.
fn record(name: &str, victim: &str, fought: &Fought) {
    let Some(path) = std::env::var_os(TABLE) else { return };
    let (said, code) = match &fought.outcome {
        Ok(Outcome { said, code }) => (said.as_str(), *code),
        Err(_) => ("FAILED", None),
    };
    let code = code.map_or_else(|| "-".to_owned(), |code| code.0.to_string());
    let fields = [
        name.to_owned(),
        victim.to_owned(),
        said.to_owned(),
        code,
        fought.heap.div_ceil(1024).to_string(),
        fought.processor.as_millis().to_string(),
        peak_of_process().to_string(),
    ];
    let mut line = String::new();
    for field in fields {
        write!(line, "{}\t", field.replace(['\t', '\n'], " ")).unwrap();
    }
    line.push('\n');
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(line.as_bytes()).unwrap();
}

/// The most resident memory so far in KiB, where the system tells; elsewhere 0.
fn peak_of_process() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

// ---------------------------------------------------------------------- whether it can tell

fn problem_of(scene: impl Future<Output = Outcome>) -> String {
    judge(&measure(false, scene), PROCESSOR).unwrap_err()
}

#[test]
fn a_panic_in_a_task_is_seen() {
    let scene = async {
        tokio::spawn(async { panic!("in a task") }).await.unwrap_err();
        Outcome::served()
    };
    assert_eq!(problem_of(scene), "a task panicked");
}

#[test]
fn heap_that_was_held_for_a_moment_is_seen() {
    let scene = async {
        tokio::spawn(async { drop(black_box(Vec::<u8>::with_capacity(64 << 20))) }).await.unwrap();
        Outcome::served()
    };
    let problem = problem_of(scene);
    assert!(problem.ends_with(" octets of heap"), "{problem}");
}

#[test]
fn a_busy_loop_is_seen() {
    let scene = async {
        let began = processor_time();
        while processor_time().saturating_sub(began) < PROCESSOR {
            tokio::task::yield_now().await;
        }
        Outcome::served()
    };
    let problem = problem_of(scene);
    assert!(problem.ends_with(" of processor time"), "{problem}");
}

#[test]
fn a_scene_that_goes_otherwise_is_seen() {
    assert_eq!(problem_of(async { panic!("otherwise") }), "it went otherwise");
}

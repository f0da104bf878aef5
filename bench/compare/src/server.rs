//! A server under test: it sends each request's body back.

mod amqprs;
mod floor;
mod lapin;
mod leveret;

use std::io::BufRead as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use clap::Args;
use tokio::sync::oneshot;

use crate::measurement::Usage;
use crate::wire::{self, id};
use crate::{Implementation, Result, RuntimeKind, allocations};

/// Of unacknowledged requests.
const PREFETCH: u16 = 256;

#[derive(Args)]
pub(crate) struct Options {
    #[arg(long)]
    pub(crate) implementation: Implementation,

    /// amqp://user:password@host:port/virtual-host
    #[arg(long)]
    pub(crate) url: String,

    /// Declared durable, and deleted in the end
    #[arg(long)]
    pub(crate) queue: String,

    #[arg(long, default_value = "current-thread")]
    pub(crate) runtime: RuntimeKind,

    #[arg(long)]
    pub(crate) count_allocations: bool,
}

/// How many requests were served.
#[derive(Clone, Default)]
struct Served(Arc<AtomicU64>);

impl Served {
    fn one_more(&self) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// Serves until the standard input ends.
pub(crate) fn run(options: &Options) -> Result {
    if options.count_allocations {
        allocations::count();
    }
    // Durable, and no arguments.
    with_queue(options, id::QUEUE_DECLARE, &[0b10, 0, 0, 0, 0], id::QUEUE_DECLARE_OK)?;
    let served = Served::default();
    let stop = obey_standard_input(served.clone());
    options.runtime.build()?.block_on(serve(options, served, stop))?;
    // Whatever is in it.
    with_queue(options, id::QUEUE_DELETE, &[0], id::QUEUE_DELETE_OK)
}

/// Declares or deletes the queue, the same for every server; `arguments` are those after its name.
fn with_queue(options: &Options, method: u32, arguments: &[u8], answer: u32) -> Result {
    let mut all = vec![0, 0];
    wire::short_string(&mut all, options.queue.as_bytes());
    all.extend_from_slice(arguments);
    wire::connect(&options.url)?.ask(method, &all, answer)
}

async fn serve(options: &Options, served: Served, stop: oneshot::Receiver<()>) -> Result {
    match options.implementation {
        Implementation::Floor | Implementation::FullFloor => {
            floor::run(options, served, stop).await
        }
        Implementation::Leveret => leveret::run(options, served, stop).await,
        Implementation::Lapin => lapin::run(options, served, stop).await,
        Implementation::Amqprs => amqprs::run(options, served, stop).await,
    }
}

fn ready() {
    println!("ready");
}

/// Measures as it is told by the standard input, in a thread of its own. Gives back what ends with it.
fn obey_standard_input(served: Served) -> oneshot::Receiver<()> {
    let (ended, stop) = oneshot::channel();
    std::thread::spawn(move || {
        let mut begin = None;
        for line in std::io::stdin().lock().lines() {
            let now = (Usage::now().expect("getrusage"), served.0.load(Relaxed));
            match (line.as_deref(), begin) {
                (Ok("begin"), _) => begin = Some(now),
                (Ok("end"), Some((usage, calls))) => {
                    let spent = now.0.since(&usage, now.1 - calls);
                    println!("{}", serde_json::to_string(&spent).expect("figures only"));
                }
                (Ok(line), _) => eprintln!("leveret-bench: unknown command: {line}"),
                (Err(_), _) => break,
            }
        }
        drop(ended);
    });
    stop
}

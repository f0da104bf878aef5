//! A server under test: it sends each request's body back.

mod floor;

use std::io::BufRead as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use clap::Args;
use tokio::sync::oneshot;

use crate::measurement::Usage;
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
    let served = Served::default();
    let stop = obey_standard_input(served.clone());
    options.runtime.build()?.block_on(serve(options, served, stop))
}

async fn serve(options: &Options, served: Served, stop: oneshot::Receiver<()>) -> Result {
    match options.implementation {
        Implementation::Floor => floor::run(options, served, stop).await,
        Implementation::Leveret | Implementation::Lapin | Implementation::Amqprs => {
            Err("not yet".into())
        }
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

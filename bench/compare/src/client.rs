//! A client under test: so many callers, each of which calls, checks the reply and calls again.

mod amqprs;
mod floor;
mod lapin;
mod leveret;
mod pending;

use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use tokio::task::JoinSet;

use crate::measurement::{Measurement, Side};
use crate::run::Run;
use crate::{Implementation, Result, RuntimeKind, allocations};

#[derive(Args)]
pub(crate) struct Options {
    #[arg(long)]
    pub(crate) implementation: Implementation,

    /// amqp://user:password@host:port/virtual-host
    #[arg(long)]
    pub(crate) url: String,

    /// The server's
    #[arg(long)]
    pub(crate) queue: String,

    /// How many callers there are
    #[arg(long, default_value_t = 64)]
    pub(crate) in_flight: usize,

    #[arg(long, default_value_t = 64)]
    pub(crate) body_size: usize,

    /// How many calls are measured
    #[arg(long, default_value_t = 100_000)]
    pub(crate) calls: u64,

    /// How many calls are made before that; a tenth, and at least twice as many as there are callers,
    /// unless set
    #[arg(long)]
    pub(crate) warm_up: Option<u64>,

    #[arg(long, default_value = "current-thread")]
    pub(crate) runtime: RuntimeKind,

    /// What the result says of the broker
    #[arg(long, default_value = "")]
    pub(crate) against: String,

    #[arg(long)]
    pub(crate) count_allocations: bool,

    /// Print "begin" after the warm-up, and end with the standard input, if not before
    #[arg(long)]
    pub(crate) announce: bool,
}

/// Makes the calls and prints the measurement.
pub(crate) fn run(options: &Options) -> Result {
    if options.count_allocations {
        allocations::count();
    }
    if options.announce {
        std::thread::spawn(end_with_standard_input);
    }
    let warm_up =
        options.warm_up.unwrap_or_else(|| (options.calls / 10).max(2 * options.in_flight as u64));
    let run = Run::new(warm_up, options.calls, options.announce);
    options.runtime.build()?.block_on(make_calls(options, Arc::clone(&run)))?;

    let (spent, latencies) = run.result()?;
    let measurement = Measurement {
        side: Side::Client,
        implementation: options.implementation,
        against: options.against.clone(),
        runtime: options.runtime,
        in_flight: options.in_flight,
        body_size: options.body_size,
        round: 0,
        calls: spent.calls,
        seconds: spent.seconds,
        calls_per_second: spent.calls as f64 / spent.seconds,
        user_microseconds_per_call: spent.user_microseconds_per_call,
        system_microseconds_per_call: spent.system_microseconds_per_call,
        p50_microseconds: latencies.quantile_in_microseconds(0.5),
        p99_microseconds: latencies.quantile_in_microseconds(0.99),
        p999_microseconds: latencies.quantile_in_microseconds(0.999),
        system_calls_per_call: None,
        allocations_per_call: spent.allocations_per_call,
        peak_memory_octets: spent.peak_memory_octets,
    };
    println!("{}", serde_json::to_string(&measurement)?);
    Ok(())
}

/// Whoever waits for the result has gone.
fn end_with_standard_input() {
    _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
    std::process::exit(1);
}

async fn make_calls(options: &Options, run: Arc<Run>) -> Result {
    match options.implementation {
        Implementation::Floor | Implementation::FullFloor => floor::run(options, run).await,
        Implementation::Leveret => callers::<leveret::Leveret>(options, &run).await,
        Implementation::Lapin => callers::<lapin::Lapin>(options, &run).await,
        Implementation::Amqprs => callers::<amqprs::Amqprs>(options, &run).await,
    }
}

/// What makes a call.
trait Caller: Clone + Send + Sized + 'static {
    async fn connect(options: &Options) -> Result<Self>;

    /// The size of the reply's body.
    fn call(&self) -> impl Future<Output = Result<usize>> + Send;

    async fn close(self) -> Result;
}

/// All callers, until the run has ended.
async fn callers<C: Caller>(options: &Options, run: &Arc<Run>) -> Result {
    let caller = C::connect(options).await?;
    let mut tasks = JoinSet::new();
    for _ in 0..options.in_flight {
        tasks.spawn(call_again(caller.clone(), options.body_size, Arc::clone(run)));
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    caller.close().await
}

async fn call_again(caller: impl Caller, body_size: usize, run: Arc<Run>) -> Result {
    let mut begin = Instant::now();
    loop {
        let size = caller.call().await?;
        if size != body_size {
            return Err(format!("a reply of {size} octets").into());
        }
        let end = Instant::now();
        if !run.ended(begin, end) {
            return Ok(());
        }
        begin = end;
    }
}

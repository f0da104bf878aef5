//! `leveret bench`: many calls, and how long they take.

mod load;
mod progress;
mod report;
mod tally;
mod text;

use std::io::{self, Write};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::ValueEnum;
use leveret::Client;
use tokio::time::Instant;

use self::load::Load;
use self::progress::Progress;
use self::report::Report;
use self::tally::Tally;
use self::text::Text;
use crate::common::Common;
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The queue to call
    queue: String,

    /// How many calls to make [default: 1000, unless there is a duration]
    #[arg(short = 'n', long, value_name = "CALLS", value_parser = clap::value_parser!(u64).range(1..))]
    requests: Option<u64>,

    /// How many calls may be under way at once
    #[arg(short, long, value_name = "CALLS", default_value = "50", value_parser = clap::value_parser!(u32).range(1..))]
    concurrency: u32,

    /// For how long calls are begun, as in 30s or 2m; those under way then are waited for
    #[arg(short = 'z', long, value_parser = positive)]
    duration: Option<Duration>,

    /// How many calls are due a second: latency counts from when a call was due, not from when one of
    /// the callers was free to make it (coordinated omission)
    #[arg(short = 'q', long, value_name = "CALLS", value_parser = rate)]
    rate: Option<f64>,

    /// Octets in the body of each request
    #[arg(long, value_name = "OCTETS", default_value_t = 0)]
    size: usize,

    /// Calls to make before those that are measured
    #[arg(long, value_name = "CALLS", default_value_t = 0)]
    warmup: u64,

    /// How long a call may take, as in 2s or 500ms
    #[arg(short, long, value_name = "DURATION", default_value = "30s", value_parser = positive)]
    timeout: Duration,

    /// How to print what came of it
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    output: Output,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Output {
    /// For people
    Text,
    /// An object
    Json,
    /// A line of names, and one of values
    Csv,
}

fn positive(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("it has to be longer than nothing".into()),
        Ok(duration) => Ok(duration),
        Err(error) => Err(error.to_string()),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate >= 0.001 => Ok(rate),
        Ok(_) => Err("it has to be 0.001 or more".into()),
        Err(error) => Err(error.to_string()),
    }
}

pub(crate) async fn run(options: &Options, common: &Common) -> Result<(), Failure> {
    let callers = usize::try_from(options.concurrency).unwrap_or(usize::MAX);
    let builder = common.client().max_in_flight(callers).timeout(options.timeout);
    let mut interrupt = pin!(tokio::signal::ctrl_c());
    let client = tokio::select! {
        client = builder.connect() => client?,
        _ = &mut interrupt => return Err(Failure::interrupted()),
    };
    let (report, failure) = measure(options, callers, &client, interrupt).await;
    client.close().await;
    if let Some(report) = report {
        let text = match options.output {
            Output::Text => Text(&report).to_string().trim_end().to_owned(),
            Output::Json => report.json().to_string(),
            Output::Csv => report.csv(),
        };
        writeln!(io::stdout(), "{text}").map_err(Failure::of_stdout)?;
    }
    failure.map_or(Ok(()), Err)
}

/// What came of it, and whether that is a failure.
async fn measure(
    options: &Options,
    concurrency: usize,
    client: &Client,
    mut interrupt: Pin<&mut impl Future<Output = io::Result<()>>>,
) -> (Option<Report>, Option<Failure>) {
    let body = Bytes::from(vec![b'x'; options.size]);
    let (queue, client) = (options.queue.clone(), client.clone());
    let call = move || {
        let (client, queue, body) = (client.clone(), queue.clone(), body.clone());
        async move { client.call(&queue, body).await.map(drop) }
    };
    let calls = options.requests.or(options.duration.is_none().then_some(1000));
    let load = Load { concurrency, calls, duration: options.duration, rate: options.rate };
    let tally = Arc::new(Tally::new());

    if options.warmup > 0 {
        let warmup = Load { concurrency, calls: Some(options.warmup), duration: None, rate: None };
        let unseen = Arc::new(Tally::new());
        tokio::select! {
            () = warmup.run(&unseen, call.clone()) => {}
            _ = &mut interrupt => return (None, Some(Failure::interrupted())),
        }
    }
    let progress = Progress::new(load, &tally);
    let start = Instant::now();
    let interrupted = tokio::select! {
        () = load.run(&tally, call) => false,
        _ = &mut interrupt => true,
        () = progress.draw() => true,
    };
    drop(progress);
    let report = Report {
        queue: options.queue.clone(),
        size: options.size,
        load,
        seconds: start.elapsed().as_secs_f64(),
        counts: tally.counts(),
        interrupted,
    };
    let failure = if interrupted { Some(Failure::interrupted()) } else { all_failed(&report) };
    (Some(report), failure)
}

/// The worst of the errors, if there is nothing else.
fn all_failed(report: &Report) -> Option<Failure> {
    let worst = report.counts.worst().filter(|_| report.counts.succeeded() == 0)?;
    let text = format!("no call succeeded: {}", worst.text);
    Some(Failure::new(worst.code, text))
}

//! `serve`: answers the requests in a queue, until a signal or enough of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Args;
use leveret::uri::Uri;
use leveret::{ConnectionState, Fault, Queue, Reply, Request, Server};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, watch};

use crate::common::Common;
use crate::exec;
use crate::failure::Failure;
use crate::properties::printable;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The queue, which is declared durable unless --passive is given
    queue: String,

    #[command(flatten)]
    answer: Answer,

    /// The most requests to work on at a time; 0 is no limit [default: 128; with --count: 1]
    #[arg(long, value_name = "N")]
    prefetch: Option<u16>,

    /// How long to wait before each answer, as in 2s or 500ms
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    delay: Option<Duration>,

    /// End in good order after N requests
    ///
    /// With a --prefetch of more than 1, some more may have come by then. They are answered, too.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,

    /// Take the queue as it is, instead of declaring it; if there is none, fail
    #[arg(long)]
    passive: bool,
}

#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
struct Answer {
    /// Answer with the request's own body, content type and headers
    #[arg(long)]
    echo: bool,

    /// Answer with this text
    #[arg(long, value_name = "TEXT")]
    body: Option<String>,

    /// Run a command for each request; all that follows belongs to it
    #[arg(long, value_name = "COMMAND", num_args = 1.., allow_hyphen_values = true)]
    exec: Vec<String>,
}

pub(crate) async fn run(options: &Options, common: &Common) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let counter = Arc::new(Counter::new(options.count));
    let server = tokio::select! {
        server = start(options, common, &counter) => server?,
        _ = signals.next() => return Err(Failure::interrupted()),
    };
    anstream::eprintln!("serving {} {}", options.queue, where_at(common));
    tokio::spawn(tell(server.connection_state()));

    let why = tokio::select! {
        signal = signals.next() => signal,
        () = counter.enough() => "enough requests",
        stopped = server.stopped() => return Ok(stopped?),
    };
    anstream::eprintln!("{why}: taking no more requests, answering those that were begun");
    let shutdown = async {
        let shutdown = server.shutdown();
        tokio::pin!(shutdown);
        // Its first step is to take no more requests.
        let done =
            std::future::poll_fn(|context| std::task::Poll::Ready(shutdown.as_mut().poll(context)));
        let done = done.await;
        counter.let_go();
        match done {
            std::task::Poll::Ready(result) => result,
            std::task::Poll::Pending => shutdown.await,
        }
    };
    tokio::select! {
        result = shutdown => result?,
        _ = signals.next() => return Err(Failure::interrupted()),
    }
    anstream::eprintln!("answered {} requests", counter.answered.load(Ordering::Relaxed));
    Ok(())
}

async fn start(
    options: &Options,
    common: &Common,
    counter: &Arc<Counter>,
) -> Result<Server, Failure> {
    let queue = Queue::new(&options.queue);
    let queue = if options.passive { queue.passive() } else { queue };
    let (name, answer, delay) = (options.queue.clone(), options.answer.clone(), options.delay);
    let (name, answer, counter) = (Arc::new(name), Arc::new(answer), Arc::clone(counter));
    let handler = move |request| {
        let (name, answer, counter) =
            (Arc::clone(&name), Arc::clone(&answer), Arc::clone(&counter));
        async move {
            counter.begin().await;
            if let Some(delay) = delay {
                tokio::time::sleep(delay).await;
            }
            let reply = answer.to(&name, request).await;
            counter.answered.fetch_add(1, Ordering::Relaxed);
            reply
        }
    };
    let mut builder = common.server().handle(queue, handler);
    if let Some(prefetch) = options.prefetch.or(options.count.map(|_| 1)) {
        builder = builder.prefetch(prefetch);
    }
    Ok(builder.start().await?)
}

impl Answer {
    async fn to(&self, queue: &str, request: Request) -> Result<Reply, Fault> {
        match &self.body {
            Some(text) => Ok(text.clone().into()),
            None if self.echo => Ok(Reply { body: request.body, properties: request.properties }),
            None => exec::answer(&self.exec, queue, request).await,
        }
    }
}

/// How many requests there were, and whether that is enough.
struct Counter {
    limit: Option<u64>,
    begun: AtomicU64,
    answered: AtomicU64,
    enough: Notify,
    may_go_on: watch::Sender<bool>,
}

impl Counter {
    fn new(limit: Option<u64>) -> Self {
        Self {
            limit,
            begun: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            enough: Notify::new(),
            may_go_on: watch::Sender::new(false),
        }
    }

    /// Counts a request. The last one waits until no more are taken: the broker would send another as
    /// soon as it is answered.
    async fn begin(&self) {
        let number = self.begun.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if self.limit.is_some_and(|limit| number >= limit) {
            self.enough.notify_one();
            let mut may_go_on = self.may_go_on.subscribe();
            // The sender is this counter's own, and so outlives this.
            may_go_on.wait_for(|may_go_on| *may_go_on).await.ok();
        }
    }

    async fn enough(&self) {
        self.enough.notified().await;
    }

    fn let_go(&self) {
        self.may_go_on.send_replace(true);
    }
}

/// The two that ask a program to end.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        let signal = |kind| {
            signal(kind)
                .map_err(|error| Failure::other(format!("signals cannot be caught: {error}")))
        };
        let (interrupt, terminate) = (SignalKind::interrupt(), SignalKind::terminate());
        Ok(Self { interrupt: signal(interrupt)?, terminate: signal(terminate)? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

/// Says what becomes of the connection.
async fn tell(mut state: watch::Receiver<ConnectionState>) {
    state.mark_unchanged();
    while state.changed().await.is_ok() {
        let text = match &*state.borrow_and_update() {
            ConnectionState::Connected => "connected".to_owned(),
            ConnectionState::Blocked { reason } => format!("the broker has an alarm on: {reason}"),
            ConnectionState::Unserved { cause } => format!("the queue is not served: {cause}"),
            ConnectionState::Reconnecting { cause, .. } => format!("connecting anew: {cause}"),
            _ => continue,
        };
        anstream::eprintln!("{}", printable(&text));
    }
}

/// Without user and password.
fn where_at(common: &Common) -> String {
    let addresses = common.url.parse::<Uri>().map(|uri| {
        let addresses = uri.addresses().iter().map(ToString::to_string);
        format!("at {}", addresses.collect::<Vec<_>>().join(", "))
    });
    addresses.unwrap_or_default()
}

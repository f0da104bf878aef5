//! The load: 64 tasks that call in a loop.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use leveret::{Client, Fault, Request};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::ledger::{Call, Ledger};

/// Calls under way at the same time.
pub(crate) const CALLS: usize = 64;

/// A call that has not ended so long after its deadline never will.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a caller rests after a failure, so that calls which fail at once make no hot loop.
const REST: Duration = Duration::from_millis(10);

/// A call that was answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Success {
    pub(crate) begun: Instant,
    pub(crate) ended: Instant,
}

/// The latest success of a client.
pub(crate) type Successes = watch::Receiver<Option<Success>>;

pub(crate) struct Load {
    /// One of each client.
    pub(crate) successes: Vec<Successes>,
    ledger: Arc<Ledger>,
    callers: JoinSet<()>,
    stop: watch::Sender<bool>,
    next: Arc<AtomicU64>,
}

impl Load {
    /// Sets the callers to work, each on one of the clients.
    pub(crate) fn begin(clients: &[Client], queue: &str, ledger: &Arc<Ledger>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (senders, successes): (Vec<_>, Vec<_>) = clients
            .iter()
            .map(|_| watch::channel(None))
            .map(|(to, from)| (Arc::new(to), from))
            .unzip();
        let next = Arc::new(AtomicU64::new(1));
        let mut callers = JoinSet::new();
        for index in 0..CALLS {
            let index = index % clients.len();
            let caller = Caller {
                client: clients[index].clone(),
                queue: queue.to_owned(),
                ledger: Arc::clone(ledger),
                successes: Arc::clone(&senders[index]),
                next: Arc::clone(&next),
            };
            let stopped = stopped.clone();
            callers.spawn(async move {
                while !*stopped.borrow() {
                    caller.call().await;
                }
            });
        }
        Self { successes, ledger: Arc::clone(ledger), callers, stop, next }
    }

    /// Lets the calls that are under way end, and makes no more. Returns a call that was not made.
    pub(crate) async fn stop(&mut self) -> Call {
        self.stop.send_replace(true);
        while let Some(ended) = self.callers.join_next().await {
            if let Err(error) = ended {
                self.ledger.wrong(format!("a call panicked: {error}"));
            }
        }
        Call(self.next.fetch_add(1, Ordering::Relaxed))
    }
}

struct Caller {
    client: Client,
    queue: String,
    ledger: Arc<Ledger>,
    successes: Arc<watch::Sender<Option<Success>>>,
    next: Arc<AtomicU64>,
}

impl Caller {
    async fn call(&self) {
        let call = Call(self.next.fetch_add(1, Ordering::Relaxed));
        let request = self.client.request(&self.queue).body(call.body()).timeout(call.timeout());
        let begun = Instant::now();
        let Ok(result) = timeout(call.timeout() + PATIENCE, request.send()).await else {
            return self.ledger.wrong(format!("{call:?} hangs"));
        };
        let ended = Instant::now();
        let late = (ended - begun).saturating_sub(call.timeout());
        self.ledger.ended(call, late, &result);
        match result {
            Ok(_) => _ = self.successes.send_replace(Some(Success { begun, ended })),
            Err(_) => sleep(REST).await,
        }
    }
}

/// What answers the calls.
pub(crate) fn handler(
    ledger: &Arc<Ledger>,
) -> impl Fn(Request) -> HandlerFuture + Send + Sync + 'static {
    let ledger = Arc::clone(ledger);
    move |request| {
        let call = ledger.saw(&request.body, request.redelivered);
        Box::pin(work(call))
    }
}

type HandlerFuture = std::pin::Pin<Box<dyn Future<Output = Result<Vec<u8>, Fault>> + Send>>;

/// A while of work, and the answer.
pub(crate) async fn work(call: Option<Call>) -> Result<Vec<u8>, Fault> {
    let call = call.ok_or_else(|| Fault::new("unknown", "nobody made this call"))?;
    sleep(call.work()).await;
    Ok(call.answer())
}

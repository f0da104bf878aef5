//! A scenario from its first call to its judgement: clients, servers and the load between them.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use leveret::{Client, Queue, Server};
use tokio::time::{sleep, timeout};

use crate::broker::Cluster;
use crate::figures::Figures;
use crate::ledger::Ledger;
use crate::load::{Load, Success, handler};

/// How soon calls have to succeed once the broker can be reached.
pub(crate) const BOUND: Duration = Duration::from_secs(2);

/// What has not come so long after a fault never will.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at something.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Calls that succeed before the next fault, so that it strikes a load that is well under way.
const FLOW: u64 = 256;

/// Who plays, and on what.
pub(crate) struct Cast {
    pub(crate) name: &'static str,
    pub(crate) queue: Queue,
    pub(crate) queue_name: String,
    /// The URI of each client.
    pub(crate) clients: Vec<String>,
    /// The URI of each server in this process.
    pub(crate) servers: Vec<String>,
    /// The errors that the fault may cause.
    pub(crate) errors: &'static [&'static str],
}

impl Cast {
    /// A client and a server on an ordinary queue.
    pub(crate) fn new(name: &'static str, url: &str, errors: &'static [&'static str]) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
        let queue_name = format!("leveret-faults.{:x}", now.as_nanos());
        Self {
            name,
            queue: Queue::new(&queue_name),
            queue_name,
            clients: vec![url.to_owned()],
            servers: vec![url.to_owned()],
            errors,
        }
    }
}

pub(crate) struct Scene {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) clients: Vec<Client>,
    pub(crate) servers: Vec<Server>,
    pub(crate) queue: String,
    name: &'static str,
    errors: &'static [&'static str],
    load: Load,
    recoveries: Vec<Duration>,
    result: &'static str,
}

impl Scene {
    /// Connects everybody, and returns when the load is under way.
    pub(crate) async fn begin(cluster: &Cluster, cast: Cast) -> Self {
        Self::begin_with(cluster, cast, Arc::default()).await
    }

    /// The same with a ledger that a server in another process writes to, too.
    pub(crate) async fn begin_with(cluster: &Cluster, cast: Cast, ledger: Arc<Ledger>) -> Self {
        for node in &cluster.nodes {
            node.accepts().await;
        }
        let (mut servers, mut clients) = (Vec::new(), Vec::new());
        for url in cast.servers {
            let server = Server::builder(url).handle(cast.queue.clone(), handler(&ledger));
            servers.push(server.start().await.expect("the server starts"));
        }
        for url in cast.clients {
            clients.push(Client::connect(url).await.expect("the client connects"));
        }
        Self {
            load: Load::begin(&clients, &cast.queue_name, &ledger),
            ledger,
            clients,
            servers,
            queue: cast.queue_name,
            name: cast.name,
            errors: cast.errors,
            recoveries: Vec::new(),
            result: "PANICKED",
        }
    }

    /// Returns when the load is well under way.
    pub(crate) async fn flow(&self) {
        let answered = self.ledger.tally().ok + FLOW;
        self.until("calls are answered", || self.ledger.tally().ok >= answered).await;
    }

    /// Waits until something is so, and returns when it was.
    pub(crate) async fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) -> Instant {
        let wait = async {
            while !is_so() {
                sleep(POLL_INTERVAL).await;
            }
            Instant::now()
        };
        let instant = timeout(PATIENCE, wait).await;
        instant.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
    }

    /// Each client has calls answered again, within the bound from the moment when that became
    /// possible.
    pub(crate) async fn recover(
        &mut self,
        possible: Instant,
        bound: Duration,
        counts: impl Fn(Success) -> bool,
    ) {
        let mut longest = Duration::ZERO;
        for (index, successes) in self.load.successes.iter_mut().enumerate() {
            let success = successes.wait_for(|success| success.is_some_and(&counts));
            let success = timeout(PATIENCE, success).await;
            let success = success.unwrap_or_else(|_| panic!("no call succeeds any more"));
            let ended = success.expect("the load goes on").expect("a success").ended;
            let took = ended.saturating_duration_since(possible);
            if took > bound {
                self.ledger.wrong(format!("client {index}: no success before {took:?}"));
            }
            longest = longest.max(took);
        }
        self.recoveries.push(longest);
    }

    /// Something that has to be so, or else the scenario shows nothing.
    pub(crate) fn expect(&self, is_so: bool, what: &str) {
        if !is_so {
            self.ledger.wrong(format!("not so: {what}"));
        }
    }

    /// Ends the load, and returns when all that it left in the queue was handled.
    pub(crate) async fn quieten(&mut self) {
        let call = self.load.stop().await;
        for client in &self.clients {
            let stats = client.stats();
            let ended = stats.replies + stats.faults + stats.failures + stats.dropped;
            let nothing_left = stats.pending == 0 && stats.waiting == 0 && stats.calls == ended;
            self.expect(nothing_left, &format!("no call is left behind: {stats:?}"));
        }
        // What is in the queue before it has been delivered when this call is.
        let last = self.clients[0].request(&self.queue).body(call.body()).timeout(PATIENCE);
        let last = last.send().await;
        self.expect(last.is_ok(), &format!("a last call succeeds: {last:?}"));
    }

    /// Ends everybody in good order, and judges what happened.
    pub(crate) async fn end(mut self) {
        for client in self.clients.drain(..) {
            client.close().await;
        }
        for server in std::mem::take(&mut self.servers) {
            let ended = server.shutdown().await;
            self.expect(ended.is_ok(), &format!("the server ends in good order: {ended:?}"));
        }
        for (error, count) in &self.ledger.tally().errors {
            let expected = self.errors.contains(&error.as_str());
            self.expect(expected, &format!("no call fails with {error}: {count} did"));
        }
        let wrong = self.ledger.judge();
        self.result = if wrong.is_empty() { "ok" } else { "WRONG" };
        drop(self);
        let shown = wrong.iter().take(10).map(|line| format!("\n  {line}")).collect::<String>();
        assert!(wrong.is_empty(), "{} things are wrong, such as{shown}", wrong.len());
    }
}

/// A scenario that ends in a panic has its figures, too.
impl Drop for Scene {
    fn drop(&mut self) {
        let figures = Figures {
            scenario: self.name.to_owned(),
            tally: self.ledger.tally(),
            recoveries: self.recoveries.clone(),
            result: self.result.to_owned(),
        };
        if let Err(error) = figures.record()
            && !thread::panicking()
        {
            panic!("the table of figures: {error}");
        }
    }
}

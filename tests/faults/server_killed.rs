//! A server is killed while its handlers run, and another takes its place.

use std::env;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use leveret::{Queue, Request, Server};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::broker::Cluster;
use crate::ledger::{Call, Ledger};
use crate::load::work;
use crate::scene::{BOUND, Cast, Scene};

const TIMES: usize = 10;

/// The longest that anything of the other process may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The test is also the server: a process that it starts of itself, to be killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a broker of its own: cargo xtask faults"]
async fn calls_succeed_again_after_their_server_is_killed() {
    match env::var(QUEUE) {
        Ok(queue) => serve(&queue).await,
        Err(_) => kill_servers().await,
    }
}

/// Names the queue to serve.
const QUEUE: &str = "LEVERET_FAULTS_QUEUE";

async fn kill_servers() {
    let cluster = Cluster::own();
    let mut cast = Cast::new("server killed", &cluster.url(0), &["Timeout"]);
    cast.servers.clear();
    // Calls to no queue would fail.
    let declared = Server::builder(cluster.url(0))
        .handle(cast.queue.clone(), |_: Request| async { Ok(()) })
        .start();
    declared.await.unwrap().shutdown().await.unwrap();
    let ledger = Arc::new(Ledger::default());
    let mut server = Process::start(&cast.queue_name, &ledger).await;
    let mut scene = Scene::begin_with(&cluster, cast, ledger).await;
    for _ in 0..TIMES {
        scene.flow().await;
        let redelivered = scene.ledger.tally().redelivered;
        server.kill().await;
        server = Process::start(&scene.queue, &scene.ledger).await;
        let started = server.started;
        scene.recover(started, BOUND, |success| success.ended >= started).await;
        let again = || scene.ledger.tally().redelivered > redelivered;
        scene.until("the requests of the dead server reach the next", again).await;
    }
    scene.quieten().await;
    server.end().await;
    scene.end().await;
}

/// The server in a process of its own. It writes a line for each request before it works on it.
async fn serve(queue: &str) {
    // Ends the line that the test harness has begun.
    println!();
    let handler = |request: Request| {
        let call = Call::of(&request.body);
        match call {
            Some(call) => println!("saw {} {}", call.0, request.redelivered),
            None => println!("saw {} octets", request.body.len()),
        }
        work(call)
    };
    let server = Server::builder(Cluster::own().url(0)).handle(Queue::new(queue), handler);
    let server = server.start().await.unwrap();
    println!("ready");
    // Whoever started it wants its end, or has died.
    let input = || std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    tokio::task::spawn_blocking(input).await.unwrap().unwrap();
    server.shutdown().await.unwrap();
}

/// The other process.
struct Process {
    child: Child,
    started: Instant,
    stdin: Option<ChildStdin>,
    /// Ends when all was read that it has written.
    reader: JoinHandle<()>,
}

impl Process {
    /// Starts the server, and waits until it serves.
    async fn start(queue: &str, ledger: &Arc<Ledger>) -> Self {
        let name = "server_killed::calls_succeed_again_after_their_server_is_killed";
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", name, "--ignored", "--nocapture"]).env(QUEUE, queue);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (ready, is_ready) = oneshot::channel();
        let ledger = Arc::clone(ledger);
        let reader = tokio::spawn(async move {
            let mut ready = Some(ready);
            while let Some(line) = lines.next_line().await.unwrap() {
                match line.split(' ').collect::<Vec<_>>()[..] {
                    ["ready"] => ready.take().unwrap().send(Instant::now()).unwrap(),
                    ["saw", call, redelivered] => match (call.parse(), redelivered.parse()) {
                        (Ok(call), Ok(redelivered)) => ledger.saw_call(Call(call), redelivered),
                        _ => ledger.wrong(format!("the server {line}")),
                    },
                    // The test harness talks, too.
                    _ => {}
                }
            }
        });
        let started = timeout(PATIENCE, is_ready).await.expect("the server starts in time");
        Self { child, started: started.expect("the server starts"), stdin, reader }
    }

    /// Kills it (SIGKILL), and hears its last words.
    async fn kill(mut self) {
        self.child.kill().await.unwrap();
        timeout(PATIENCE, self.reader).await.unwrap().unwrap();
    }

    /// Ends it in good order.
    async fn end(mut self) {
        drop(self.stdin.take());
        let status = timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap();
        assert!(status.success(), "the server in the other process: {status}");
        timeout(PATIENCE, self.reader).await.unwrap().unwrap();
    }
}

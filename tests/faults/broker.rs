//! The broker of a scenario as processes: they are killed, frozen and started again.

use std::env;
use std::io;
use std::process::Command;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// The longest that anything of a broker may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Between two looks at a broker.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The nodes of a broker that may be disturbed: one or more.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
}

#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Counted from 1.
    number: usize,
    /// Host and port.
    address: String,
}

impl Cluster {
    /// The broker that `cargo xtask faults` has started.
    pub(crate) fn own() -> Self {
        let urls = variable("LEVERET_RABBITMQ_URLS");
        let address = |url: &str| {
            let (_, rest) = url.split_once('@').expect("a URL has a login");
            rest.split('/').next().unwrap_or_default().to_owned()
        };
        let nodes = urls.split_whitespace().enumerate();
        let nodes = nodes.map(|(index, url)| Node { number: index + 1, address: address(url) });
        Self { nodes: nodes.collect() }
    }

    /// The URI of all nodes, one of which is the first to be tried.
    pub(crate) fn url(&self, first: usize) -> String {
        let mut addresses = self.nodes.iter().map(|node| node.address.as_str()).collect::<Vec<_>>();
        addresses.rotate_left(first % self.nodes.len());
        format!("amqp://guest:guest@{}/%2f", addresses.join(","))
    }
}

impl Node {
    /// Kills the node (SIGKILL), which is gone when this returns. The remedy starts it again and
    /// waits until it is up.
    pub(crate) async fn kill(&self) -> Remedy {
        let remedy = Remedy::new(self.command("restart"));
        run(&self.command("kill")).await.unwrap();
        remedy
    }

    /// Freezes the node (SIGSTOP), until the remedy lets it go on.
    pub(crate) async fn pause(&self) -> Remedy {
        let remedy = Remedy::new(self.command("resume"));
        run(&self.command("pause")).await.unwrap();
        remedy
    }

    /// Makes the node take its memory for full, until the remedy tells it otherwise.
    pub(crate) async fn raise_memory_alarm(&self) -> Remedy {
        const SET: &str = "set_vm_memory_high_watermark";
        let ask = ["eval", "vm_memory_monitor:get_vm_memory_high_watermark()."];
        let watermark = self.tool("rabbitmqctl", &ask).await.unwrap();
        let remedy = Remedy::new(self.tool_command("rabbitmqctl", &[SET, watermark.trim()]));
        self.ctl(&[SET, "0.000001"]).await;
        remedy
    }

    /// Sets limits of the node by an Erlang expression, until the remedy evaluates another.
    pub(crate) async fn set_limits(&self, limits: &str, defaults: &str) -> Remedy {
        let remedy = Remedy::new(self.tool_command("rabbitmqctl", &["eval", defaults]));
        self.ctl(&["eval", limits]).await;
        remedy
    }

    /// Waits until the node answers a protocol header, and returns when it did.
    pub(crate) async fn accepts(&self) -> Instant {
        let answered = async {
            while !matches!(timeout(Duration::from_secs(1), self.greet()).await, Ok(Ok(()))) {
                sleep(POLL_INTERVAL).await;
            }
            Instant::now()
        };
        let answered = timeout(PATIENCE, answered).await;
        answered.unwrap_or_else(|_| panic!("{} accepts no connections", self.address))
    }

    async fn greet(&self) -> io::Result<()> {
        const METHOD_FRAME: u8 = 1;
        let mut stream = TcpStream::connect(&self.address).await?;
        stream.write_all(b"AMQP\x00\x00\x09\x01").await?;
        match stream.read_u8().await? {
            METHOD_FRAME => Ok(()),
            octet => Err(io::Error::other(format!("{octet} instead of connection.start"))),
        }
    }

    /// `rabbitmqctl` on this node, which has to succeed.
    pub(crate) async fn ctl(&self, arguments: &[&str]) {
        self.tool("rabbitmqctl", arguments).await.unwrap();
    }

    /// A tool of RabbitMQ's on this node. Its output if it succeeds.
    pub(crate) async fn tool(&self, tool: &str, arguments: &[&str]) -> Result<String, String> {
        run(&self.tool_command(tool, arguments)).await
    }

    fn tool_command(&self, tool: &str, arguments: &[&str]) -> Vec<String> {
        let (name, node) = (variable("LEVERET_RABBITMQ_NAME"), self.number.to_string());
        let ctl = ["ctl", &name, "--node", &node, "--tool", tool, "--quiet"];
        ctl.iter().chain(arguments).map(ToString::to_string).collect()
    }

    fn command(&self, command: &str) -> Vec<String> {
        vec![command.to_owned(), variable("LEVERET_RABBITMQ_NAME"), self.number.to_string()]
    }
}

/// What undoes a fault. It is applied in any case: at the latest when it is dropped, in a panic for
/// example, so that the next scenario finds a broker in order.
#[derive(Debug)]
#[must_use]
pub(crate) struct Remedy {
    command: Vec<String>,
    applied: bool,
}

impl Remedy {
    fn new(command: Vec<String>) -> Self {
        Self { command, applied: false }
    }

    pub(crate) async fn apply(mut self) {
        run(&self.command).await.unwrap();
        self.applied = true;
    }
}

impl Drop for Remedy {
    fn drop(&mut self) {
        if !self.applied {
            let status = script(&self.command).status();
            eprintln!("{:?} at last: {status:?}", self.command);
        }
    }
}

/// Runs the script that administers the brokers. Its output, or what it complained about.
async fn run(arguments: &[String]) -> Result<String, String> {
    let output = tokio::process::Command::from(script(arguments)).output();
    let output = output.await.expect("LEVERET_RABBITMQ is a program");
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(format!("{arguments:?}: {}", text(&output.stderr))),
    }
}

fn script(arguments: &[String]) -> Command {
    let mut command = Command::new(variable("LEVERET_RABBITMQ"));
    command.args(arguments);
    command
}

pub(crate) fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `cargo xtask faults`"))
}

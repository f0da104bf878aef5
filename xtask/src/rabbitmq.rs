//! Private RabbitMQ brokers, by way of the script `xtask/rabbitmq/rabbitmq`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{Result, cache, process, workspace};

/// `cargo xtask rabbitmq ...`: the script's own command line.
pub(crate) fn pass_on(arguments: &[String]) -> Result {
    let status = process::run(script()?.args(arguments))?;
    if status.success() { Ok(()) } else { Err(format!("rabbitmq: {status}").into()) }
}

/// The version that a broker has when none is asked for.
pub(crate) fn default_version() -> Result<String> {
    Ok(process::output(script()?.arg("version"))?.trim().to_owned())
}

/// A running broker, stopped and wiped on drop.
pub(crate) struct Broker {
    pub(crate) version: String,
    pub(crate) name: String,
    /// The URI of each of its nodes.
    uris: Vec<String>,
    /// That of its first node.
    pub(crate) log: PathBuf,
}

impl Broker {
    /// Starts a broker whose name begins with `purpose`.
    pub(crate) fn start(purpose: &str, version: &str) -> Result<Self> {
        Self::start_cluster(purpose, version, 1)
    }

    /// Starts a broker of so many nodes.
    pub(crate) fn start_cluster(purpose: &str, version: &str, nodes: usize) -> Result<Self> {
        // The name is settled first, so that drop finds what a failed start left.
        let mut broker = Self {
            version: version.to_owned(),
            name: format!("{purpose}-{}-{}", version.replace('.', ""), std::process::id()),
            uris: Vec::new(),
            log: PathBuf::new(),
        };
        let start = ["start", version, "--name", &broker.name, "--nodes", &nodes.to_string()];
        let uris = process::output(script()?.args(start))?;
        let log = process::output(script()?.args(["log", &broker.name, "1"]))?;
        broker.uris = uris.lines().map(ToOwned::to_owned).collect();
        broker.log = log.trim().into();
        Ok(broker)
    }

    /// The URI of its first node.
    pub(crate) fn uri(&self) -> &str {
        &self.uris[0]
    }

    /// Tells a test where the broker is and how to administer it.
    pub(crate) fn describe_to<'a>(&self, command: &'a mut Command) -> Result<&'a mut Command> {
        Ok(command
            .env("AMQP_URL", self.uri())
            .env("LEVERET_RABBITMQ_URLS", self.uris.join(" "))
            .env("LEVERET_BROKER_VERSION", &self.version)
            .env("LEVERET_RABBITMQ", script_path())
            .env("LEVERET_RABBITMQ_HOME", home()?)
            .env("LEVERET_RABBITMQ_NAME", &self.name)
            .env("LEVERET_RABBITMQ_LOG", &self.log))
    }

    /// The broker's data goes with it, so its log is put where a failure can be studied.
    pub(crate) fn keep_log(&self) -> Result {
        let kept = workspace().join(format!("target/rabbitmq-{}.log", self.version));
        fs::create_dir_all(workspace().join("target"))?;
        fs::copy(&self.log, &kept)?;
        eprintln!("xtask: the log of RabbitMQ {} is kept in {}", self.version, kept.display());
        Ok(())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let stop = script().and_then(|mut script| {
            // A start that failed early has left no broker, which `stop` would report.
            let stderr = if self.uris.is_empty() { Stdio::null() } else { Stdio::inherit() };
            process::run_uninterrupted(script.args(["stop", &self.name, "--purge"]).stderr(stderr))
        });
        if let Err(error) = stop {
            eprintln!("xtask: could not stop {}: {error}", self.name);
        }
    }
}

fn script() -> Result<Command> {
    let mut command = Command::new(script_path());
    command.env("LEVERET_RABBITMQ_HOME", home()?);
    Ok(command)
}

fn script_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("rabbitmq/rabbitmq")
}

fn home() -> Result<PathBuf> {
    match std::env::var_os("LEVERET_RABBITMQ_HOME") {
        Some(home) if !home.is_empty() => Ok(home.into()),
        _ => Ok(cache()?.join("rabbitmq")),
    }
}

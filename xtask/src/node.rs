//! Packages of Node for the peers.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::{
    Result,
    peers::{Environment, require, succeeds},
    process::check,
};

const NODE: &str = "node";

/// Exits with 0 if this Node is new enough for amqplib.
const IS_RECENT: &str = "process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)";

/// A directory that has `node_modules`.
pub(crate) struct Packages(PathBuf);

impl Packages {
    pub(crate) fn prepare() -> Result<Self> {
        let environment = Environment::new("node", "package.json")?;
        let has_node = || succeeds(NODE, ["-e", IS_RECENT]);
        if environment.is_complete() && has_node() {
            return Ok(Self(environment.directory));
        }

        // Debian has npm in a package of its own; other packages of Node bring it along.
        let has_npm = || succeeds("npm", ["--version"]);
        if !(require(&["nodejs"], has_node)? && require(&["npm"], has_npm)?) {
            return Err("the JavaScript peers need Node 18 or later with npm: install the \
                        packages nodejs and npm, or pass --no-peers"
                .into());
        }
        environment.fill(|| {
            fs::copy(&environment.requirements, environment.directory.join("package.json"))?;
            let mut npm = Command::new("npm");
            npm.args([
                "install",
                "--no-audit",
                "--no-fund",
                "--no-package-lock",
                "--ignore-scripts",
            ])
            .current_dir(&environment.directory)
            .stdout(Stdio::null());
            check("npm install", &mut npm)
        })?;
        Ok(Self(environment.directory))
    }

    pub(crate) fn describe_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("LEVERET_NODE", NODE).env("LEVERET_NODE_PEERS", &self.0)
    }
}

//! Mistakes that somebody might make, and that the simulation has to find.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{SIMULATION, cargo, range};
use crate::{Result, process, workspace};

/// A mistake: in a file, one text stands in the place of another.
struct Mutation {
    what: &'static str,
    file: &'static str,
    text: &'static str,
    replacement: &'static str,
}

const MUTATIONS: [Mutation; 22] = [
    Mutation {
        what: "calls that wait are forgotten with the connection",
        file: "src/requester/events.rs",
        text: "        self.wait_again();\n",
        replacement: "        self.wait_again();\n        self.waiting.clear();\n",
    },
    Mutation {
        what: "calls that wait for a channel stay there without a connection",
        file: "src/requester/events.rs",
        text: "        self.wait_again();\n",
        replacement: "",
    },
    Mutation {
        what: "deadlines rest while there is no connection",
        file: "src/requester/events.rs",
        text: "earlier(self.subscription_deadline, self.deadlines.next())",
        replacement: "earlier(self.subscription_deadline, self.deadlines.next().filter(|_| !self.is_disconnected()))",
    },
    Mutation {
        what: "a request that waits behind others counts as never written",
        file: "src/requester/resolving.rs",
        text: "if over { self.is_transmitted(id) } else { is_sent }",
        replacement: "self.is_transmitted(id)",
    },
    Mutation {
        what: "a late reply is taken for that to the next call in its place",
        file: "src/requester/calls.rs",
        text: "if slot.generation == id.generation { slot.call.as_mut() } else { None }",
        replacement: "slot.call.as_mut()",
    },
    Mutation {
        what: "a call that is dropped still counts as in flight",
        file: "src/requester/mod.rs",
        text: "self.leave_flight(id, call.phase.is_in_flight(), false)",
        replacement: "self.leave_flight(id, false, false)",
    },
    Mutation {
        what: "a channel that nothing was heard of is lent again",
        file: "src/requester/resolving.rs",
        text: "let did_well = is_word_of_the_channel(&result);",
        replacement: "let did_well = is_word_of_the_channel(&result) || result.is_err();",
    },
    Mutation {
        what: "a channel that nobody uses makes no room",
        file: "src/requester/sending.rs",
        text: "if let Some(idle) = self.side_channels.take_idle() {",
        replacement: "if let Some(idle) = None::<u16> {",
    },
    Mutation {
        what: "what may have run is sent again where only the rest may be",
        file: "src/requester/retrying.rs",
        text: "Retry::NotExecuted => outcome == Outcome::NotExecuted",
        replacement: "Retry::NotExecuted => outcome != Outcome::Executed",
    },
    Mutation {
        what: "an alarm outlives its connection",
        file: "src/requester/events.rs",
        text: "        self.blocked = None;\n        self.proven_size",
        replacement: "        self.proven_size",
    },
    Mutation {
        what: "the end of a call wakes nobody",
        file: "src/requester/resolving.rs",
        text: "self.wake.extend(call.waker.take());",
        replacement: "drop(call.waker.take());",
    },
    Mutation {
        what: "a request that has waited is kept for its whole timeout",
        file: "src/requester/sending.rs",
        text: "expiration(call.deadline.since(now))",
        replacement: "expiration(call.timeout)",
    },
    Mutation {
        what: "there is no end to what waits for the socket",
        file: "src/requester/sending.rs",
        text: "self.connection.transmit_len() < MAX_UNSENT",
        replacement: "self.connection.transmit_len() < usize::MAX",
    },
    Mutation {
        what: "who is refused once never asks again",
        file: "src/reconnect/link.rs",
        text: "if matches!(self.state, State::Over | State::Resting { .. }) {",
        replacement: "if matches!(self.state, State::Over | State::Resting { .. } | State::Reaching { .. }) {",
    },
    Mutation {
        what: "a sign of life that waits for the socket is due again at once",
        file: "src/connection/frames.rs",
        text: "            self.heartbeat.sent(now);\n",
        replacement: "",
    },
    Mutation {
        what: "a request is acknowledged before it is answered",
        file: "src/responder/answer.rs",
        text: "        if redelivered {\n",
        replacement: "        if redelivered || !has_panicked {\n",
    },
    Mutation {
        what: "an acknowledgement takes others with it that are not answered",
        file: "src/responder/acknowledgements.rs",
        text: "|tag: &u64| *tag < first_open;",
        replacement: "|tag: &u64| *tag <= first_open.max(u64::MAX);",
    },
    Mutation {
        what: "of the replies that were held, one is sent",
        file: "src/responder/answer.rs",
        text: "while self.connection.is_channel_open(channel)",
        replacement: "if self.connection.is_channel_open(channel)",
    },
    Mutation {
        what: "a delivery of the old connection is acknowledged on the new one",
        file: "src/responder/queue.rs",
        text: "        self.generation = self.generation.wrapping_add(1);\n",
        replacement: "",
    },
    Mutation {
        what: "a queue whose consumer was cancelled is left alone",
        file: "src/responder/events.rs",
        text: "ConsumerCancelled { queue: queue.name() };\n                queue.rest(now, &mut self.connection, cause);\n",
        replacement: "ConsumerCancelled { queue: queue.name() };\n                queue.state = State::Cancelled;\n                drop(cause);\n",
    },
    Mutation {
        what: "a request runs that nobody waits for",
        file: "src/responder/events.rs",
        text: "if arrived.deadline.is_some_and(|deadline| deadline <= now) {",
        replacement: "if arrived.deadline.is_some_and(|deadline| deadline < Instant::default()) {",
    },
    Mutation {
        what: "a server ends while its handlers run",
        file: "src/responder/queue.rs",
        text: "self.state == State::Cancelled && self.running == 0 && self.arrived == 0",
        replacement: "self.state == State::Cancelled && self.arrived == 0",
    },
];

/// Tries them all, and prints a table. One that is not caught is an error.
pub(super) fn run(from: u64, seeds: u64) -> Result {
    let copy = Copy::new()?;
    let mut rows = Vec::new();
    for mutation in &MUTATIONS {
        eprintln!("xtask: {}", mutation.what);
        copy.restore()?;
        copy.mutate(mutation)?;
        rows.push((mutation.what, copy.simulate(from, seeds)?));
    }
    copy.restore()?;
    println!("| mutation | seeds | what was said |\n| --- | --: | --- |");
    for (what, caught) in &rows {
        match caught {
            Some(Caught { seeds, words }) => println!("| {what} | {seeds} | {words} |"),
            None => println!("| {what} | | NOT CAUGHT |"),
        }
    }
    let missed = rows.iter().filter(|(_, caught)| caught.is_none()).count();
    if missed == 0 { Ok(()) } else { Err(format!("{missed} mutations are not caught").into()) }
}

/// How a mutation was found out.
struct Caught {
    seeds: u64,
    words: String,
}

/// The sources once more, to be broken.
struct Copy {
    root: PathBuf,
}

impl Copy {
    fn new() -> Result<Self> {
        let root = workspace().join("target/mutations");
        fs::create_dir_all(&root)?;
        Ok(Self { root })
    }

    /// Makes it the same as the original. What is the same is not touched, so that it need not be
    /// built again.
    fn restore(&self) -> Result {
        for name in ["Cargo.toml", "Cargo.lock", "README.md"] {
            copy_file(&workspace().join(name), &self.root.join(name))?;
        }
        for name in ["src", "codec", "examples", "fuzz", "simulation", "tests", "xtask"] {
            copy_folder(&workspace().join(name), &self.root.join(name))?;
        }
        Ok(())
    }

    fn mutate(&self, mutation: &Mutation) -> Result {
        let path = self.root.join(mutation.file);
        let source = fs::read_to_string(&path)?;
        let found = source.matches(mutation.text).count();
        if found != 1 {
            let Mutation { what, file, text, .. } = mutation;
            return Err(format!("{what}: {file} has {found} times {text:?}, not once").into());
        }
        fs::write(path, source.replace(mutation.text, mutation.replacement))?;
        Ok(())
    }

    fn simulate(&self, from: u64, seeds: u64) -> Result<Option<Caught>> {
        let mut build = cargo();
        build.current_dir(&self.root).args(["build", "--quiet"]).args(SIMULATION);
        build.env("CARGO_TARGET_DIR", self.root.join("target"));
        build.env("RUSTFLAGS", "--cap-lints=allow");
        // It is built more often than it runs for long.
        build.env("CARGO_PROFILE_SIMULATION_OPT_LEVEL", "1");
        build.env("CARGO_PROFILE_SIMULATION_INCREMENTAL", "true");
        process::check("building the mutation", &mut build)?;
        let program = self.root.join("target/simulation/leveret-simulation");
        let mut simulation = Command::new(program);
        let output = simulation.args(range(from, seeds)).stdin(Stdio::null()).output()?;
        if output.status.success() {
            return Ok(None);
        }
        let said = String::from_utf8_lossy(&output.stdout);
        let mut lines = said.lines();
        let seeds = lines.next().and_then(|line| line.split(' ').next()?.parse().ok());
        let words = lines.next().map(|line| line.replace('|', "/"));
        match (seeds, words) {
            (Some(seeds), Some(words)) => Ok(Some(Caught { seeds, words })),
            _ => Err(format!("the simulation has failed in its own way: {output:?}").into()),
        }
    }
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let is_data = ["corpus", "regressions", "target"].iter().any(|it| entry.file_name() == *it);
        match entry.file_type()?.is_dir() {
            true if is_data => {}
            true => copy_folder(&entry.path(), &target)?,
            false => copy_file(&entry.path(), &target)?,
        }
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    let content = fs::read(from)?;
    if fs::read(to).is_ok_and(|present| present == content) {
        return Ok(());
    }
    fs::write(to, content)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A change of the source that a mutation is about is to change the mutation.
    #[test]
    fn every_text_is_found_once() {
        for Mutation { what, file, text, .. } in &MUTATIONS {
            let source = fs::read_to_string(workspace().join(file)).unwrap();
            assert_eq!(source.matches(text).count(), 1, "{what}: {text:?} in {file}");
        }
    }
}

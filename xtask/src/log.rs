//! What a broker complained about while a phase ran.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// The levels that a well-behaved connection never causes.
const COMPLAINTS: [&str; 5] = ["[warning]", "[error]", "[critical]", "[alert]", "[emergency]"];

/// RabbitMQ's log is written behind its back: a line may come this late.
const SETTLING: Duration = Duration::from_secs(1);

/// A place in a log.
pub(crate) struct Mark {
    path: PathBuf,
    offset: u64,
}

impl Mark {
    /// The log's end as of now.
    pub(crate) fn at_end(path: &Path) -> io::Result<Self> {
        thread::sleep(SETTLING);
        Ok(Self { path: path.to_owned(), offset: path.metadata()?.len() })
    }

    /// The complaints written since.
    pub(crate) fn complaints(&self) -> io::Result<Vec<String>> {
        thread::sleep(SETTLING);
        let mut log = File::open(&self.path)?;
        log.seek(SeekFrom::Start(self.offset))?;
        let mut bytes = Vec::new();
        log.read_to_end(&mut bytes)?;
        Ok(complaints_in(&String::from_utf8_lossy(&bytes)))
    }
}

fn complaints_in(log: &str) -> Vec<String> {
    let complains = |line: &&str| COMPLAINTS.iter().any(|level| line.contains(level));
    let lines: Vec<&str> = log.lines().filter(complains).collect();
    // What is said at one moment by one process is one report.
    let reports = lines.chunk_by(|one, next| speaker(one) == speaker(next));
    reports.filter(|report| !is_own_race(report)).flatten().map(ToString::to_string).collect()
}

/// Time and process of a line: what comes before and after its level.
fn speaker(line: &str) -> Option<(&str, &str)> {
    let (time, rest) = line.split_once('[')?;
    let (_, rest) = rest.split_once("] ")?;
    Some((time, rest.split_once(' ')?.0))
}

/// RabbitMQ 3.10 reports once in some hundred connections that the supervisor of their channels
/// met one that was already shutting down. It names no client and blames none.
fn is_own_race(report: &[&str]) -> bool {
    ["rabbit_channel_sup_sup}", "errorContext: shutdown_error", "reason: shutdown"]
        .iter()
        .all(|part| report.iter().any(|line| line.ends_with(part)))
}

#[cfg(test)]
mod tests {
    use super::complaints_in;

    #[test]
    fn warnings_and_worse_are_complaints() {
        let log = "12:00 [info] <0.1.0> accepting AMQP connection\n\
                   12:01 [warning] <0.1.0> closing AMQP connection\n\
                   12:02 [notice] <0.1.0> alarm_handler\n\
                   12:03 [error] <0.1.0> Channel error\n";
        let complaints = complaints_in(log);
        assert_eq!(complaints.len(), 2);
        assert!(complaints[0].starts_with("12:01"));
        assert!(complaints[1].starts_with("12:03"));
    }
    #[test]
    fn a_race_of_the_brokers_own_is_none() {
        let race = "12:00 [error] <0.9.0>     supervisor: {<0.9.0>,rabbit_channel_sup_sup}\n\
                    12:00 [error] <0.9.0>     errorContext: shutdown_error\n\
                    12:00 [error] <0.9.0>     reason: shutdown\n\
                    12:00 [error] <0.9.0>     offender: [{nb_children,1},\n";
        assert!(complaints_in(race).is_empty());
        let crash = race.replace("reason: shutdown", "reason: badmatch");
        assert_eq!(complaints_in(&crash).len(), 4);
        let beside = race.to_owned() + "12:00 [error] <0.1.0> Channel error\n";
        assert_eq!(complaints_in(&beside), ["12:00 [error] <0.1.0> Channel error"]);
    }
}

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
    log.lines()
        .filter(|line| COMPLAINTS.iter().any(|level| line.contains(level)))
        .map(str::to_owned)
        .collect()
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
}

//! [`Trace`]: the frames of all connections on stdout, as they pass.

use std::collections::HashMap;
use std::io::{self, Write};

use leveret::broker::Direction;

use crate::decode::{Line, Stream};

/// What is being read, of each direction of each connection. `None`: frames have ended there, and what
/// comes is not looked at.
#[derive(Debug, Default)]
pub(super) struct Trace {
    streams: HashMap<(u64, Direction), Option<Stream>>,
}

impl Trace {
    /// Prints the frames that are complete with these octets. With none, the connection has ended.
    pub(super) fn pass(
        &mut self,
        connection: u64,
        direction: Direction,
        octets: &[u8],
        out: &mut impl Write,
    ) -> io::Result<()> {
        if octets.is_empty() {
            return self.end(connection, direction, out);
        }
        let key = (connection, direction);
        let stream = self.streams.entry(key).or_insert_with(|| Some(Stream::default()));
        let Some(reading) = stream else { return Ok(()) };
        reading.push(octets);
        loop {
            match reading.next() {
                Ok(Some((_, unit))) => {
                    writeln!(out, "[{connection}] {direction} {}", Line(&unit))?;
                }
                Ok(None) => return out.flush(),
                Err(garbage) => {
                    writeln!(out, "[{connection}] {direction} no frames any more: {garbage}")?;
                    *stream = None;
                    return out.flush();
                }
            }
        }
    }

    fn end(
        &mut self,
        connection: u64,
        direction: Direction,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let stream = self.streams.remove(&(connection, direction)).flatten();
        if let Some(Err(cut_off)) = stream.map(|stream| stream.finish()) {
            writeln!(out, "[{connection}] {direction} {cut_off}")?;
        }
        // The last that is told of a connection.
        if direction == Direction::ToClient {
            writeln!(out, "[{connection}] ended")?;
        }
        out.flush()
    }
}

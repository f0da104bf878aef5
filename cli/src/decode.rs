//! `leveret decode`: octets of a connection as frames, for people or for programs.

mod json;
mod octets;
mod properties;
mod stream;
mod text;

use std::fs;
use std::io::{self, BufWriter, ErrorKind, Read, Write};

use self::octets::Octets;
pub(crate) use self::stream::Stream;
pub(crate) use self::text::Line;
use crate::common::Common;
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The octets of one direction: as they are, in hex, or as xxd and hexdump -C print them; - is stdin
    #[arg(default_value = "-", value_name = "FILE")]
    file: String,

    /// Print each frame as a JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(options: &Options, _common: &Common) -> Result<(), Failure> {
    let Octets { octets, problem } = octets::octets(read(&options.file)?);
    let garbage = match print(&octets, options.json) {
        Ok(garbage) => garbage,
        // Whoever reads has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
        Err(error) => return Err(Failure::of_stdout(error)),
    };
    // Hex that ends in something else cuts off a frame, most often.
    let words: Vec<String> = [garbage, problem].into_iter().flatten().collect();
    if words.is_empty() { Ok(()) } else { Err(Failure::other(words.join("; "))) }
}

fn read(file: &str) -> Result<Vec<u8>, Failure> {
    if file != "-" {
        return fs::read(file).map_err(|error| Failure::other(format!("{file}: {error}")));
    }
    let mut octets = Vec::new();
    match io::stdin().lock().read_to_end(&mut octets) {
        Ok(_) => Ok(octets),
        Err(error) => Err(Failure::other(format!("stdin: {error}"))),
    }
}

/// Prints frames, and gives back what is wrong where they end before the octets do.
fn print(octets: &[u8], as_json: bool) -> io::Result<Option<String>> {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut stream = Stream::default();
    stream.push(octets);
    let garbage = loop {
        match stream.next() {
            Ok(Some((offset, unit))) if as_json => writeln!(out, "{}", json::json(offset, &unit))?,
            Ok(Some((_, unit))) => writeln!(out, "{}", Line(&unit))?,
            Ok(None) => break stream.finish().err(),
            Err(garbage) => break Some(garbage),
        }
    };
    out.flush()?;
    Ok(garbage.map(|garbage| garbage.to_string()))
}

//! `cargo xtask hostile`: the hostile peers, and what came of each attack.

use std::{fs, process::Command};

use crate::{Result, process, table::Table, workspace};

/// Runs every attack, one after the other, and prints the table.
pub(crate) fn run() -> Result {
    let path = workspace().join("target/hostile.tsv");
    fs::create_dir_all(workspace().join("target"))?;
    fs::write(&path, "")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(workspace())
        .args(["test", "--all-features", "--test", "hostile", "--", "--test-threads=1"])
        .env("LEVERET_HOSTILE_TABLE", &path)
        // To print one takes more memory than any attack.
        .env("RUST_BACKTRACE", "0")
        .env_remove("AMQP_URL");
    let status = process::run(&mut command)?;

    // A table of those that failed, too.
    let lines = fs::read_to_string(&path)?;
    let rows = lines.lines().map(Row::parse).collect::<Result<Vec<_>>>()?;
    let cells = rows.iter().map(|row| row.cells.to_vec()).collect::<Vec<_>>();
    print!("{}", Table { headings: &HEADINGS, words: WORDS, rows: &cells });
    let peak = peak(&rows);
    println!("\n{} attacks; the whole process had {peak} KiB at most", rows.len());
    match (status.success(), peak < LIMIT) {
        (true, true) => Ok(()),
        (false, _) => Err("an attack has hurt".into()),
        (true, false) => Err("the process has had more than 64 MiB".into()),
    }
}

/// What the test has written down of one attack.
struct Row<'a> {
    /// Attack, victim, what the victim said, code, KiB of heap, milliseconds.
    cells: [&'a str; 6],
    /// The most memory that the whole process has had until then, in KiB.
    peak_of_process: u64,
}

impl<'a> Row<'a> {
    fn parse(line: &'a str) -> Result<Self> {
        let fields = line.split('\t').collect::<Vec<_>>();
        let [attack, victim, said, code, heap, processor, peak, ""] = fields[..] else {
            return Err(format!("not a row: {line}").into());
        };
        let cells = [attack, victim, said, code, heap, processor];
        Ok(Self { cells, peak_of_process: peak.parse()? })
    }
}

/// The most memory that the process may have had, attackers and all, in KiB.
const LIMIT: u64 = 64 << 10;

fn peak(rows: &[Row<'_>]) -> u64 {
    rows.iter().map(|row| row.peak_of_process).max().unwrap_or(0)
}

const HEADINGS: [&str; 6] = ["attack", "victim", "what it said", "code", "peak KiB", "CPU ms"];

/// Columns from here on are numbers.
const WORDS: usize = 3;

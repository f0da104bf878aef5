//! `cargo xtask hostile`: the hostile peers, and what came of each attack.

use std::{fmt, fs, process::Command};

use crate::{Result, process, workspace};

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
    print!("{}", Table(&rows));
    match (status.success(), peak(&rows) < LIMIT) {
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
const NUMBERS: usize = 3;

/// The longest cell. What a victim says may be longer.
const WIDTH: usize = 90;

struct Table<'a>(&'a [Row<'a>]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.0.iter().map(|row| row.cells.map(shown)).collect::<Vec<_>>();
        let mut widths = HEADINGS.map(str::len);
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        write_row(f, &widths, &HEADINGS.map(str::to_owned))?;
        let rule = |(column, width): (usize, &usize)| match column < NUMBERS {
            true => "-".repeat(*width),
            false => "-".repeat(width.saturating_sub(1)) + ":",
        };
        let rule = widths.iter().enumerate().map(rule).collect::<Vec<_>>();
        writeln!(f, "| {} |", rule.join(" | "))?;
        rows.iter().try_for_each(|row| write_row(f, &widths, row))?;
        let peak = peak(self.0);
        writeln!(f, "\n{} attacks; the whole process had {peak} KiB at most", rows.len())
    }
}

fn write_row(f: &mut fmt::Formatter<'_>, widths: &[usize; 6], cells: &[String; 6]) -> fmt::Result {
    for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let edge = if column == 0 { "|" } else { "" };
        match column < NUMBERS {
            true => write!(f, "{edge} {cell:<width$} |")?,
            false => write!(f, "{edge} {cell:>width$} |")?,
        }
    }
    writeln!(f)
}

/// A cell that keeps the table together: no bar, nothing that a terminal obeys, not too long.
fn shown(cell: &str) -> String {
    let plain = cell.chars().map(|char| match char {
        '|' => '/',
        char if char.is_control() => '\u{fffd}',
        char => char,
    });
    let mut text = plain.take(WIDTH + 1).collect::<String>();
    if text.chars().count() > WIDTH {
        text = text.chars().take(WIDTH - 1).chain(['…']).collect();
    }
    text
}

//! `cargo xtask instructions`: what codec and engines cost, counted, and held against
//! `bench/instructions/bounds`.

mod bounds;
mod callgrind;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use clap::Args;

use self::bounds::{Bounds, Cost};
use crate::{
    Result, bench,
    figures::{self, figure},
    process,
    table::Table,
    workspace,
};

#[derive(Args)]
pub(crate) struct Options {
    /// Where figures for the report go
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// From now on, have what is counted, and 5 per cent, as the bounds
    #[arg(long)]
    store_bounds: bool,
}

pub(crate) fn run(options: &Options) -> Result {
    callgrind::prepare()?;
    let mut build = bench::cargo("build", "leveret-instructions");
    process::check("cargo build", build.env("CARGO_TARGET_DIR", target()))?;
    let costs = count()?;
    if let Some(file) = &options.json {
        write_figures(&costs, file)?;
    }
    let file = workspace().join("bench/instructions/bounds");
    if options.store_bounds {
        fs::write(&file, Bounds::around(&costs).to_string())?;
    }
    let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let bounds = Bounds::parse(&text)?;
    let broken = bounds.broken_by(&costs)?;
    print_table(&costs, &bounds)?;
    eprintln!("xtask: profiles, for callgrind_annotate, are in {}", callgrind::folder().display());
    match broken.is_empty() {
        true => Ok(()),
        false => Err(broken.join("\nxtask: ").into()),
    }
}

/// What an operation of each scenario costs, in the order in which they are listed.
fn count() -> Result<Vec<Cost>> {
    let mut costs = Vec::new();
    for line in process::output(&mut program("allocations"))?.lines() {
        let fields = line.split_whitespace().collect::<Vec<_>>();
        let [scenario, operations, allocations] = fields[..] else {
            return Err(format!("not what a scenario allocates: {line}").into());
        };
        let operations = operations.parse::<f64>()?;
        costs.push(Cost {
            scenario: scenario.to_owned(),
            instructions: callgrind::instructions_of(scenario)? / operations,
            allocations: allocations.parse::<f64>()? / operations,
        });
    }
    Ok(costs)
}

/// The workspace's own, wherever the environment would have it: the programs are run from there.
fn target() -> PathBuf {
    workspace().join("bench/target")
}

fn program(name: &str) -> Command {
    Command::new(target().join("release").join(name))
}

/// Under the names that `bench/report` asks for.
fn write_figures(costs: &[Cost], file: &Path) -> Result {
    let of = |scenario| {
        bounds::find(costs, scenario).ok_or_else(|| format!("there is no scenario {scenario}"))
    };
    let (reply, call) = (of("codec/decode-reply")?, of("requester/call-of-64")?);
    let many = of("requester/call-beside-100000")?.instructions;
    let few = of("requester/call-beside-1000")?.instructions;
    let figures = [
        figure("decode a reply: instructions", reply.instructions, ""),
        figure("decode a reply: allocations", reply.allocations, ""),
        figure("engine, a call: instructions", call.instructions, ""),
        figure("engine, a call: allocations", call.allocations, ""),
        figure("100,000 in flight: instructions a call / same at 1,000", many / few, ""),
    ];
    figures::write(&figures, file)
}

fn print_table(costs: &[Cost], bounds: &Bounds) -> Result {
    let mut rows = Vec::new();
    for cost in costs {
        let bound = bounds.of(&cost.scenario)?;
        let numbers = [cost.instructions, bound.instructions, cost.allocations, bound.allocations];
        rows.push((&cost.scenario, numbers.map(|number| format!("{number:.2}"))));
    }
    let cells =
        rows.iter().map(|(scenario, [instructions, most, allocations, most_allocations])| {
            vec![scenario.as_str(), instructions, most, allocations, most_allocations]
        });
    print!("{}", Table { headings: &HEADINGS, words: 1, rows: &cells.collect::<Vec<_>>() });
    Ok(())
}

const HEADINGS: [&str; 5] = ["an operation of", "instructions", "bound", "allocations", "bound"];

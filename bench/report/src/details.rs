//! The second page: each bound in each scenario, and all figures of all programs.

use crate::bounds::judge;
use crate::numbers::{octets, ratio, significant};
use crate::record::{Implementation, Runtime, Scenario, Side};
use crate::results::{Figure, Reference, Results};
use crate::table::Table;

pub(crate) fn write(results: &Results) -> String {
    let mut text = String::from("# All figures\n\n[README.md](README.md) says what they are.\n");
    text += &format!("\n## Each bound in each scenario\n\n{}", bounds(results));
    for side in Side::ALL {
        for against in results.against(side) {
            for runtime in Runtime::ALL {
                let table = figures(results, side, against, runtime);
                text += &format!("\n## The {side} on {against}, {runtime}\n\n{table}");
            }
        }
    }
    text
}

fn bounds(results: &Results) -> Table {
    let headings = ["figure", "where", "bound", "median", "rounds from", "to", "met"];
    let mut table = Table::new(2, headings);
    for verdict in judge(results) {
        let bound = verdict.bound;
        for finding in &verdict.findings {
            let place = if finding.place.is_empty() { bound.on } else { &finding.place };
            let shown = |figure| bound.shown(figure);
            table.row([
                bound.figure.to_owned(),
                place.to_owned(),
                bound.limit(),
                shown(finding.ratio.median),
                shown(finding.ratio.least),
                shown(finding.ratio.most),
                if finding.is_met { "met" } else { "**missed**" }.to_owned(),
            ]);
        }
    }
    table
}

/// A row for each program in each scenario of these.
fn figures(results: &Results, side: Side, against: &str, runtime: Runtime) -> Table {
    let mut table = Table::new(2, HEADINGS);
    let scenarios = results.scenarios().filter(|scenario| {
        (scenario.side, &*scenario.against, scenario.runtime) == (side, against, runtime)
    });
    for scenario in scenarios {
        for implementation in Implementation::ALL {
            table.row(row(results, scenario, implementation));
        }
    }
    table
}

const HEADINGS: [&str; 12] = [
    "in flight × body",
    "program",
    "calls/s",
    "/ floor",
    "CPU µs a call",
    "/ floor",
    "p50 µs",
    "p99 µs",
    "p99.9 µs",
    "system calls a call",
    "allocations a call",
    "peak MiB",
];

fn row(results: &Results, scenario: &Scenario, implementation: Implementation) -> [String; 12] {
    // It is said once, above the programs.
    let shown_scenario = match implementation {
        Implementation::Leveret => {
            format!("{} × {}", scenario.in_flight, octets(scenario.body_size))
        }
        _ => String::new(),
    };
    let figure = |figure| results.figure(scenario, implementation, figure);
    let shown = |it| figure(it).map(significant).unwrap_or_default();
    let to_floor = |figure| {
        let to_floor = results.ratio(scenario, implementation, figure, Reference::Floor);
        to_floor.map(|of_all| ratio(of_all.median)).unwrap_or_default()
    };
    let peak = figure(Figure::PeakMemory).map(|octets| octets / f64::from(1 << 20));
    [
        shown_scenario,
        implementation.to_string(),
        shown(Figure::CallsPerSecond),
        to_floor(Figure::CallsPerSecond),
        shown(Figure::ProcessorTime),
        to_floor(Figure::ProcessorTime),
        shown(Figure::Median),
        shown(Figure::Percentile99),
        shown(Figure::Percentile999),
        shown(Figure::SystemCalls),
        shown(Figure::Allocations),
        peak.map(significant).unwrap_or_default(),
    ]
}

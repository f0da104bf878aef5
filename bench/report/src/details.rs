//! The second page: each bound in each scenario, and all figures of all programs.

use std::mem;

use crate::bounds::judge;
use crate::numbers::{octets, ratio, significant};
use crate::record::{Implementation, Runtime, Scenario, Side, with_article};
use crate::results::{Figure, Reference, Results};
use crate::table::Column::{Numbers, Words};
use crate::table::{Column, Table};

pub(crate) fn write(results: &Results) -> String {
    let mut text = String::from("# All figures\n\n[README.md](README.md) says what they are.\n");
    text += &format!("\n## Each bound in each scenario\n\n{}", bounds(results));
    for side in Side::ALL {
        for against in results.against(side) {
            for runtime in Runtime::ALL {
                let table = figures(results, side, against, runtime);
                if !table.is_empty() {
                    let against = with_article(against);
                    text += &format!("\n## The {side} on {against}, {runtime}\n\n{table}");
                }
            }
        }
    }
    text
}

fn bounds(results: &Results) -> Table {
    let mut table = Table::new([
        Words("figure"),
        Words("where"),
        Numbers("bound"),
        Numbers("median"),
        Numbers("of rounds from"),
        Numbers("to"),
        Words(""),
    ]);
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
    let mut table = Table::new(COLUMNS);
    for scenario in results.scenarios_of(side, against, runtime) {
        let was_measured =
            |one: &Implementation| results.figure(scenario, *one, Figure::CallsPerSecond).is_some();
        // It is said once, above the programs.
        let mut name = format!("{} × {}", scenario.in_flight, octets(scenario.body_size));
        for implementation in Implementation::ALL.into_iter().filter(was_measured) {
            table.row(row(results, scenario, mem::take(&mut name), implementation));
        }
    }
    table
}

const COLUMNS: [Column; 12] = [
    Words("in flight × body"),
    Words("program"),
    Numbers("calls/s"),
    Numbers("/ floor"),
    Numbers("CPU µs a call"),
    Numbers("/ floor"),
    Numbers("p50 µs"),
    Numbers("p99 µs"),
    Numbers("p99.9 µs"),
    Numbers("system calls a call"),
    Numbers("allocations a call"),
    Numbers("peak MiB"),
];

fn row(
    results: &Results,
    scenario: &Scenario,
    name: String,
    implementation: Implementation,
) -> [String; 12] {
    let figure = |figure| results.figure(scenario, implementation, figure);
    let shown = |it| figure(it).map(significant).unwrap_or_default();
    let to_floor = |figure| {
        let to_floor = results.ratio(scenario, implementation, figure, Reference::Floor);
        to_floor.map(|of_all| ratio(of_all.median)).unwrap_or_default()
    };
    let peak = figure(Figure::PeakMemory).map(|octets| octets / f64::from(1 << 20));
    [
        name,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{measurement, record};

    use Implementation::{Floor, Leveret};

    #[test]
    fn each_bound_has_its_rounds_and_each_program_its_row() {
        let rounds = [(12.0, 10.0), (24.0, 16.0), (11.0, 10.0)];
        let of_round = |(round, (leveret, floor)): (usize, (f64, f64))| {
            let mut leveret = measurement(Leveret, round, leveret);
            leveret.peak_memory_octets = Some(f64::from(5 << 20));
            // An extra run of its own, once.
            leveret.system_calls_per_call = Some(0.25).filter(|_| round == 1);
            [leveret, measurement(Floor, round, floor)]
        };
        let measurements = rounds.into_iter().enumerate().flat_map(of_round).collect();
        let text = write(&Results::new(vec![record(measurements)]).unwrap());
        let text = text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        let bound = "| client CPU a call / floor | RabbitMQ 4.3, 64 in flight, current-thread | ≤ 1.3 \
                     | 1.20 | 1.10 | 1.50 | met |";
        assert!(text.contains(bound), "{text}");
        let row = "| 64 × 64 B | leveret | 12.0 | 1.20 | 12.0 | 1.20 | | | | 0.25 | | 5.00 |";
        assert!(text.contains(row), "{text}");
        assert!(text.contains("| | floor | 10.0 | 1.00 | 10.0 | 1.00 |"), "{text}");
        // What was not measured has no row.
        assert!(!text.contains("lapin"), "{text}");
    }
}

//! The first page: what was asked for and what is reached, pictures, and how Leveret compares.

use crate::bounds::judge;
use crate::numbers::{octets, ratio, significant};
use crate::pictures::Picture;
use crate::record::{Implementation, Machine, Runtime, Scenario, Side};
use crate::results::{Figure, Reference, Results};
use crate::table::Table;

pub(crate) fn write(results: &Results, pictures: &[Picture]) -> String {
    let mut text = String::from("# Leveret beside lapin, amqprs and a raw floor\n\n");
    text += &circumstances(results);
    text += HOW_TO_READ;
    text += "\n## Bounds\n\n";
    text += &bounds(results).to_string();
    text += "\nEach of them, broker by broker and runtime by runtime, is in [details.md](details.md).\n";
    if !pictures.is_empty() {
        text += "\n## Pictures\n\nBoth axes are logarithmic: equal distances are equal ratios.\n";
    }
    for Picture { file, caption, .. } in pictures {
        text += &format!("\n### {caption}\n\n![{caption}]({file})\n");
    }
    for side in Side::ALL {
        for against in results.against(side) {
            text += &format!("\n## The {side} on {against}\n");
            for runtime in Runtime::ALL {
                let table = comparison(results, side, against, runtime);
                text += &format!("\nLeveret, runtime {runtime}:\n\n{table}");
            }
        }
    }
    if !results.extra.is_empty() {
        text += &format!("\n## Figures that there is one of\n\n{}", extra(results));
    }
    text
}

const HOW_TO_READ: &str = "\
The floor is what a program does that knows its messages beforehand: octets encoded in advance, one \
task, one write for each read. Each figure is the median of all rounds; each ratio is taken within a \
round, in which all programs ran one after the other, and then the median is taken. The best peer is \
whichever of lapin and amqprs did better in that round. CPU is that of the measured process alone, in \
user and system mode.
";

/// Machine, versions, days and rounds.
fn circumstances(results: &Results) -> String {
    let mut text = String::new();
    if let Some(Machine { processor, cores, memory_gib, kernel, system }) = &results.machine {
        let memory = significant(*memory_gib);
        text += &format!(
            "- Machine: {processor}, {cores} cores, {memory} GiB of memory, {system}, kernel {kernel}; \
             broker, client and server on the same one.\n",
        );
    }
    let versions = results.versions.iter().map(|(name, version)| format!("{name} {version}"));
    let versions = versions.collect::<Vec<_>>();
    if !versions.is_empty() {
        text += &format!("- Versions: {}.\n", versions.join(", "));
    }
    let dates = results.dates.iter().map(String::as_str).collect::<Vec<_>>();
    if !dates.is_empty() {
        text += &format!("- Measured: {}.\n", dates.join(", "));
    }
    match results.rounds() {
        Some((least, most)) if least == most => text += &format!("- Rounds: {most}.\n"),
        Some((least, most)) => text += &format!("- Rounds: {least} to {most}.\n"),
        None => {}
    }
    text + "\n"
}

fn bounds(results: &Results) -> Table {
    let mut table = Table::new(2, ["on", "figure", "bound", "reached", "", "in the worst case"]);
    for verdict in judge(results) {
        let bound = verdict.bound;
        let (reached, place) = match verdict.worst() {
            Some(worst) => (bound.shown(worst.ratio.median), worst.place.clone()),
            None => (String::new(), String::new()),
        };
        let (on, figure) = (bound.on.to_owned(), bound.figure.to_owned());
        table.row([on, figure, bound.limit(), reached, verdict.word(), place]);
    }
    table
}

/// A row for each scenario of these: Leveret's figures, and what they are beside the others'.
fn comparison(results: &Results, side: Side, against: &str, runtime: Runtime) -> Table {
    let mut table = match side {
        Side::Client => Table::new(0, COMPARISON),
        // How long a call takes is its caller's to measure.
        Side::Server => Table::new(0, *COMPARISON.first_chunk::<8>().expect("more than that")),
    };
    let scenarios = results.scenarios().filter(|scenario| {
        (scenario.side, &*scenario.against, scenario.runtime) == (side, against, runtime)
    });
    for scenario in scenarios {
        let [calls, calls_floor, calls_peer] = compared(results, scenario, Figure::CallsPerSecond);
        let [time, time_floor, time_peer] = compared(results, scenario, Figure::ProcessorTime);
        let (in_flight, body) = (scenario.in_flight.to_string(), octets(scenario.body_size));
        let common = [in_flight, body, calls, calls_floor, calls_peer, time, time_floor, time_peer];
        match side {
            Side::Client => {
                let [a, b, c, d, e, f, g, h] = common;
                let [p50, p50_floor, p50_peer] = compared(results, scenario, Figure::Median);
                table.row([a, b, c, d, e, f, g, h, p50, p50_floor, p50_peer]);
            }
            Side::Server => table.row(common),
        }
    }
    table
}

const COMPARISON: [&str; 11] = [
    "in flight",
    "body",
    "calls/s",
    "/ floor",
    "/ best peer",
    "CPU µs a call",
    "/ floor",
    "/ best peer",
    "p50 µs",
    "/ floor",
    "/ best peer",
];

/// Leveret's figure, and its ratios to the floor and to the best peer.
fn compared(results: &Results, scenario: &Scenario, figure: Figure) -> [String; 3] {
    let own = results.figure(scenario, Implementation::Leveret, figure);
    let to = |reference| {
        let ratio_to = results.ratio(scenario, Implementation::Leveret, figure, reference);
        ratio_to.map(|of_all| ratio(of_all.median)).unwrap_or_default()
    };
    [own.map(significant).unwrap_or_default(), to(Reference::Floor), to(Reference::BestPeer)]
}

fn extra(results: &Results) -> Table {
    let mut table = Table::new(1, ["of what", "figure", "unit"]);
    for extra in &results.extra {
        table.row([extra.name.clone(), significant(extra.value), extra.unit.clone()]);
    }
    table
}

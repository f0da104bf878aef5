//! The first page: what was asked for and what is reached, pictures, and how Leveret compares.

use crate::bounds::judge;
use crate::numbers::{octets, ratio, significant};
use crate::pictures::Picture;
use crate::record::{Implementation, Machine, Runtime, Scenario, Side, with_article};
use crate::results::{Figure, Reference, Results};
use crate::table::Column::{Numbers, Words};
use crate::table::{Column, Table};

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
            text += &format!("\n## The {side} on {}\n", with_article(against));
            for runtime in Runtime::ALL {
                let table = comparison(results, side, against, runtime);
                if !table.is_empty() {
                    text += &format!("\nLeveret, runtime {runtime}:\n\n{table}");
                }
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
user and system mode. The others send the least that makes a message a request. Leveret's has a \
message-id and a time to live besides, and comes back at once if there is no such queue, for which the \
broker has to work: how much it is shows in the floor with the full message, which is that of Leveret.
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
    let versions = results.versions.iter().map(|(name, version)| match version.starts_with(name) {
        true => version.clone(),
        false => format!("{name} {version}"),
    });
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
    let mut table = Table::new([
        Words("on"),
        Words("figure"),
        Numbers("bound"),
        Numbers("reached"),
        Words(""),
        Words("where that is the worst"),
    ]);
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
        Side::Client => Table::new(COMPARISON),
        // How long a call takes is its caller's to measure.
        Side::Server => Table::new(*COMPARISON.first_chunk::<8>().expect("more than that")),
    };
    for scenario in results.scenarios_of(side, against, runtime) {
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

const COMPARISON: [Column; 11] = [
    Numbers("in flight"),
    Numbers("body"),
    Numbers("calls/s"),
    Numbers("/ floor"),
    Numbers("/ best peer"),
    Numbers("CPU µs a call"),
    Numbers("/ floor"),
    Numbers("/ best peer"),
    Numbers("p50 µs"),
    Numbers("/ floor"),
    Numbers("/ best peer"),
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
    let mut table = Table::new([Words("of what"), Numbers("figure"), Words("unit")]);
    for extra in &results.extra {
        table.row([extra.name.clone(), significant(extra.value), extra.unit.clone()]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Extra, Record};
    use crate::testing::{measurement, record, scenario};

    use Implementation::{Amqprs, Floor, Lapin, Leveret};

    #[test]
    fn the_page_begins_with_bounds_and_ends_with_what_there_is_one_of() {
        let of_round = |round| {
            [(Leveret, 12_000.0), (Lapin, 40_000.0), (Amqprs, 10_000.0), (Floor, 9_600.0)]
                .map(|(implementation, figure)| measurement(implementation, round, figure))
        };
        let measurements = (0..3).flat_map(of_round).collect();
        let extra = vec![Extra {
            name: "stripped hello-RPC: leveret".to_owned(),
            value: 1.275,
            unit: "MB".to_owned(),
        }];
        let versions = [("lapin", "4.12.3"), ("rustc", "rustc 1.95.0")];
        let versions = versions.map(|(name, version)| (name.to_owned(), version.to_owned())).into();
        let record = Record { extra, versions, ..record(measurements) };
        let results = Results::new(vec![record]).unwrap();
        let text = write(&results, &[]);
        // Single spaces: how wide columns are is not what this is about.
        let text = text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");

        let lines = [
            "- Versions: lapin 4.12.3, rustc 1.95.0.\n",
            "- Rounds: 3.\n",
            "| client CPU a call / floor | ≤ 1.3 | 1.25 | met | RabbitMQ 4.3, 64 in flight, current-thread |",
            "| client CPU a call / best peer | ≤ 0.5 | 1.20 | **missed** | RabbitMQ 4.3, 64 in flight",
            "| client p50 / floor | ≤ 1.05 | | not measured | |",
            "| build | stripped hello-RPC binary, MB | ≤ 1.5 | 1.27 | met | |",
            "## The client on RabbitMQ 4.3\n\nLeveret, runtime current-thread:\n",
            "| 64 | 64 B | 12,000 | 1.25 | 0.30 | 12,000 | 1.25 | 1.20 | | | |",
            "| stripped hello-RPC: leveret | 1.27 | MB |",
        ];
        let mut rest = text.as_str();
        for line in lines {
            let found = rest.find(line);
            rest = &rest[found.unwrap_or_else(|| panic!("no {line:?} in {rest}"))..];
        }
    }

    /// Where one runtime was measured, the other has no empty table.
    #[test]
    fn what_was_not_measured_is_not_there() {
        let results = Results::new(vec![record(vec![measurement(Leveret, 0, 1.0)])]).unwrap();
        assert_eq!(scenario().runtime, Runtime::CurrentThread);
        let text = write(&results, &[]);
        assert!(!text.contains("multi-thread"), "{text}");
        assert!(!text.contains("Pictures"), "{text}");
        let nothing = write(&Results::new(vec![Record::default()]).unwrap(), &[]);
        assert!(!nothing.contains("Rounds"), "{nothing}");
    }
}

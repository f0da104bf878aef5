//! Which pictures there are: latency and CPU against load, calls a second against size.

use crate::Result;
use crate::numbers::octets;
use crate::plot::{Line, Panel, Plot};
use crate::record::{Implementation, Runtime, Scenario, Side, with_article};
use crate::results::{Figure, Results};

pub(crate) struct Picture {
    pub(crate) file: String,
    pub(crate) caption: String,
    pub(crate) svg: String,
}

/// All pictures that there are figures for.
pub(crate) fn draw(results: &Results) -> Result<Vec<Picture>> {
    let mut pictures = Vec::new();
    for side in Side::ALL {
        for against in results.against(side) {
            for subject in &SUBJECTS {
                pictures.extend(subject.draw(results, side, against)?);
            }
        }
    }
    Ok(pictures)
}

/// What a picture shows.
struct Subject {
    name: &'static str,
    caption: &'static str,
    y: &'static str,
    /// The second of them is drawn in dashes.
    figures: &'static [(Figure, &'static str)],
    across: Across,
}

/// What goes from left to right.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Across {
    /// With bodies of 64 octets.
    InFlight,
    /// With 64 in flight, or as many as there are of that size.
    BodySize,
}

const SUBJECTS: [Subject; 3] = [
    Subject {
        name: "latency",
        caption: "latency against calls in flight",
        y: "µs a call",
        figures: &[(Figure::Median, "p50"), (Figure::Percentile99, "p99")],
        across: Across::InFlight,
    },
    Subject {
        name: "cpu",
        caption: "CPU a call against calls in flight",
        y: "CPU µs a call",
        figures: &[(Figure::ProcessorTime, "")],
        across: Across::InFlight,
    },
    Subject {
        name: "throughput",
        caption: "calls a second against size of body",
        y: "calls/s",
        figures: &[(Figure::CallsPerSecond, "")],
        across: Across::BodySize,
    },
];

impl Subject {
    /// `None` if nothing of it was measured.
    fn draw(&self, results: &Results, side: Side, against: &str) -> Result<Option<Picture>> {
        let panel = |runtime| self.panel(results, side, against, runtime);
        let panels = Runtime::ALL.map(panel);
        let panels = panels.into_iter().filter(|panel| !panel.lines.is_empty()).collect::<Vec<_>>();
        if panels.is_empty() {
            return Ok(None);
        }
        let (x, with) = match self.across {
            Across::InFlight => ("calls in flight", "bodies of 64 B"),
            Across::BodySize => ("size of body", "64 calls in flight, 8 of 1 MiB"),
        };
        let caption = format!("The {side} on {}: {}", with_article(against), self.caption);
        let plot = Plot {
            title: format!("{caption}; {with}"),
            x: x.to_owned(),
            y: self.y.to_owned(),
            styles: self.figures.iter().map(|(_, name)| (*name).to_owned()).collect(),
            panels,
        };
        let file = format!("{side}-{}-{}.svg", against.to_lowercase().replace(' ', "-"), self.name);
        Ok(Some(Picture { file, caption, svg: plot.svg()? }))
    }

    fn panel(&self, results: &Results, side: Side, against: &str, runtime: Runtime) -> Panel {
        let mut scenarios = results.scenarios_of(side, against, runtime);
        scenarios.retain(|scenario| self.across.has(scenario));
        scenarios.sort_by(|one, other| self.across.x(one).total_cmp(&self.across.x(other)));
        let mut lines = Vec::new();
        // Leveret comes last, on top of the others.
        for implementation in Implementation::ALL.into_iter().rev() {
            for (style, (figure, _)) in self.figures.iter().enumerate() {
                let point = |scenario: &&Scenario| {
                    let y = results.figure(scenario, implementation, *figure)?;
                    Some((self.across.x(scenario), y)).filter(|(_, y)| *y > 0.0)
                };
                let points = scenarios.iter().filter_map(point).collect::<Vec<_>>();
                if !points.is_empty() {
                    lines.push(Line { implementation, style, points });
                }
            }
        }
        let tick = |scenario: &&Scenario| (self.across.x(scenario), self.across.label(scenario));
        let ticks = scenarios.iter().map(tick).collect();
        Panel { title: format!("runtime {runtime}"), ticks, lines }
    }
}

impl Across {
    fn has(self, scenario: &Scenario) -> bool {
        match self {
            Self::InFlight => scenario.body_size == 64,
            Self::BodySize => {
                scenario.in_flight == 64 || (scenario.in_flight, scenario.body_size) == (8, 1 << 20)
            }
        }
    }

    fn x(self, scenario: &Scenario) -> f64 {
        match self {
            Self::InFlight => scenario.in_flight as f64,
            // Nothing has no logarithm: it stands where one octet would.
            Self::BodySize => scenario.body_size.max(1) as f64,
        }
    }

    fn label(self, scenario: &Scenario) -> String {
        match self {
            Self::InFlight => scenario.in_flight.to_string(),
            Self::BodySize => octets(scenario.body_size),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{measurement, record};

    #[test]
    fn a_picture_has_its_scenarios_in_order() {
        let at = |in_flight, body_size| {
            let mut one = measurement(Implementation::Leveret, 0, 10.0);
            one.scenario.in_flight = in_flight;
            one.scenario.body_size = body_size;
            one
        };
        let measurements = vec![at(1024, 64), at(64, 64), at(8, 1 << 20), at(64, 0), at(1, 64)];
        let results = Results::new(vec![record(measurements)]).unwrap();
        let panel = |subject: &Subject| {
            subject.panel(&results, Side::Client, "RabbitMQ 4.3", Runtime::CurrentThread)
        };
        let labels = |panel: Panel| panel.ticks.into_iter().map(|(_, label)| label);
        assert_eq!(labels(panel(&SUBJECTS[1])).collect::<Vec<_>>(), ["1", "64", "1024"]);
        assert_eq!(labels(panel(&SUBJECTS[2])).collect::<Vec<_>>(), ["0 B", "64 B", "1 MiB"]);

        // No latency was measured.
        let pictures = draw(&results).unwrap();
        let files = pictures.iter().map(|picture| picture.file.as_str()).collect::<Vec<_>>();
        let expected = ["client-rabbitmq-4.3-cpu.svg", "client-rabbitmq-4.3-throughput.svg"];
        assert_eq!(files, expected);
        let caption = "The client on RabbitMQ 4.3: CPU a call against calls in flight";
        assert_eq!(pictures[0].caption, caption);
        assert!(pictures.iter().all(|picture| picture.svg.contains("leveret")));
    }
}

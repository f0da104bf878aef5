//! What Leveret has to reach, and whether it does.

mod list;

use self::Limit::{AtLeast, AtMost};
use self::list::BOUNDS;
use crate::numbers::{on_its_side_of, thousands};
use crate::record::{Implementation, Scenario, Side};
use crate::results::{Figure, Ratio, Reference, Results};

/// What has to hold of a figure.
pub(crate) struct Bound {
    pub(crate) on: &'static str,
    pub(crate) figure: &'static str,
    source: Source,
    limit: Limit,
}

enum Source {
    /// In every scenario of these, with each runtime and with each broker whose name so begins.
    Ratio {
        side: Side,
        against: &'static str,
        in_flight: &'static [u64],
        body_size: u64,
        figure: Figure,
        to: Reference,
    },
    /// By its name among those that there is one of.
    Extra(&'static str),
}

#[derive(Debug, Clone, Copy)]
enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

/// How one bound is kept.
pub(crate) struct Verdict {
    pub(crate) bound: &'static Bound,
    /// In each scenario that it is about; in one that has no name if it is about none.
    pub(crate) findings: Vec<Finding>,
}

pub(crate) struct Finding {
    /// Where that is, unless there is but one place.
    pub(crate) place: String,
    pub(crate) ratio: Ratio,
    pub(crate) is_met: bool,
}

pub(crate) fn judge(results: &Results) -> Vec<Verdict> {
    let judge = |bound| Verdict { bound, findings: bound.findings(results) };
    BOUNDS.iter().map(judge).collect()
}

impl Bound {
    fn findings(&self, results: &Results) -> Vec<Finding> {
        let finding = |place: String, ratio: Ratio| {
            let is_met = self.limit.is_met_by(ratio.median);
            Finding { place, ratio, is_met }
        };
        match &self.source {
            Source::Ratio { figure, to, in_flight, .. } => {
                let concerned = results.scenarios().filter(|scenario| self.is_about(scenario));
                let judged = concerned.filter_map(|scenario| {
                    let ratio = results.ratio(scenario, Implementation::Leveret, *figure, *to)?;
                    Some(finding(place(scenario, in_flight.len() > 1), ratio))
                });
                judged.collect()
            }
            Source::Extra(name) => {
                let extra = results.extra(name).map(|extra| extra.value);
                let judged = extra.map(|value| Ratio { median: value, least: value, most: value });
                judged.map(|ratio| finding(String::new(), ratio)).into_iter().collect()
            }
        }
    }

    fn is_about(&self, scenario: &Scenario) -> bool {
        match &self.source {
            Source::Ratio { side, against, in_flight, body_size, .. } => {
                scenario.side == *side
                    && scenario.against.starts_with(against)
                    && in_flight.contains(&scenario.in_flight)
                    && scenario.body_size == *body_size
            }
            Source::Extra(_) => false,
        }
    }

    /// `<= 1.3`
    pub(crate) fn limit(&self) -> String {
        match self.limit {
            AtMost(limit) => format!("≤ {}", thousands(limit)),
            AtLeast(limit) => format!("≥ {}", thousands(limit)),
        }
    }

    /// A figure with as many digits as it takes to see whether it is within the bound.
    pub(crate) fn shown(&self, figure: f64) -> String {
        let (AtMost(limit) | AtLeast(limit)) = self.limit;
        on_its_side_of(limit, figure)
    }
}

impl Limit {
    fn is_met_by(self, figure: f64) -> bool {
        match self {
            AtMost(limit) => figure <= limit,
            AtLeast(limit) => figure >= limit,
        }
    }
}

impl Verdict {
    /// The scenario in which least is reached.
    pub(crate) fn worst(&self) -> Option<&Finding> {
        self.findings.iter().reduce(|worst, other| {
            let (worse, better) = match self.bound.limit {
                AtMost(_) => (other, worst),
                AtLeast(_) => (worst, other),
            };
            if worse.ratio.median > better.ratio.median { other } else { worst }
        })
    }

    /// `met`, or in how many scenarios it is not.
    pub(crate) fn word(&self) -> String {
        let missed = self.findings.iter().filter(|finding| !finding.is_met).count();
        match (self.findings.len(), missed) {
            (0, _) => "not measured".to_owned(),
            (_, 0) => "met".to_owned(),
            (1, _) => "**missed**".to_owned(),
            (all, missed) => format!("**missed** in {missed} of {all}"),
        }
    }
}

/// `RabbitMQ 4.3, 64 in flight, multi-thread`
fn place(scenario: &Scenario, with_in_flight: bool) -> String {
    let Scenario { against, runtime, in_flight, .. } = scenario;
    match with_in_flight {
        true => format!("{against}, {in_flight} in flight, {runtime}"),
        false => format!("{against}, {runtime}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbers::octets;
    use crate::record::{Extra, Measurement, Record, Runtime};
    use crate::testing::{measurement, record};

    use Implementation::{Amqprs, Floor, Leveret};

    fn against(against: &str, runtime: Runtime, mut one: Measurement) -> Measurement {
        one.scenario.against = against.to_owned();
        one.scenario.runtime = runtime;
        one
    }

    /// Leveret has so much of everything, floor and peer have ten.
    fn measured(figures: &[(&str, Runtime, f64)]) -> Vec<Verdict> {
        let measured = |(broker, runtime, figure): &(&str, Runtime, f64)| {
            let of = |implementation, figure| {
                against(broker, *runtime, measurement(implementation, 0, figure))
            };
            [of(Leveret, *figure), of(Floor, 10.0), of(Amqprs, 10.0)]
        };
        let measurements = figures.iter().flat_map(measured).collect();
        judge(&Results::new(vec![record(measurements)]).unwrap())
    }

    fn verdict<'a>(verdicts: &'a [Verdict], figure: &str) -> &'a Verdict {
        verdicts.iter().find(|verdict| verdict.bound.figure == figure).unwrap()
    }

    #[test]
    fn the_worst_scenario_decides() {
        let verdicts = measured(&[
            ("RabbitMQ 3.10", Runtime::CurrentThread, 12.0),
            ("RabbitMQ 4.3", Runtime::CurrentThread, 11.0),
            ("RabbitMQ 4.3", Runtime::MultiThread, 14.0),
            ("null responder", Runtime::MultiThread, 20.0),
        ]);
        let most = verdict(&verdicts, "client CPU a call / floor");
        let worst = most.worst().unwrap();
        assert_eq!(most.findings.len(), 3);
        assert_eq!(worst.place, "RabbitMQ 4.3, 64 in flight, multi-thread");
        assert_eq!(most.bound.shown(worst.ratio.median), "1.40");
        assert_eq!(most.word(), "**missed** in 1 of 3");

        let least = verdict(&verdicts, "client calls/s / best peer");
        assert_eq!(least.worst().unwrap().place, "RabbitMQ 4.3, 64 in flight, current-thread");
        assert_eq!(least.bound.shown(least.worst().unwrap().ratio.median), "1.10");
        assert_eq!(least.word(), "**missed** in 1 of 3");
    }

    #[test]
    fn a_bound_itself_is_within_it() {
        let verdicts = measured(&[("RabbitMQ 3.10", Runtime::CurrentThread, 5.0)]);
        assert_eq!(verdict(&verdicts, "client CPU a call / best peer").word(), "met");
        let verdicts = measured(&[("RabbitMQ 3.10", Runtime::CurrentThread, 11.5)]);
        assert_eq!(verdict(&verdicts, "client calls/s / best peer").word(), "met");
        assert_eq!(verdict(&verdicts, "client CPU a call / best peer").word(), "**missed**");
    }

    #[test]
    fn what_was_not_measured_is_not_met() {
        for verdict in measured(&[]) {
            assert_eq!(verdict.word(), "not measured", "{}", verdict.bound.figure);
            assert!(verdict.worst().is_none());
        }
    }

    #[test]
    fn figures_that_there_is_one_of_are_judged_by_their_name() {
        let extra = |name: &str, value| Extra { name: name.to_owned(), value, unit: String::new() };
        let extra = vec![
            extra("decode a reply: instructions", 398.0),
            extra("decode a reply: allocations", 0.0),
            extra("stripped hello-RPC: leveret", 1.51),
        ];
        let results = Results::new(vec![Record { extra, ..Record::default() }]).unwrap();
        let words = judge(&results).iter().map(Verdict::word).collect::<Vec<_>>();
        assert_eq!(words[8..10], ["met", "met"]);
        assert_eq!(words[15], "**missed**");
        assert_eq!(words.iter().filter(|word| *word == "not measured").count(), 13);
    }

    #[test]
    fn every_bound_about_scenarios_finds_its_own() {
        for bound in &BOUNDS {
            let Source::Ratio { side, against, in_flight, body_size, .. } = bound.source else {
                continue;
            };
            let scenario = Scenario {
                side,
                against: against.to_owned(),
                runtime: Runtime::MultiThread,
                in_flight: in_flight[0],
                body_size,
            };
            assert!(bound.is_about(&scenario), "{}", bound.figure);
            let others = [
                Scenario { body_size: 16 << 10, ..scenario.clone() },
                Scenario { in_flight: 10_000, ..scenario.clone() },
                Scenario { against: "another broker".to_owned(), ..scenario.clone() },
            ];
            assert!(!others.iter().any(|other| bound.is_about(other)), "{}", bound.figure);
            assert!(bound.on.starts_with(against), "{}", bound.on);
            let words = bound.on.split([',', ' ']).collect::<Vec<_>>();
            assert!(in_flight.iter().all(|n| words.contains(&&*n.to_string())), "{}", bound.on);
            assert!(bound.on.ends_with(&octets(body_size)), "{}", bound.on);
        }
    }
}

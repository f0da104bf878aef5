//! [`Results`]: medians over the rounds, and of the ratios round by round.

use std::collections::{BTreeMap, BTreeSet};

use crate::Result;
use crate::record::{Extra, Implementation, Machine, Measurement, Record, Runtime, Scenario, Side};

/// All that was measured.
pub(crate) struct Results {
    pub(crate) machine: Option<Machine>,
    /// The days on which it was measured.
    pub(crate) dates: BTreeSet<String>,
    pub(crate) versions: BTreeMap<String, String>,
    pub(crate) extra: Vec<Extra>,
    scenarios: BTreeMap<Scenario, Vec<Round>>,
}

/// What the implementations did one right after the other. Ratios are taken within a round: what else
/// the machine did then was the same for all.
type Round = BTreeMap<Implementation, Measurement>;

impl Results {
    /// # Errors
    /// If the records do not belong together.
    pub(crate) fn new(records: Vec<Record>) -> Result<Self> {
        let mut results = Self {
            machine: None,
            dates: BTreeSet::new(),
            versions: BTreeMap::new(),
            extra: Vec::new(),
            scenarios: BTreeMap::new(),
        };
        for record in records {
            results.add(record)?;
        }
        Ok(results)
    }

    fn add(&mut self, record: Record) -> Result {
        if let Some(machine) = record.machine {
            let first = self.machine.get_or_insert_with(|| machine.clone());
            if *first != machine {
                return Err(format!("figures of two machines: {first:?} and {machine:?}").into());
            }
        }
        for (name, version) in record.versions {
            let first = self.versions.entry(name.clone()).or_insert_with(|| version.clone());
            if *first != version {
                return Err(format!("figures of {name} {first} and of {version}").into());
            }
        }
        self.dates.extend([record.date].into_iter().filter(|date| !date.is_empty()));
        for extra in record.extra {
            if self.extra(&extra.name).is_some() {
                return Err(format!("two figures for {}", extra.name).into());
            }
            self.extra.push(extra);
        }
        let mut rounds = BTreeMap::<_, Round>::new();
        for one in record.measurements {
            let place = (one.scenario.clone(), one.round);
            if let Some(twice) = rounds.entry(place).or_default().insert(one.implementation, one) {
                return Err(format!("measured twice in one round: {twice:?}").into());
            }
        }
        // A round of another file is another round.
        for ((scenario, _), round) in rounds {
            self.scenarios.entry(scenario).or_default().push(round);
        }
        Ok(())
    }

    pub(crate) fn scenarios(&self) -> impl Iterator<Item = &Scenario> {
        self.scenarios.keys()
    }

    /// Those with bodies of 64 octets first, by the number in flight, then by size.
    pub(crate) fn scenarios_of(
        &self,
        side: Side,
        against: &str,
        runtime: Runtime,
    ) -> Vec<&Scenario> {
        let scenarios = self.scenarios().filter(|scenario| {
            (scenario.side, &*scenario.against, scenario.runtime) == (side, against, runtime)
        });
        let mut scenarios = scenarios.collect::<Vec<_>>();
        scenarios.sort_by_key(|Scenario { in_flight, body_size, .. }| match body_size {
            64 => (0, *in_flight),
            _ => (*body_size + 1, *in_flight),
        });
        scenarios
    }

    /// What a side was measured against.
    pub(crate) fn against(&self, side: Side) -> BTreeSet<&str> {
        let of_side = self.scenarios().filter(|scenario| scenario.side == side);
        of_side.map(|scenario| scenario.against.as_str()).collect()
    }

    /// The fewest rounds of any scenario, and the most.
    pub(crate) fn rounds(&self) -> Option<(usize, usize)> {
        let rounds = || self.scenarios.values().map(Vec::len);
        Some((rounds().min()?, rounds().max()?))
    }

    pub(crate) fn extra(&self, name: &str) -> Option<&Extra> {
        self.extra.iter().find(|extra| extra.name == name)
    }

    /// The median over the rounds.
    pub(crate) fn figure(
        &self,
        scenario: &Scenario,
        implementation: Implementation,
        figure: Figure,
    ) -> Option<f64> {
        let rounds = self.scenarios.get(scenario)?.iter();
        median(rounds.filter_map(|round| figure.of(round.get(&implementation)?)))
    }

    /// How an implementation compares: round by round.
    pub(crate) fn ratio(
        &self,
        scenario: &Scenario,
        implementation: Implementation,
        figure: Figure,
        to: Reference,
    ) -> Option<Ratio> {
        let rounds = self.scenarios.get(scenario)?.iter();
        let ratios = rounds.filter_map(|round| {
            let reference = to.of(round, figure).filter(|reference| *reference > 0.0)?;
            Some(figure.of(round.get(&implementation)?)? / reference)
        });
        let ratios = ratios.collect::<Vec<_>>();
        Some(Ratio {
            median: median(ratios.iter().copied())?,
            least: ratios.iter().copied().reduce(f64::min)?,
            most: ratios.iter().copied().reduce(f64::max)?,
        })
    }
}

/// The ratios of all rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ratio {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Figure {
    CallsPerSecond,
    /// Of the process, in user and system mode.
    ProcessorTime,
    Median,
    Percentile99,
    Percentile999,
    SystemCalls,
    Allocations,
    PeakMemory,
}

impl Figure {
    fn of(self, measurement: &Measurement) -> Option<f64> {
        match self {
            Self::CallsPerSecond => measurement.calls_per_second,
            Self::ProcessorTime => Some(
                measurement.user_microseconds_per_call?
                    + measurement.system_microseconds_per_call?,
            ),
            Self::Median => measurement.p50_microseconds,
            Self::Percentile99 => measurement.p99_microseconds,
            Self::Percentile999 => measurement.p999_microseconds,
            Self::SystemCalls => measurement.system_calls_per_call,
            Self::Allocations => measurement.allocations_per_call,
            Self::PeakMemory => measurement.peak_memory_octets,
        }
    }

    fn more_is_better(self) -> bool {
        self == Self::CallsPerSecond
    }
}

/// What an implementation is compared to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reference {
    Floor,
    /// Whichever did best in that round.
    BestPeer,
}

impl Reference {
    fn of(self, round: &Round, figure: Figure) -> Option<f64> {
        let of = |implementation| figure.of(round.get(&implementation)?);
        match self {
            Self::Floor => of(Implementation::Floor),
            Self::BestPeer => {
                let better = if figure.more_is_better() { f64::max } else { f64::min };
                Implementation::PEERS.into_iter().filter_map(of).reduce(better)
            }
        }
    }
}

/// Of an even number, halfway between the two in the middle.
fn median(figures: impl Iterator<Item = f64>) -> Option<f64> {
    let mut figures = figures.collect::<Vec<_>>();
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    let above = *figures.get(middle)?;
    Some(match figures.len() % 2 {
        0 => (figures[middle - 1] + above) / 2.0,
        _ => above,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{measurement, record, scenario};

    use Implementation::{Amqprs, Floor, Lapin, Leveret};

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median([].into_iter()), None);
        assert_eq!(median([7.0].into_iter()), Some(7.0));
        assert_eq!(median([9.0, 1.0, 2.0].into_iter()), Some(2.0));
        assert_eq!(median([9.0, 1.0, 2.0, 4.0].into_iter()), Some(3.0));
    }

    /// The machine is ten times slower in the second round. The ratio of the medians would be 20 / 11.
    #[test]
    fn ratios_are_taken_round_by_round() {
        let rounds = [(2.0, 1.0), (20.0, 10.0), (22.0, 11.0), (200.0, 100.0), (30.0, 20.0)];
        let of_round = |(round, (leveret, floor)): (usize, (f64, f64))| {
            [measurement(Leveret, round, leveret), measurement(Floor, round, floor)]
        };
        let measurements = rounds.into_iter().enumerate().flat_map(of_round).collect();
        let results = Results::new(vec![record(measurements)]).unwrap();
        let to = Reference::Floor;
        let ratio = results.ratio(&scenario(), Leveret, Figure::CallsPerSecond, to).unwrap();
        assert_eq!(ratio, Ratio { median: 2.0, least: 1.5, most: 2.0 });
        assert_eq!(results.figure(&scenario(), Leveret, Figure::CallsPerSecond), Some(22.0));
    }

    #[test]
    fn the_best_peer_is_the_fastest_and_the_one_that_works_least() {
        let measurements = vec![
            measurement(Leveret, 0, 40.0),
            measurement(Lapin, 0, 10.0),
            measurement(Amqprs, 0, 20.0),
        ];
        let results = Results::new(vec![record(measurements)]).unwrap();
        let median = |figure| {
            results.ratio(&scenario(), Leveret, figure, Reference::BestPeer).unwrap().median
        };
        assert_eq!(median(Figure::CallsPerSecond), 2.0);
        // Of processor time, the one that has less.
        assert_eq!(median(Figure::ProcessorTime), 4.0);
        assert_eq!(
            results.ratio(&scenario(), Leveret, Figure::CallsPerSecond, Reference::Floor),
            None,
        );
    }

    #[test]
    fn rounds_of_two_files_are_not_mixed() {
        let one = |leveret, floor| {
            record(vec![measurement(Leveret, 0, leveret), measurement(Floor, 0, floor)])
        };
        let results = Results::new(vec![one(2.0, 1.0), one(60.0, 20.0)]).unwrap();
        let ratio =
            results.ratio(&scenario(), Leveret, Figure::CallsPerSecond, Reference::Floor).unwrap();
        assert_eq!(ratio, Ratio { median: 2.5, least: 2.0, most: 3.0 });
        assert_eq!(results.rounds(), Some((2, 2)));
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let machine = |cores| {
            let machine = Machine {
                processor: "some".to_owned(),
                cores,
                memory_gib: 4.0,
                kernel: "6.1".to_owned(),
                system: "Debian".to_owned(),
            };
            Record { machine: Some(machine), ..Record::default() }
        };
        assert!(Results::new(vec![machine(2), machine(2)]).is_ok());
        assert!(Results::new(vec![machine(2), machine(4)]).is_err());

        let version = |version: &str| Record {
            versions: [("lapin".to_owned(), version.to_owned())].into(),
            ..Record::default()
        };
        assert!(Results::new(vec![version("4.12.3"), version("4.12.3")]).is_ok());
        assert!(Results::new(vec![version("4.12.3"), version("4.12.4")]).is_err());

        let twice = vec![measurement(Leveret, 0, 1.0), measurement(Leveret, 0, 2.0)];
        assert!(Results::new(vec![record(twice)]).is_err());
    }

    #[test]
    fn loads_come_first_and_then_sizes() {
        let at = |in_flight, body_size| {
            let mut one = measurement(Leveret, 0, 10.0);
            one.scenario.in_flight = in_flight;
            one.scenario.body_size = body_size;
            one
        };
        let measurements = vec![at(8, 1 << 20), at(64, 0), at(1024, 64), at(1, 64)];
        let results = Results::new(vec![record(measurements)]).unwrap();
        let all = results.scenarios_of(Side::Client, "RabbitMQ 4.3", Runtime::CurrentThread);
        let all = all.iter().map(|it| (it.in_flight, it.body_size)).collect::<Vec<_>>();
        assert_eq!(all, [(1, 64), (1024, 64), (64, 0), (8, 1 << 20)]);
    }

    #[test]
    fn scenarios_of_two_runtimes_are_two() {
        let mut other = measurement(Leveret, 0, 2.0);
        other.scenario.runtime = Runtime::MultiThread;
        let results =
            Results::new(vec![record(vec![measurement(Leveret, 0, 1.0), other])]).unwrap();
        assert_eq!(results.scenarios().count(), 2);
        assert_eq!(results.figure(&scenario(), Leveret, Figure::CallsPerSecond), Some(1.0));
    }
}

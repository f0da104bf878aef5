//! [`Bounds`]: the most that an operation may cost, as `bench/instructions/bounds` has it.

use std::fmt;

use crate::Result;

/// What an operation of a scenario costs, or may cost.
#[derive(Debug, PartialEq)]
pub(super) struct Cost {
    pub(super) scenario: String,
    pub(super) instructions: f64,
    pub(super) allocations: f64,
}

#[derive(Debug, PartialEq)]
pub(super) struct Bounds(Vec<Cost>);

impl Bounds {
    /// One scenario a line: its name, instructions and allocations. Lines with a `#` say why.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let is_bound = |line: &&str| !line.is_empty() && !line.starts_with('#');
        let parse = |line: &str| -> Result<Cost> {
            let fields = line.split_whitespace().collect::<Vec<_>>();
            let [scenario, instructions, allocations] = fields[..] else {
                return Err(format!("not a bound: {line}").into());
            };
            let number = |field: &str| field.parse().map_err(|_| format!("not a bound: {line}"));
            Ok(Cost {
                scenario: scenario.to_owned(),
                instructions: number(instructions)?,
                allocations: number(allocations)?,
            })
        };
        text.lines().map(str::trim).filter(is_bound).map(parse).collect::<Result<_>>().map(Self)
    }

    /// What is counted, and 5 per cent: for compilers and processors that do it a bit differently.
    pub(super) fn around(costs: &[Cost]) -> Self {
        let bound = |cost: &Cost| Cost {
            scenario: cost.scenario.clone(),
            instructions: (cost.instructions * 1.05).ceil(),
            allocations: (cost.allocations * 105.0).ceil() / 100.0,
        };
        Self(costs.iter().map(bound).collect())
    }

    pub(super) fn of(&self, scenario: &str) -> Result<&Cost> {
        find(&self.0, scenario).ok_or_else(|| format!("there is no bound for {scenario}").into())
    }

    /// A sentence for each bound that is broken. Each scenario has to have its bounds, and they theirs.
    pub(super) fn broken_by(&self, costs: &[Cost]) -> Result<Vec<String>> {
        if let Some(bound) = self.0.iter().find(|bound| find(costs, &bound.scenario).is_none()) {
            return Err(
                format!("there is a bound for {}, which is no scenario", bound.scenario).into()
            );
        }
        let mut broken = Vec::new();
        for cost in costs {
            let bound = self.of(&cost.scenario)?;
            let both = [
                ("instructions", cost.instructions, bound.instructions),
                ("allocations", cost.allocations, bound.allocations),
            ];
            for (what, counted, most) in
                both.into_iter().filter(|(_, counted, most)| counted > most)
            {
                let (scenario, more) = (&cost.scenario, counted - most);
                broken.push(format!(
                    "{scenario} takes {counted:.2} {what}, {more:.2} more than its bound of {most}"
                ));
            }
        }
        Ok(broken)
    }
}

pub(super) fn find<'a>(costs: &'a [Cost], scenario: &str) -> Option<&'a Cost> {
    costs.iter().find(|cost| cost.scenario == scenario)
}

/// As it is stored.
impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(COMMENT)?;
        for Cost { scenario, instructions, allocations } in &self.0 {
            writeln!(f, "{scenario:<30}{instructions:>14}{allocations:>14}")?;
        }
        Ok(())
    }
}

const COMMENT: &str = "\
# The most instructions and allocations that an operation may take, on x86-64: what was counted, and
# 5 per cent. `cargo xtask instructions` holds the code against it, and with `--store-bounds` writes it.
#
# scenario                      instructions   allocations
";

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(scenario: &str, instructions: f64, allocations: f64) -> Cost {
        Cost { scenario: scenario.into(), instructions, allocations }
    }

    #[test]
    fn what_is_stored_is_what_is_read() {
        let bounds = Bounds::around(&[cost("decode", 410.0, 0.0), cost("call", 4507.7, 2.0004)]);
        let expected = Bounds(vec![cost("decode", 431.0, 0.0), cost("call", 4734.0, 2.11)]);
        assert_eq!(bounds, expected);
        assert_eq!(Bounds::parse(&bounds.to_string()).unwrap(), expected);
    }

    #[test]
    fn a_bound_has_a_name_and_two_numbers() {
        for line in ["decode", "decode 410", "decode 410 few", "decode 410 0 0"] {
            let error = Bounds::parse(line).unwrap_err();
            assert_eq!(error.to_string(), format!("not a bound: {line}"));
        }
    }

    #[test]
    fn a_bound_is_broken_by_more_and_not_by_as_much() {
        let bounds = Bounds::parse("decode 410 0\ncall 2000 3").unwrap();
        let kept = [cost("decode", 410.0, 0.0), cost("call", 1999.5, 3.0)];
        assert_eq!(bounds.broken_by(&kept).unwrap(), Vec::<String>::new());
        let broken = bounds.broken_by(&[cost("decode", 410.5, 0.0), cost("call", 1.0, 3.25)]);
        let expected = [
            "decode takes 410.50 instructions, 0.50 more than its bound of 410",
            "call takes 3.25 allocations, 0.25 more than its bound of 3",
        ];
        assert_eq!(broken.unwrap(), expected);
    }

    #[test]
    fn no_scenario_is_without_bounds_and_no_bounds_without_scenario() {
        let bounds = Bounds::parse("decode 410 0").unwrap();
        let error = bounds.broken_by(&[]).unwrap_err();
        assert_eq!(error.to_string(), "there is a bound for decode, which is no scenario");
        let both = [cost("decode", 1.0, 0.0), cost("call", 1.0, 0.0)];
        assert_eq!(bounds.broken_by(&both).unwrap_err().to_string(), "there is no bound for call");
    }
}

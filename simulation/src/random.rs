//! [`Random`]: all the chance there is in a run, from its seed.

use std::ops::RangeInclusive;
use std::time::Duration;

/// A generator of numbers that look random (SplitMix64). It is written out here so that a seed stays
/// the same run for as long as this crate does.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The same seed gives the same numbers.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below the limit, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        let product = u128::from(self.number()) * limit as u128;
        (product >> 64) as usize
    }

    /// A number from the range.
    pub fn within(&mut self, range: RangeInclusive<usize>) -> usize {
        range.start() + self.below(range.end() - range.start() + 1)
    }

    /// True in so many of a hundred cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of the choices.
    pub fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }

    /// A time from the range, to the microsecond.
    pub fn time(&mut self, range: RangeInclusive<Duration>) -> Duration {
        let [least, most] = [range.start(), range.end()].map(|time| time.as_micros() as usize);
        Duration::from_micros(self.within(least..=most) as u64)
    }

    /// A time from the range of milliseconds.
    pub fn milliseconds(&mut self, range: RangeInclusive<u64>) -> Duration {
        let [least, most] = [range.start(), range.end()].map(|time| Duration::from_millis(*time));
        self.time(least..=most)
    }
}

//! [`Script`]: octets as a list of steps.
//!
//! Everything is read from the front, and what is longer than a number has its length before it:
//! so a captured conversation can be made into a script, and a fuzzer can insert, drop and repeat
//! steps without changing what the others mean.

use arbitrary::{Arbitrary, Unstructured};

pub(crate) struct Script<'a> {
    rest: &'a [u8],
}

impl<'a> Script<'a> {
    pub(crate) fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets }
    }

    /// What to do next, until nothing is left.
    pub(crate) fn step(&mut self) -> Option<u8> {
        let (&step, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(step)
    }

    /// A number of 8 bits; 0 at the end.
    pub(crate) fn small(&mut self) -> u8 {
        self.step().unwrap_or(0)
    }

    /// A number of 16 bits, the high octet first.
    pub(crate) fn number(&mut self) -> u16 {
        u16::from_be_bytes([self.small(), self.small()])
    }

    /// One of as many things as there are.
    pub(crate) fn index(&mut self, count: usize) -> Option<usize> {
        usize::from(self.small()).checked_rem(count)
    }

    /// Octets with their number in front, or all that are left.
    pub(crate) fn octets(&mut self) -> &'a [u8] {
        let length = usize::from(self.number()).min(self.rest.len());
        let (octets, rest) = self.rest.split_at(length);
        self.rest = rest;
        octets
    }

    /// A value, made from octets of its own. None if these are too few for any.
    pub(crate) fn value<T: Arbitrary<'a>>(&mut self) -> Option<T> {
        T::arbitrary_take_rest(Unstructured::new(self.octets())).ok()
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.rest
    }
}

//! [`Meter`]: what tells the operation from all that it takes to have it done.

use std::hint::black_box;

/// Measures what is done inside of it, and nothing else. It is not used inside of itself.
pub trait Meter {
    fn measure<T>(&mut self, act: impl FnOnce() -> T) -> T;
}

/// For what is done beforehand.
pub(crate) struct Unmeasured;

impl Meter for Unmeasured {
    fn measure<T>(&mut self, act: impl FnOnce() -> T) -> T {
        act()
    }
}

/// Does it many times, each time with what is prepared anew, and none of it optimised away. What
/// comes of it is checked where that is not measured.
pub(crate) fn repeat<I, T>(
    meter: &mut impl Meter,
    times: usize,
    mut prepare: impl FnMut() -> I,
    mut act: impl FnMut(I) -> T,
    mut check: impl FnMut(T),
) {
    for _ in 0..times {
        let input = prepare();
        check(black_box(meter.measure(|| act(black_box(input)))));
    }
}

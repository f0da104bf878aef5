//! How much may be allocated.

use allocation_counter::measure;

/// Runs it, and checks the most that it held at any one time: `base` octets, and `factor` for each
/// that it was handed, which it returns.
pub(crate) fn holds_at_most(base: u64, factor: u64, run: impl FnOnce() -> usize) {
    let mut handed = 0;
    let held = measure(|| handed = run()).bytes_max;
    let limit = base + factor * handed as u64;
    assert!(held <= limit, "{held} octets were held, for {handed} octets of input");
}

/// Runs it, and checks all that it allocated, even if it gave that back.
pub(crate) fn allocates_at_most<T>(limit: usize, run: impl FnOnce() -> T) -> T {
    let mut result = None;
    let allocated = measure(|| result = Some(run())).bytes_total;
    assert!(allocated <= limit as u64, "{allocated} octets were allocated, {limit} are allowed");
    result.expect("it has been run")
}

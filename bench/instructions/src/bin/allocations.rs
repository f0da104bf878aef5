//! Runs all scenarios, and prints of each its name, the number of operations, and how often they
//! asked the allocator for memory.

use leveret_instructions::{Meter, SCENARIOS};

#[derive(Default)]
struct Allocations {
    count: u64,
}

impl Meter for Allocations {
    fn measure<T>(&mut self, act: impl FnOnce() -> T) -> T {
        let mut result = None;
        let counted = allocation_counter::measure(|| result = Some(act()));
        self.count += counted.count_total;
        result.expect("the closure was called")
    }
}

fn main() {
    for scenario in SCENARIOS {
        let mut meter = Allocations::default();
        let operations = scenario.run(&mut meter);
        println!("{} {operations} {}", scenario.name, meter.count);
    }
}

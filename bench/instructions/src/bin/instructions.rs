//! Runs one scenario for callgrind, which counts what happens inside `measured`, and prints the
//! number of operations.

use leveret_instructions::{Meter, Scenario};

struct Callgrind;

impl Meter for Callgrind {
    fn measure<T>(&mut self, act: impl FnOnce() -> T) -> T {
        measured(act)
    }
}

/// The function that callgrind is told to look for, by its path and whatever it is generic over. That
/// costs nothing itself, other than a call through a pointer.
#[inline(never)]
fn measured<T>(act: impl FnOnce() -> T) -> T {
    act()
}

fn main() {
    let name = std::env::args().nth(1).expect("the name of a scenario");
    let scenario = Scenario::named(&name).unwrap_or_else(|| panic!("no scenario is named {name}"));
    println!("{}", scenario.run(&mut Callgrind));
}

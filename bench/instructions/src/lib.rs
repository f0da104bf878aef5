//! Scenarios whose cost is counted: by callgrind in instructions, which are the same whatever else
//! the machine does, and by an allocator that counts.
//!
//! A scenario prepares what it needs and has only the operation itself measured. The two programs
//! differ in what they do to measure it.

mod codec;
mod dialogue;
mod requester;
mod responder;

use std::hint::black_box;

/// Measures what is done inside of it, and nothing else.
pub trait Meter {
    fn measure<T>(&mut self, act: impl FnOnce() -> T) -> T;
}

/// What is measured, by its name in the table of bounds.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    pub name: &'static str,
    what: What,
}

#[derive(Debug, Clone, Copy)]
enum What {
    DecodeReply,
    EncodeRequest,
    Calls { batch: usize, waiting: usize, body_size: usize },
    Requests { batch: usize },
}

/// All of them, in the order of the table.
pub const SCENARIOS: [Scenario; 8] = [
    Scenario { name: "codec/decode-reply", what: What::DecodeReply },
    Scenario { name: "codec/encode-request", what: What::EncodeRequest },
    Scenario { name: "requester/call-alone", what: calls(1, 0, 64) },
    Scenario { name: "requester/call-of-64", what: calls(64, 0, 64) },
    Scenario { name: "requester/call-beside-1000", what: calls(64, 1_000, 64) },
    Scenario { name: "requester/call-beside-100000", what: calls(64, 100_000, 64) },
    Scenario { name: "responder/request-alone", what: What::Requests { batch: 1 } },
    Scenario { name: "responder/request-of-64", what: What::Requests { batch: 64 } },
];

const fn calls(batch: usize, waiting: usize, body_size: usize) -> What {
    What::Calls { batch, waiting, body_size }
}

impl Scenario {
    pub fn named(name: &str) -> Option<Self> {
        SCENARIOS.into_iter().find(|scenario| scenario.name == name)
    }

    /// Does it, and gives back how many operations that were.
    pub fn run(self, meter: &mut impl Meter) -> usize {
        match self.what {
            What::DecodeReply => codec::decode_replies(meter),
            What::EncodeRequest => codec::encode_requests(meter),
            What::Calls { batch, waiting, body_size } => {
                requester::calls(meter, batch, waiting, body_size)
            }
            What::Requests { batch } => responder::requests(meter, batch),
        }
    }
}

/// Does it many times, each time with what is prepared anew, and none of it optimised away. What
/// comes of it is checked where that is not measured.
fn repeat<M: Meter, I, T>(
    meter: &mut M,
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

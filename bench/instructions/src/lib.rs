//! Scenarios whose cost is counted: by callgrind in instructions, which are the same whatever else
//! the machine does, and by an allocator that counts.
//!
//! A scenario prepares what it needs and has only the operation itself measured. The two programs
//! differ in what they do to measure it.

mod codec;
mod dialogue;
mod message;
mod meter;
mod requester;
mod responder;

pub use meter::Meter;

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
    /// So many calls at a time, while others wait for their replies.
    Calls {
        batch: usize,
        waiting: usize,
    },
    /// So many requests at a time.
    Requests {
        batch: usize,
    },
}

/// All of them, in the order of the table.
pub const SCENARIOS: [Scenario; 8] = [
    Scenario { name: "codec/decode-reply", what: What::DecodeReply },
    Scenario { name: "codec/encode-request", what: What::EncodeRequest },
    Scenario { name: "requester/call-alone", what: What::Calls { batch: 1, waiting: 0 } },
    Scenario { name: "requester/call-of-64", what: What::Calls { batch: 64, waiting: 0 } },
    Scenario {
        name: "requester/call-beside-1000",
        what: What::Calls { batch: 64, waiting: 1_000 },
    },
    Scenario {
        name: "requester/call-beside-100000",
        what: What::Calls { batch: 64, waiting: 100_000 },
    },
    Scenario { name: "responder/request-alone", what: What::Requests { batch: 1 } },
    Scenario { name: "responder/request-of-64", what: What::Requests { batch: 64 } },
];

impl Scenario {
    pub fn named(name: &str) -> Option<Self> {
        SCENARIOS.into_iter().find(|scenario| scenario.name == name)
    }

    /// Does it, and gives back how many operations that were.
    pub fn run(self, meter: &mut impl Meter) -> usize {
        match self.what {
            What::DecodeReply => codec::decode_replies(meter),
            What::EncodeRequest => codec::encode_requests(meter),
            What::Calls { batch, waiting } => requester::calls(meter, batch, waiting),
            What::Requests { batch } => responder::requests(meter, batch),
        }
    }
}

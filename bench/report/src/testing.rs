//! What tests measure.

use crate::record::{Implementation, Measurement, Record, Runtime, Scenario, Side};

/// A client on RabbitMQ 4.3, current-thread, 64 in flight, 64 octets.
pub(crate) fn scenario() -> Scenario {
    Scenario {
        side: Side::Client,
        against: "RabbitMQ 4.3".to_owned(),
        runtime: Runtime::CurrentThread,
        in_flight: 64,
        body_size: 64,
    }
}

/// So many calls a second, each of as many microseconds of processor time.
pub(crate) fn measurement(
    implementation: Implementation,
    round: usize,
    figure: f64,
) -> Measurement {
    Measurement {
        scenario: scenario(),
        implementation,
        round: u32::try_from(round).expect("few rounds"),
        calls_per_second: Some(figure),
        user_microseconds_per_call: Some(figure / 4.0),
        system_microseconds_per_call: Some(figure * 3.0 / 4.0),
        p50_microseconds: None,
        p99_microseconds: None,
        p999_microseconds: None,
        system_calls_per_call: None,
        allocations_per_call: None,
        peak_memory_octets: None,
    }
}

pub(crate) fn record(measurements: Vec<Measurement>) -> Record {
    Record { measurements, ..Record::default() }
}

//! Spans and events for the crate `tracing`, by OpenTelemetry's conventions for messaging; without
//! the feature `tracing`, nothing.

#[cfg_attr(feature = "tracing", path = "trace/spans.rs")]
#[cfg_attr(not(feature = "tracing"), path = "trace/nothing.rs")]
mod spans;

pub(crate) use self::spans::{Operation, connection, state_changed};

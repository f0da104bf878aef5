//! Spans and events for the crate `tracing`, by OpenTelemetry's conventions for messaging; without
//! the feature `tracing`, nothing.
//!
//! <https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/>, and `/rabbitmq/` beside it.

#[cfg(feature = "tracing")]
mod propagation;
#[cfg_attr(feature = "tracing", path = "trace/spans.rs")]
#[cfg_attr(not(feature = "tracing"), path = "trace/nothing.rs")]
mod spans;

#[cfg(feature = "tracing")]
pub(crate) use self::propagation::Propagation;
#[cfg(feature = "tracing")]
pub use self::propagation::Propagator;
#[cfg(not(feature = "tracing"))]
pub(crate) use self::spans::Propagation;
pub(crate) use self::spans::{Instrumentation, Operation, connection, state_changed};

/// What spans and events are filtered by.
#[cfg(feature = "tracing")]
const TARGET: &str = "leveret";

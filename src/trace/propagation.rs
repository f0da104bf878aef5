//! [`Propagator`]: the context of spans in the headers of requests.

use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use leveret_codec::{FieldTable, FieldValue};
use tracing::{Span, warn};

use super::TARGET;
use crate::requester::Outgoing;
use crate::{ClientBuilder, Request, ServerBuilder};

/// Carries the context of spans in the headers of requests, so that a handler's span has the span of
/// the call as its parent, in another process too.
///
/// Spans of the crate `tracing` have no ids of their own: those of a trace come from whoever records
/// the spans. So this is a few lines of the program's, and here they are for OpenTelemetry, whose
/// `TraceContextPropagator` reads and writes the headers `traceparent` and `tracestate` of
/// [W3C Trace Context](https://www.w3.org/TR/trace-context/):
///
/// ```
/// use std::collections::HashMap;
///
/// use leveret::Propagator;
/// use opentelemetry::propagation::TextMapPropagator;
/// use opentelemetry_sdk::propagation::TraceContextPropagator;
/// use tracing::Span;
/// use tracing_opentelemetry::OpenTelemetrySpanExt;
///
/// struct TraceContext(TraceContextPropagator);
///
/// impl Propagator for TraceContext {
///     fn inject(&self, span: &Span, headers: &mut HashMap<String, String>) {
///         self.0.inject_context(&span.context(), headers);
///     }
///
///     fn extract(&self, span: &Span, headers: &HashMap<String, String>) {
///         // It fails where nothing records the span.
///         let _ = span.set_parent(self.0.extract(headers));
///     }
/// }
///
/// let server = leveret::Server::builder("amqp://localhost")
///     .propagator(TraceContext(TraceContextPropagator::new()));
/// let client = leveret::Client::builder("amqp://localhost")
///     .propagator(TraceContext(TraceContextPropagator::new()));
/// ```
///
/// A header that the request has already is left as it is, and with a `traceparent` of the user's goes
/// no other `tracestate`. A received `traceparent` that is not well-formed is ignored, and with it the
/// `tracestate`.
pub trait Propagator: Send + Sync + 'static {
    /// Adds the headers that say where the span belongs. It is the call's; if there is nothing to say
    /// of that, because it is not recorded, this is asked again with the current one. A header without a
    /// value is not sent.
    fn inject(&self, span: &Span, headers: &mut HashMap<String, String>);

    /// Puts the span, a handler's that nobody has entered yet, where the headers say that it belongs.
    /// They are those of the request that are text, of up to 8 KiB each.
    fn extract(&self, span: &Span, headers: &HashMap<String, String>);
}

impl ClientBuilder {
    /// Sends the context of each call's span in the headers of its request. None is sent unless set.
    pub fn propagator(mut self, propagator: impl Propagator) -> Self {
        self.propagation = Propagation(Some(Arc::new(propagator)));
        self
    }
}

impl ServerBuilder {
    /// Puts each handler's span where the headers of its request say that it belongs. Each begins a
    /// trace of its own unless set.
    pub fn propagator(mut self, propagator: impl Propagator) -> Self {
        self.propagation = Propagation(Some(Arc::new(propagator)));
        self
    }
}

/// The propagator, if there is one.
#[derive(Clone)]
pub(crate) struct Propagation(Option<Arc<dyn Propagator>>);

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

/// The longest header that is read.
const MAX_LENGTH: usize = 0x2000;

impl Propagation {
    pub(crate) const NONE: Self = Self(None);

    /// Whether the request is going to say which span it was made in.
    pub(super) fn injects_into(&self, outgoing: &Outgoing) -> bool {
        self.0.is_some() && !has(outgoing.properties.headers.as_ref(), TRACEPARENT)
    }

    pub(super) fn inject(&self, span: &Span, outgoing: &mut Outgoing) {
        let Some(propagator) = &self.0 else { return };
        let mut headers = HashMap::new();
        propagator.inject(span, &mut headers);
        headers.retain(|_, value| !value.is_empty());
        // Whoever records spans may leave out those of libraries.
        if headers.is_empty() {
            propagator.inject(&Span::current(), &mut headers);
            headers.retain(|_, value| !value.is_empty());
        }
        let own = outgoing.properties.headers.as_ref();
        if has(own, TRACEPARENT) {
            headers.remove(TRACESTATE);
        }
        headers.retain(|name, _| !has(own, name));
        let mut headers: Vec<_> = headers.into_iter().collect();
        headers.sort();
        for (name, value) in headers {
            let own = outgoing.properties.headers.get_or_insert_default();
            if let Err(error) = own.insert(name, value) {
                warn!(target: TARGET, %error, "a header of the propagator's is not sent");
            }
        }
    }

    pub(super) fn extract(&self, span: &Span, request: &Request) {
        let Some(propagator) = &self.0 else { return };
        let Some(headers) = &request.properties.headers else { return };
        let mut headers: HashMap<_, _> = headers.iter().filter_map(text).collect();
        if headers.get(TRACEPARENT).is_some_and(|value| !is_traceparent(value.as_bytes())) {
            headers.remove(TRACEPARENT);
            headers.remove(TRACESTATE);
        }
        if headers.is_empty() || span.is_disabled() {
            return;
        }
        // The request is to be answered whatever this does.
        let extract = AssertUnwindSafe(|| propagator.extract(span, &headers));
        if catch_unwind(extract).is_err() {
            warn!(target: TARGET, "the propagator has panicked");
        }
    }
}

fn has(headers: Option<&FieldTable>, name: &str) -> bool {
    headers.is_some_and(|headers| headers.get(name).is_some())
}

/// A header that is text, and not too long.
fn text<N: AsRef<[u8]>>((name, value): (N, FieldValue)) -> Option<(String, String)> {
    let FieldValue::LongStr(value) = value else { return None };
    let text = |octets: &[u8]| core::str::from_utf8(octets).ok().map(str::to_owned);
    let value = value.as_bytes();
    (value.len() <= MAX_LENGTH).then(|| Some((text(name.as_ref())?, text(value)?))).flatten()
}

/// `version "-" trace-id "-" parent-id "-" trace-flags`, in lower-case hexadecimal digits; of later
/// versions than 00, there may be more. No id is zero, and no version is ff.
/// <https://www.w3.org/TR/trace-context/#traceparent-header-field-values>
fn is_traceparent(value: &[u8]) -> bool {
    let mut parts = value.splitn(5, |octet| *octet == b'-');
    let mut field = |length: usize| {
        let is_hex = |octet: &u8| matches!(octet, b'0'..=b'9' | b'a'..=b'f');
        parts.next().filter(|part| part.len() == length && part.iter().all(is_hex))
    };
    let fields = (field(2), field(32), field(16), field(2));
    let (Some(version), Some(trace_id), Some(parent_id), Some(_)) = fields else { return false };
    let is_zero = |id: &[u8]| id.iter().all(|digit| *digit == b'0');
    let is_too_long = version == b"00" && parts.next().is_some();
    version != b"ff" && !is_zero(trace_id) && !is_zero(parent_id) && !is_too_long
}

impl fmt::Debug for Propagation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Propagation" } else { "None" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_traceparent_is_what_w3c_says_that_it_is() {
        assert!(is_traceparent(GOOD.as_bytes()));
        for good in ["00", "ff"].map(|flags| format!("{}{flags}", &GOOD[..53])) {
            assert!(is_traceparent(good.as_bytes()), "{good}");
        }
        for later in [format!("01{}", &GOOD[2..]), format!("fe{}-more-of-it", &GOOD[2..])] {
            assert!(is_traceparent(later.as_bytes()), "{later}");
        }
        for bad in [
            String::new(),
            format!("{GOOD}-"),
            format!("{GOOD}-more"),
            format!("{GOOD} "),
            format!("{GOOD}0"),
            format!("ff{}", &GOOD[2..]),
            format!("0{GOOD}"),
            format!("0x{}", &GOOD[2..]),
            format!("01{}more", &GOOD[2..]),
            GOOD.to_uppercase(),
            GOOD.replace('-', "_"),
            GOOD.replace("b7ad6b7169203331", "0000000000000000"),
            GOOD.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            GOOD[..54].to_owned(),
            GOOD[..52].to_owned(),
        ] {
            assert!(!is_traceparent(bad.as_bytes()), "{bad}");
        }
    }
}

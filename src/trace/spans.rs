//! What is said to `tracing`. Nothing here shows a body, a header or a password.

use std::fmt::Display;

use leveret_codec::ShortStr;
use tracing::instrument::Instrumented;
use tracing::{Instrument, Span, field, info, info_span, warn};

use crate::requester::Outgoing;
use crate::responder::Answer;
use crate::uri::Address;
use crate::{CallError, ConnectionState, Fault, Reply, Request};

/// What spans and events are filtered by.
const TARGET: &str = "leveret";

/// All that happens on the connections of one client or server.
pub(crate) fn connection<F>(addresses: &[Address], driver: F) -> Instrumented<F> {
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    driver.instrument(info_span!(
        target: TARGET,
        // It outlives whatever it is made in.
        parent: None,
        "connection",
        messaging.system = "rabbitmq",
        server.address = addresses.join(","),
    ))
}

/// The state of a connection has changed.
pub(crate) fn state_changed(from: &ConnectionState, to: &ConnectionState) {
    match to {
        ConnectionState::Connecting => {}
        ConnectionState::Connected if matches!(from, ConnectionState::Blocked { .. }) => {
            info!(target: TARGET, "the broker's alarm is over");
        }
        ConnectionState::Connected => info!(target: TARGET, "connected"),
        ConnectionState::Blocked { reason } => {
            warn!(target: TARGET, reason, "the broker has an alarm on and reads nothing that is published");
        }
        ConnectionState::Unserved { cause } => {
            warn!(target: TARGET, error = %cause, "a queue is not served");
        }
        ConnectionState::Reconnecting { cause, failures } => {
            warn!(target: TARGET, error = %cause, failures, "not connected, trying again");
        }
        ConnectionState::Closed { cause: Some(cause) } => {
            warn!(target: TARGET, error = %cause, "closed for good");
        }
        ConnectionState::Closed { cause: None } => info!(target: TARGET, "closed"),
    }
}

/// A call, or a request at its handler.
pub(crate) struct Operation(Span);

impl Operation {
    pub(crate) fn call(outgoing: &Outgoing) -> Self {
        Self(info_span!(target: TARGET,
            "call",
            otel.name = %format_args!("call {}", outgoing.routing_key),
            otel.kind = "client",
            otel.status_code = field::Empty,
            error.r#type = field::Empty,
            error.message = field::Empty,
            messaging.system = "rabbitmq",
            messaging.operation.name = "call",
            messaging.operation.r#type = "send",
            messaging.destination.name = %destination(outgoing),
            messaging.rabbitmq.destination.routing_key = %outgoing.routing_key,
            messaging.message.body.size = outgoing.body.len(),
        ))
    }

    pub(crate) fn handler(request: &Request) -> Self {
        let properties = &request.properties;
        Self(info_span!(target: TARGET,
            "process",
            otel.name = %format_args!("process {}", request.routing_key),
            otel.kind = "server",
            otel.status_code = field::Empty,
            error.r#type = field::Empty,
            error.message = field::Empty,
            messaging.system = "rabbitmq",
            messaging.operation.name = "process",
            messaging.operation.r#type = "process",
            messaging.destination.name = %request.routing_key,
            messaging.message.id = properties.message_id.as_ref().map(field::display),
            messaging.message.conversation_id =
                properties.correlation_id.as_ref().map(field::display),
            messaging.message.body.size = request.body.len(),
            redelivered = request.redelivered,
        ))
    }

    pub(crate) fn run<F: Future>(&self, future: F) -> Instrumented<F> {
        future.instrument(self.0.clone())
    }

    pub(crate) fn enter<T>(&self, act: impl FnOnce() -> T) -> T {
        self.0.in_scope(act)
    }

    pub(crate) fn called(&self, result: &Result<Reply, CallError>) {
        if let Err(error) = result {
            self.failed(variant(error), error);
        }
    }

    pub(crate) fn answered(&self, answer: &Answer) {
        match answer {
            Answer::Reply(_) => {}
            Answer::Fault(fault) => self.failed(fault.code(), &fault.message()),
            Answer::Panic(message) => self.failed(Fault::PANIC, message),
        }
    }

    fn failed(&self, kind: &str, message: &dyn Display) {
        self.0.record("otel.status_code", "ERROR");
        self.0.record("error.type", kind);
        self.0.record("error.message", field::display(message));
    }
}

fn destination(outgoing: &Outgoing) -> &ShortStr {
    if outgoing.exchange.is_empty() { &outgoing.routing_key } else { &outgoing.exchange }
}

/// The name of the error's variant.
fn variant(error: &CallError) -> &'static str {
    match error {
        CallError::Unroutable { .. } => "Unroutable",
        CallError::Timeout { .. } => "Timeout",
        CallError::Busy { .. } => "Busy",
        CallError::Disconnected { .. } => "Disconnected",
        CallError::Refused { .. } => "Refused",
        CallError::ChannelClosed { .. } => "ChannelClosed",
        CallError::BodyTooLarge { .. } => "BodyTooLarge",
        CallError::InvalidRequest(_) => "InvalidRequest",
        CallError::Fault(_) => "Fault",
        CallError::UnreadableReply(_) => "UnreadableReply",
        #[cfg(feature = "json")]
        CallError::NotJson { .. } => "NotJson",
        CallError::Closed { .. } => "Closed",
    }
}

//! What is said to `tracing`. Nothing here shows a body, a header or a password.

use std::fmt::Display;
use std::sync::Arc;

use leveret_codec::ShortStr;
use tracing::instrument::Instrumented;
use tracing::{Instrument, Span, field, info, info_span, warn};

use super::TARGET;
use super::propagation::Propagation;
use crate::driver::Shared;
use crate::engine::Engine;
use crate::requester::Outgoing;
use crate::responder::{Answer, Pending};
use crate::uri::Address;
use crate::{CallError, ConnectionState, Fault, Reply, Request};

/// All that happens on the connections of one client or server.
pub(crate) fn connection<F>(addresses: &[Address], driver: F) -> Instrumented<F> {
    let (hosts, port) = match addresses {
        [address] => (address.host().to_owned(), Some(address.port())),
        addresses => {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            (addresses.join(","), None)
        }
    };
    driver.instrument(info_span!(
        target: TARGET,
        // It outlives whatever it is made in.
        parent: None,
        "connection",
        messaging.system = "rabbitmq",
        server.address = hosts,
        server.port = port,
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

/// What the spans of a client or server have in common.
#[derive(Debug, Clone)]
pub(crate) struct Instrumentation {
    propagation: Propagation,
    addresses: Arc<[Address]>,
    /// That of a server.
    queue: ShortStr,
}

impl Instrumentation {
    pub(crate) fn new(propagation: Propagation, addresses: &[Address]) -> Self {
        Self { propagation, addresses: addresses.into(), queue: ShortStr::EMPTY }
    }

    /// What those of a queue have in common.
    pub(crate) fn of_queue(&self, queue: &ShortStr) -> Self {
        Self { queue: queue.clone(), ..self.clone() }
    }

    /// A call on that connection. Its request is given the context of the span.
    pub(crate) fn call<E: Engine>(&self, outgoing: &mut Outgoing, shared: &Shared<E>) -> Operation {
        let injects = self.propagation.injects_into(outgoing);
        let (host, port) = self.address(shared);
        let Outgoing { exchange, routing_key, properties, .. } = &*outgoing;
        let destination = destination([exchange, routing_key, &ShortStr::EMPTY]);
        let span = info_span!(target: TARGET,
            "call",
            otel.name = %format_args!("call {destination}"),
            // A handler's span belongs to this one, or to one of the user's.
            otel.kind = if injects { "producer" } else { "client" },
            otel.status_code = field::Empty,
            otel.status_description = field::Empty,
            error.r#type = field::Empty,
            messaging.system = "rabbitmq",
            messaging.operation.name = "call",
            messaging.operation.r#type = "send",
            messaging.destination.name = %destination,
            messaging.rabbitmq.destination.routing_key = not_empty(routing_key),
            messaging.message.id = properties.message_id.as_ref().map(field::display),
            messaging.message.conversation_id = field::Empty,
            messaging.message.body.size = outgoing.body.len(),
            server.address = host,
            server.port = port,
        );
        self.propagation.inject(&span, outgoing);
        Operation { has_message_id: outgoing.properties.message_id.is_some(), span }
    }

    /// A request at its handler. The span belongs where the request says.
    pub(crate) fn handler<E: Engine>(
        &self,
        request: &Request,
        pending: &Pending,
        shared: &Shared<E>,
    ) -> Operation {
        let (host, port) = self.address(shared);
        let Request { exchange, routing_key, properties, .. } = request;
        let destination = destination([exchange, routing_key, &self.queue]);
        let span = info_span!(target: TARGET,
            "process",
            otel.name = %format_args!("process {destination}"),
            otel.kind = "consumer",
            otel.status_code = field::Empty,
            otel.status_description = field::Empty,
            error.r#type = field::Empty,
            messaging.system = "rabbitmq",
            messaging.operation.name = "process",
            messaging.operation.r#type = "process",
            messaging.destination.name = %destination,
            messaging.rabbitmq.destination.routing_key = not_empty(routing_key),
            messaging.rabbitmq.message.delivery_tag = pending.delivery_tag(),
            messaging.message.id = properties.message_id.as_ref().map(field::display),
            messaging.message.conversation_id =
                properties.correlation_id.as_ref().map(field::display),
            messaging.message.body.size = request.body.len(),
            server.address = host,
            server.port = port,
            leveret.redelivered = request.redelivered,
        );
        self.propagation.extract(&span, request);
        Operation { has_message_id: true, span }
    }

    /// Where the broker of a connection is.
    fn address<E: Engine>(&self, shared: &Shared<E>) -> (Option<&str>, Option<u16>) {
        let address = match &*self.addresses {
            [address] => Some(address),
            addresses => addresses.get(shared.query(|engine| engine.link().address())),
        };
        (address.map(Address::host), address.map(Address::port))
    }
}

/// A call, or a request at its handler.
#[derive(Debug)]
pub(crate) struct Operation {
    span: Span,
    has_message_id: bool,
}

impl Operation {
    pub(crate) fn run<F: Future>(&self, future: F) -> Instrumented<F> {
        future.instrument(self.span.clone())
    }

    pub(crate) fn enter<T>(&self, act: impl FnOnce() -> T) -> T {
        self.span.in_scope(act)
    }

    /// The call has an id, which is its message's, too, if it is given none by its user.
    pub(crate) fn made(&self, correlation_id: impl FnOnce() -> ShortStr) {
        if self.span.is_disabled() {
            return;
        }
        let id = correlation_id();
        self.span.record("messaging.message.conversation_id", field::display(&id));
        if !self.has_message_id {
            self.span.record("messaging.message.id", field::display(&id));
        }
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
        self.span.record("otel.status_code", "ERROR");
        self.span.record("otel.status_description", field::display(message));
        self.span.record("error.type", kind);
    }
}

/// Exchange, routing key and queue, less those that are empty or say the same as the one before.
fn destination(parts: [&ShortStr; 3]) -> String {
    let mut parts: Vec<&ShortStr> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    if let [.., routing_key, queue] = *parts
        && routing_key == queue
    {
        parts.pop();
    }
    match &*parts {
        [] => String::from("amq.default"),
        parts => parts.iter().map(ToString::to_string).collect::<Vec<_>>().join(":"),
    }
}

fn not_empty(text: &ShortStr) -> Option<field::DisplayValue<&ShortStr>> {
    (!text.is_empty()).then(|| field::display(text))
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

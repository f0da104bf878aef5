//! One trace through client and server: `cargo run --example tracing --features tracing`.
//!
//! Spans go to OpenTelemetry, whose ids travel as `traceparent` in the headers of requests. Here an
//! exporter in memory has them; in a program it is one of OpenTelemetry's, such as `opentelemetry-otlp`.
//! Client and server meet at the RabbitMQ of `AMQP_URL`, or at a broker inside this process.

use std::collections::HashMap;

use leveret::broker::Broker;
use leveret::{Client, Fault, Propagator, Request, Server};
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use tracing::{Instrument, Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;

/// The headers of W3C Trace Context.
#[derive(Clone)]
struct TraceContext(TraceContextPropagator);

impl Propagator for TraceContext {
    fn inject(&self, span: &Span, headers: &mut HashMap<String, String>) {
        self.0.inject_context(&span.context(), headers);
    }

    fn extract(&self, span: &Span, headers: &HashMap<String, String>) {
        if let Err(error) = span.set_parent(self.0.extract(headers)) {
            eprintln!("a span without its parent: {error}");
        }
    }
}

async fn greet(request: Request) -> Result<String, Fault> {
    let _span = info_span!("in the handler").entered();
    Ok(format!("{} to you", request.text()?))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("example"));
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer))?;

    let (url, _broker) = match std::env::var("AMQP_URL") {
        Ok(url) => (url, None),
        Err(_) => {
            let broker = Broker::start().await?;
            (broker.url(), Some(broker))
        }
    };
    let propagator = TraceContext(TraceContextPropagator::new());
    let server = Server::builder(&url).propagator(propagator.clone());
    let server = server.handle("leveret.tracing", greet).start().await?;
    let client = Client::builder(&url).propagator(propagator).connect().await?;

    let call = client.call("leveret.tracing", "Good morning");
    println!("{}", call.instrument(info_span!("in the client")).await?.text()?);
    client.close().await;
    server.shutdown().await?;

    for span in exporter.get_finished_spans()? {
        let (trace, id) = (span.span_context.trace_id(), span.span_context.span_id());
        println!("{trace}: {id} in {}: {} ({:?})", span.parent_span_id, span.name, span.span_kind);
    }
    Ok(())
}

//! Spans of calls and handlers in one trace, across the wire, as OpenTelemetry records them.

#![cfg(all(feature = "broker", feature = "tracing"))]

use std::collections::HashMap;

use leveret::broker::{Broker, ObservedFrame};
use leveret::{Client, Fault, Propagator, Request, Server, ServerBuilder};
use leveret_codec::{Frame, encode_header};
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider,
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use tracing::{Instrument, Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

struct TraceContext(TraceContextPropagator);

impl TraceContext {
    fn new() -> Self {
        Self(TraceContextPropagator::new())
    }
}

impl Propagator for TraceContext {
    fn inject(&self, span: &Span, headers: &mut HashMap<String, String>) {
        self.0.inject_context(&span.context(), headers);
    }

    fn extract(&self, span: &Span, headers: &HashMap<String, String>) {
        span.set_parent(self.0.extract(headers)).unwrap();
    }
}

struct Scene {
    exporter: InMemorySpanExporter,
    provider: SdkTracerProvider,
    broker: Broker,
    server: Server,
    client: Client,
    _guard: tracing::subscriber::DefaultGuard,
}

impl Scene {
    async fn new() -> Self {
        Self::with(|server| server.propagator(TraceContext::new()), true).await
    }

    /// Records spans on this thread, which has to be the only one.
    async fn with(configure: impl FnOnce(ServerBuilder) -> ServerBuilder, ours: bool) -> Self {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
        let layer = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("test"))
            .with_filter(filter_fn(move |of| ours || of.target() != "leveret"));
        let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));

        let broker = Broker::builder().record_frames().start().await.unwrap();
        let server = Server::builder(broker.url()).connection_name("server");
        let server = configure(server).handle("headers", headers).start().await.unwrap();
        let client = Client::builder(broker.url()).connection_name("client");
        let client = client.propagator(TraceContext::new()).connect().await.unwrap();
        Self { exporter, provider, broker, server, client, _guard: guard }
    }

    /// All spans that were recorded, once everything has ended.
    async fn end(self) -> Spans {
        self.client.close().await;
        self.server.shutdown().await.unwrap();
        self.provider.force_flush().unwrap();
        Spans(self.exporter.get_finished_spans().unwrap())
    }

    fn header_frames(&self, connection: &str) -> Vec<ObservedFrame> {
        let frames = self.broker.connection(connection).unwrap().frames();
        frames.into_iter().filter(|seen| matches!(seen.frame, Frame::Header { .. })).collect()
    }
}

struct Spans(Vec<SpanData>);

impl Spans {
    #[track_caller]
    fn one(&self, name: &str) -> &SpanData {
        let named: Vec<_> = self.0.iter().filter(|span| span.name == name).collect();
        assert_eq!(named.len(), 1, "{name} in {:?}", self.0);
        named[0]
    }
}

/// What came of `traceparent` and `tracestate`, after something of its own.
async fn headers(request: Request) -> Result<String, Fault> {
    if request.body == "wait" {
        tokio::task::yield_now().await;
    }
    info_span!("inner").in_scope(|| {});
    let text = |name| request.header(name).map(|value| value.as_str().unwrap_or("?").to_owned());
    let [parent, state] = ["traceparent", "tracestate"].map(|name| text(name).unwrap_or_default());
    Ok(format!("{parent} {state}"))
}

fn is_child(child: &SpanData, parent: &SpanData) -> bool {
    child.span_context.trace_id() == parent.span_context.trace_id()
        && child.parent_span_id == parent.span_context.span_id()
}

#[tokio::test]
async fn a_handlers_span_is_a_child_of_the_calls() {
    for (body, separate) in [("", false), ("wait", false), ("", true), ("wait", true)] {
        let scene = Scene::with(
            |server| {
                let server = server.propagator(TraceContext::new());
                if separate { server.separate_reply_connection() } else { server }
            },
            true,
        );
        let scene = scene.await;
        let call = scene.client.call("headers", body).instrument(info_span!("outer"));
        let received = call.await.unwrap();
        let received = received.text().unwrap().to_owned();
        let spans = scene.end().await;
        let [outer, call, process, inner] =
            ["outer", "call headers", "process headers", "inner"].map(|name| spans.one(name));
        assert!(is_child(call, outer) && is_child(process, call) && is_child(inner, process));
        assert!(process.parent_span_is_remote && !call.parent_span_is_remote);
        let kinds = (&call.span_kind, &process.span_kind);
        assert_eq!(kinds, (&SpanKind::Producer, &SpanKind::Consumer));
        let context = &call.span_context;
        // Without a state, there is no header of that.
        assert_eq!(received, format!("00-{}-{}-01 ", context.trace_id(), context.span_id()));
    }
}

#[tokio::test]
async fn it_is_text_in_the_headers_on_the_wire() {
    let scene = Scene::new().await;
    let reply = scene.client.call("headers", "").await.unwrap();
    let traceparent = reply.text().unwrap().trim().to_owned();
    let wanted = [b"\x0btraceparentS\0\0\0\x37", traceparent.as_bytes()].concat();
    for connection in ["client", "server"] {
        let frames = scene.header_frames(connection);
        let Frame::Header { header, .. } = &frames[0].frame else { panic!("{frames:?}") };
        // Headers are kept as the octets that came.
        let mut octets = bytes::BytesMut::new();
        encode_header(1, 0, &header.properties, &mut octets);
        let is_there = octets.windows(wanted.len()).any(|window| window == wanted);
        assert!(is_there, "{connection}: {octets:?}");
    }
    scene.end().await;
}

#[tokio::test]
async fn the_state_goes_with_it() {
    let scene = Scene::new().await;
    let outer = info_span!("outer");
    let state = TraceState::from_key_value([("vendor", "opaque")]).unwrap();
    let (trace, span) = (TraceId::from_hex(TRACE).unwrap(), SpanId::from_hex(PARENT).unwrap());
    let context = SpanContext::new(trace, span, TraceFlags::SAMPLED, true, state);
    let context = opentelemetry::Context::new().with_remote_span_context(context);
    outer.set_parent(context).unwrap();
    let reply = scene.client.call("headers", "").instrument(outer).await.unwrap();
    let text = reply.text().unwrap().to_owned();
    assert!(
        text.starts_with(&format!("00-{TRACE}-")) && text.ends_with("-01 vendor=opaque"),
        "{text}"
    );
    let spans = scene.end().await;
    let process = spans.one("process headers");
    assert_eq!(process.span_context.trace_state().get("vendor"), Some("opaque"));
}

#[tokio::test]
async fn a_header_of_the_users_wins() {
    let scene = Scene::new().await;
    let theirs = format!("00-{TRACE}-{PARENT}-01");
    let call = scene.client.request("headers").header("traceparent", theirs.clone());
    let reply = call.send().await.unwrap();
    assert_eq!(reply.text().unwrap(), format!("{theirs} "));
    let spans = scene.end().await;
    let process = spans.one("process headers");
    assert_eq!(process.span_context.trace_id().to_string(), TRACE);
    assert_eq!(process.parent_span_id.to_string(), PARENT);
    assert_eq!(spans.one("call headers").span_kind, SpanKind::Client);
}

#[tokio::test]
async fn what_is_malformed_is_ignored() {
    for malformed in [
        String::from("00"),
        format!("ff-{TRACE}-{PARENT}-01"),
        format!("00-{TRACE}-{PARENT}-01-"),
        format!("00-{TRACE}-0000000000000000-01"),
        format!("00-{TRACE}-{PARENT}-01").to_uppercase(),
    ] {
        let scene = Scene::new().await;
        let call = scene.client.request("headers").header("traceparent", malformed.clone());
        call.header("tracestate", "vendor=opaque").send().await.unwrap();
        let spans = scene.end().await;
        let process = spans.one("process headers");
        assert_eq!(process.parent_span_id, SpanId::INVALID, "{malformed}");
        assert_ne!(process.span_context.trace_id().to_string(), TRACE, "{malformed}");
    }
}

#[tokio::test]
async fn without_spans_of_ours_those_of_the_user_are_carried() {
    let scene = Scene::with(|server| server.propagator(TraceContext::new()), false).await;
    let call = scene.client.call("headers", "").instrument(info_span!("outer"));
    let reply = call.await.unwrap();
    let spans = scene.end().await;
    let context = &spans.one("outer").span_context;
    let wanted = format!("00-{}-{}-01 ", context.trace_id(), context.span_id());
    assert_eq!(reply.text().unwrap(), wanted);
}

#[tokio::test]
async fn nothing_is_carried_unless_asked_for() {
    let scene = Scene::with(|server| server, true).await;
    let client = Client::connect(scene.broker.url()).await.unwrap();
    assert_eq!(client.call("headers", "").await.unwrap().text().unwrap(), " ");
    client.close().await;
    // Nor taken.
    scene.client.call("headers", "").await.unwrap();
    let spans = scene.end().await;
    let mut handlers = spans.0.iter().filter(|span| span.name == "process headers");
    assert!(
        handlers.clone().count() == 2
            && handlers.all(|span| span.parent_span_id == SpanId::INVALID)
    );
}

struct Panics;

impl Propagator for Panics {
    fn inject(&self, _: &Span, _: &mut HashMap<String, String>) {}

    fn extract(&self, _: &Span, _: &HashMap<String, String>) {
        panic!("out of order");
    }
}

#[tokio::test]
async fn a_request_is_answered_even_if_the_propagator_panics() {
    let scene = Scene::with(|server| server.propagator(Panics), true).await;
    for _ in 0..2 {
        scene.client.call("headers", "").await.unwrap();
    }
    scene.end().await;
}

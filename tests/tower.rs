//! Clients and servers as services, in layers of `tower`, on the broker inside the process.

#![cfg(all(feature = "broker", feature = "tower"))]

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use leveret::broker::Broker;
use leveret::service::{BoxError, OutgoingRequest, QueueService};
use leveret::{CallError, Client, ClientBuilder, Fault, Outcome, Reply, Request, Server, ShortStr};
use tokio::sync::Semaphore;
use tokio::task::yield_now;
use tower::load_shed::error::Overloaded;
use tower::retry::Policy;
use tower::timeout::error::Elapsed;
use tower::util::BoxCloneService;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

/// A server that echoes what is not "wait", and answers that when the gate lets it through.
struct Scene {
    broker: Broker,
    server: Server,
    client: Client,
    gate: Arc<Semaphore>,
}

impl Scene {
    async fn new(configure: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Self {
        let broker = Broker::start().await.unwrap();
        let gate = Arc::new(Semaphore::new(0));
        let of_server = Arc::clone(&gate);
        let handler = move |request: Request| {
            let gate = Arc::clone(&of_server);
            async move {
                if request.body == "wait" {
                    gate.acquire().await?.forget();
                }
                Ok(Reply { body: request.body, properties: request.properties })
            }
        };
        let server = Server::builder(broker.url()).handle("echo", handler).start().await.unwrap();
        let client = configure(Client::builder(broker.url())).connect().await.unwrap();
        Self { broker, server, client, gate }
    }

    fn service(&self) -> QueueService {
        self.client.service("echo")
    }

    async fn end(self) {
        self.gate.add_permits(100);
        self.client.close().await;
        self.server.shutdown().await.unwrap();
    }
}

async fn is_ready(service: &mut QueueService) -> bool {
    // Once is what a layer that sheds load asks.
    service.ready().now_or_never().is_some()
}

/// Layers put errors in boxes.
#[track_caller]
fn call_error(result: Result<Reply, BoxError>) -> CallError {
    *result.unwrap_err().downcast().unwrap()
}

#[track_caller]
fn fault<T: std::fmt::Debug>(result: Result<T, CallError>) -> Fault {
    match result {
        Err(CallError::Fault(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_service_sends_what_it_is_called_with() {
    let scene = Scene::new(|client| client).await;
    let mut service = scene.service();
    let reply = service.ready().await.unwrap().call("hello".into()).await.unwrap();
    assert_eq!(reply.body, "hello");

    let request = OutgoingRequest::new("hello").content_type("text/plain");
    let request = request.header("tenant", "acme").unwrap();
    let reply = service.ready().await.unwrap().call(request).await.unwrap();
    assert_eq!(reply.properties.content_type, Some(ShortStr::from_static("text/plain")));
    let headers = reply.properties.headers.as_ref().unwrap();
    assert_eq!(headers.get("tenant").unwrap(), "acme".try_into().unwrap());

    let request = OutgoingRequest::new("wait").timeout(Duration::from_millis(50));
    let error = service.ready().await.unwrap().call(request).await.unwrap_err();
    assert_eq!(error.to_string(), "no reply within 50ms");

    // On a channel of its own, one that does not echo the correlation-id may answer.
    let mut service = scene.service().own_channel();
    let reply = service.ready().await.unwrap().call("hello".into()).await.unwrap();
    assert_eq!(reply.body, "hello");
    scene.end().await;
}

#[tokio::test]
async fn a_service_is_ready_as_long_as_there_is_room_for_a_call() {
    let scene = Scene::new(|client| client.max_in_flight(2)).await;
    let [mut first, mut second, mut third] = [(); 3].map(|()| scene.service());
    // From when it is ready, not from when it is called.
    assert!(is_ready(&mut first).await && is_ready(&mut second).await);
    assert!(!is_ready(&mut third).await);
    drop(second);
    assert!(is_ready(&mut third).await);

    let calls = [first.call("wait".into()), third.call("wait".into())].map(tokio::spawn);
    // They are under way.
    yield_now().await;
    let (mut fourth, mut fifth) = (first.clone(), third.clone());
    assert!(!is_ready(&mut fourth).await);
    let fourth = tokio::spawn(async move { fourth.ready().await?.call("hello".into()).await });
    scene.gate.add_permits(2);
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().body, "wait");
    }
    assert_eq!(fourth.await.unwrap().unwrap().body, "hello");

    // A call that is dropped makes room, too.
    assert!(is_ready(&mut first).await && is_ready(&mut third).await);
    assert!(!is_ready(&mut fifth).await);
    drop(first.call("wait".into()));
    assert!(is_ready(&mut fifth).await);
    scene.end().await;
}

#[tokio::test]
async fn each_connection_has_room_of_its_own() {
    let scene = Scene::new(|client| client.max_in_flight(1).connections(2)).await;
    let [mut first, mut second, mut third] = [(); 3].map(|()| scene.service());
    assert!(is_ready(&mut first).await && is_ready(&mut second).await);
    assert!(!is_ready(&mut third).await);
    scene.end().await;
}

#[tokio::test]
async fn a_service_of_a_client_that_is_closed_is_never_ready() {
    let scene = Scene::new(|client| client.max_in_flight(1)).await;
    let [mut ready, mut waiting, mut later] = [(); 3].map(|()| scene.service());
    assert!(is_ready(&mut ready).await);
    assert!(!is_ready(&mut waiting).await);
    let waiting = tokio::spawn(async move { waiting.ready().await.map(drop) });
    // It has begun to wait.
    yield_now().await;
    scene.client.close().await;
    // It does not wait for room that another keeps.
    let error = waiting.await.unwrap().unwrap_err();
    assert_eq!(error, CallError::Closed { written: false });
    for service in [&mut ready, &mut later] {
        let error = service.ready().await.unwrap_err();
        assert_eq!(error.to_string(), "the client is closed");
        assert_eq!(error.outcome(), Outcome::NotExecuted);
    }
    scene.end().await;
}

#[tokio::test]
async fn a_service_of_a_client_that_has_lost_its_connection_for_good_says_why() {
    let broker = Broker::start().await.unwrap();
    let client = Client::builder(broker.url())
        .reconnect(leveret::Reconnect::never())
        .connect()
        .await
        .unwrap();
    broker.drop_connections();
    client.closed().await.unwrap_err();
    let error = client.service("echo").ready().await.unwrap_err();
    assert!(matches!(error, CallError::Disconnected { written: false, .. }), "{error:?}");
    assert_eq!(error.to_string(), "the connection was lost: the peer closed the socket");
}

#[tokio::test]
async fn while_the_broker_has_an_alarm_on_calls_wait_inside_their_own_timeouts() {
    let scene = Scene::new(|client| client.max_in_flight(1)).await;
    scene.broker.block("low on memory");
    let mut state = scene.client.connection_state();
    let is_blocked = |state: &leveret::ConnectionState| {
        matches!(state, leveret::ConnectionState::Blocked { .. })
    };
    // The broker tells who publishes.
    let request = OutgoingRequest::new("hello").timeout(Duration::from_millis(200));
    let mut service = scene.service();
    let call = service.ready().await.unwrap().call(request.clone());
    drop(call.await);
    state.wait_for(is_blocked).await.unwrap();

    let call = service.ready().await.unwrap().call(request);
    assert!(!is_ready(&mut scene.service()).await, "what waits is bounded");
    let error = call.await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotExecuted, "{error}");
    scene.broker.unblock();
    let reply = service.ready().await.unwrap().call("hello".into()).await.unwrap();
    assert_eq!(reply.body, "hello");
    scene.end().await;
}

#[tokio::test]
async fn timeouts_limits_and_load_shedding_come_from_tower() {
    let scene = Scene::new(|client| client).await;
    let stack = ServiceBuilder::new()
        .load_shed()
        .concurrency_limit(1)
        .timeout(Duration::from_millis(100))
        .service(scene.service());
    let mut service = stack.clone();
    let slow = service.ready().await.unwrap().call("wait".into());
    let shed = stack.clone().oneshot("hello".into()).await.unwrap_err();
    assert!(shed.is::<Overloaded>(), "{shed}");
    assert!(slow.await.unwrap_err().is::<Elapsed>());
    // Its call was forgotten with it.
    assert_eq!(scene.client.stats().pending, 0);
    assert_eq!(stack.clone().oneshot("hello".into()).await.unwrap().body, "hello");

    let error = ServiceBuilder::new()
        .timeout(Duration::from_secs(10))
        .service(scene.client.service("nobody"))
        .oneshot("hello".into())
        .await;
    assert!(matches!(call_error(error), CallError::Unroutable { .. }), "as it was");
    scene.end().await;
}

#[tokio::test]
async fn the_clients_own_limit_sheds_load() {
    let scene = Scene::new(|client| client.max_in_flight(1)).await;
    let stack = ServiceBuilder::new().load_shed().service(scene.service());
    let mut service = stack.clone();
    let slow = service.ready().await.unwrap().call("wait".into());
    assert!(stack.clone().oneshot("hello".into()).await.unwrap_err().is::<Overloaded>());
    scene.gate.add_permits(1);
    slow.await.unwrap();
    stack.oneshot("hello".into()).await.unwrap();
    scene.end().await;
}

/// Sends again what was not executed, and counts.
#[derive(Clone)]
struct ByOutcome(Arc<AtomicUsize>);

impl Policy<OutgoingRequest, Reply, CallError> for ByOutcome {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _request: &mut OutgoingRequest,
        result: &mut Result<Reply, CallError>,
    ) -> Option<Ready<()>> {
        let again = matches!(result, Err(error) if error.outcome() == Outcome::NotExecuted);
        (again && self.0.fetch_add(1, Ordering::Relaxed) < 3).then(|| ready(()))
    }

    fn clone_request(&mut self, request: &OutgoingRequest) -> Option<OutgoingRequest> {
        Some(request.clone())
    }
}

#[tokio::test]
async fn retries_by_outcome_come_from_tower() {
    // Room for one, which the attempts have one after the other.
    let scene = Scene::new(|client| client.max_in_flight(1)).await;
    let retries = Arc::new(AtomicUsize::new(0));
    let retry = |queue: &str| {
        let policy = ByOutcome(Arc::clone(&retries));
        ServiceBuilder::new().retry(policy).service(scene.client.service(queue))
    };
    let error = retry("nobody").oneshot("hello".into()).await.unwrap_err();
    assert!(matches!(error, CallError::Unroutable { .. }));
    assert_eq!(retries.swap(0, Ordering::Relaxed), 4, "three retries, and the last failure");
    assert_eq!(scene.client.stats().calls, 4);

    // Nobody knows whether this one runs.
    let request = OutgoingRequest::new("wait").timeout(Duration::from_millis(50));
    let error = retry("echo").oneshot(request).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert_eq!(retries.load(Ordering::Relaxed), 0);
    scene.end().await;
}

/// A server with that service on the queue "service", and a client.
async fn serving<S>(service: S) -> (Broker, Server, Client)
where
    S: Service<Request, Response: Into<Reply>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
{
    let broker = Broker::start().await.unwrap();
    let server = Server::builder(broker.url()).handle_service("service", service);
    let server = server.start().await.unwrap();
    let client = Client::connect(broker.url()).await.unwrap();
    (broker, server, client)
}

async fn echo(request: Request) -> Result<Reply, Infallible> {
    Ok(request.into_body().into())
}

async fn fail(_: Request) -> Result<(), Fault> {
    Err(Fault::new("no-luck", "not today").with_body("tomorrow"))
}

#[tokio::test]
async fn a_service_is_a_handler() {
    let (_broker, server, client) = serving(service_fn(echo)).await;
    assert_eq!(client.call("service", "hello").await.unwrap().body, "hello");
    client.close().await;
    server.shutdown().await.unwrap();
}

/// It is not `Sync`.
#[tokio::test]
async fn a_service_in_a_box_is_a_handler() {
    let service = BoxCloneService::new(service_fn(echo));
    let (_broker, server, client) = serving(service).await;
    assert_eq!(client.call("service", "hello").await.unwrap().body, "hello");
    client.close().await;
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_fault_gets_through_layers_as_it_is() {
    let layers = ServiceBuilder::new()
        .load_shed()
        .concurrency_limit(3)
        .timeout(Duration::from_secs(10))
        .service_fn(fail);
    for stack in [
        BoxCloneService::new(layers),
        BoxCloneService::new(service_fn(fail).map_err(BoxError::from)),
    ] {
        let (_broker, server, client) = serving(stack).await;
        let fault = fault(client.call("service", "").await);
        assert_eq!(fault, Fault::new("no-luck", "not today").with_body("tomorrow"));
        client.close().await;
        server.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn what_layers_refuse_reaches_the_caller() {
    let gate = Arc::new(Semaphore::new(0));
    let of_service = Arc::clone(&gate);
    let stack = ServiceBuilder::new()
        .load_shed()
        .concurrency_limit(1)
        .timeout(Duration::from_millis(200))
        .service_fn(move |request: Request| {
            let gate = Arc::clone(&of_service);
            async move {
                gate.add_permits(1);
                if request.body == "wait" {
                    std::future::pending::<()>().await;
                }
                echo(request).await
            }
        });
    let (_broker, server, client) = serving(stack).await;
    let slow = client.clone();
    let slow = tokio::spawn(async move { slow.call("service", "wait").await });
    // It has begun.
    gate.acquire().await.unwrap().forget();
    let shed = fault(client.call("service", "hello").await);
    assert_eq!((shed.code(), shed.message()), ("error", "service overloaded"));
    let slow = fault(slow.await.unwrap());
    assert_eq!((slow.code(), slow.message()), ("error", "request timed out"));
    assert_eq!(client.call("service", "hello").await.unwrap().body, "hello");
    client.close().await;
    server.shutdown().await.unwrap();
}

/// Not ready at first, and never ready to be called twice.
#[derive(Clone)]
struct Shy {
    asked: usize,
    calls: Arc<AtomicUsize>,
}

impl Service<Request> for Shy {
    type Response = String;
    type Error = Fault;
    type Future = Ready<Result<String, Fault>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.asked += 1;
        if self.asked < 3 {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        match self.calls.load(Ordering::Relaxed) {
            0..3 => Poll::Ready(Ok(())),
            _ => Poll::Ready(Err(Fault::new("tired", "no more"))),
        }
    }

    fn call(&mut self, _: Request) -> Self::Future {
        let asked = core::mem::take(&mut self.asked);
        self.calls.fetch_add(1, Ordering::Relaxed);
        ready(Ok(format!("asked {asked} times")))
    }
}

#[tokio::test]
async fn each_request_is_given_to_a_clone_that_is_ready() {
    let calls = Arc::new(AtomicUsize::new(0));
    let (_broker, server, client) = serving(Shy { asked: 0, calls }).await;
    for _ in 0..3 {
        assert_eq!(client.call("service", "").await.unwrap().body, "asked 3 times");
    }
    let fault = fault(client.call("service", "").await);
    assert_eq!(fault.to_string(), "tired: no more", "a service that fails to be ready says why");
    client.close().await;
    server.shutdown().await.unwrap();
}

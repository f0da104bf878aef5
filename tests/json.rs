//! Calls and handlers in JSON, on the broker inside the process.

#![cfg(all(feature = "broker", feature = "json"))]

use std::collections::{BTreeMap, HashMap};

use leveret::broker::Broker;
use leveret::{
    CallError, Client, Fault, InvalidRequest, JsonError, Outcome, Reply, Request, Server, ShortStr,
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Numbers {
    a: i64,
    b: i64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Quotient {
    quotient: i64,
}

struct Scene {
    _broker: Broker,
    server: Server,
    client: Client,
}

impl Scene {
    async fn new() -> Self {
        let broker = Broker::start().await.unwrap();
        let server = Server::builder(broker.url())
            .handle_json("divide", |Numbers { a, b }| async move {
                match a.checked_div(b) {
                    Some(quotient) => Ok(Quotient { quotient }),
                    None => Err(Fault::new("no-quotient", "there is none")),
                }
            })
            // What has no form in JSON.
            .handle_json("map", |()| async move { Ok(HashMap::from([((1, 2), 3)])) })
            .handle("picture", |_: Request| async move {
                Ok(Reply::new(&b"GIF89a"[..]).content_type("image/gif"))
            })
            .handle("echo", |request: Request| async move {
                Ok(Reply { body: request.body, properties: request.properties })
            })
            .start()
            .await
            .unwrap();
        let client = Client::connect(broker.url()).await.unwrap();
        Self { _broker: broker, server, client }
    }

    async fn end(self) {
        self.client.close().await;
        self.server.shutdown().await.unwrap();
    }

    /// The fault that comes of octets sent to the handler of [`Numbers`].
    async fn fault_of(&self, body: &'static str, content_type: Option<&str>) -> Fault {
        let mut request = self.client.request("divide").body(body);
        if let Some(content_type) = content_type {
            request = request.content_type(content_type);
        }
        match request.send().await {
            Err(CallError::Fault(fault)) => fault,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn values_travel_as_json_and_say_so() {
    let scene = Scene::new().await;
    let Quotient { quotient } =
        scene.client.call_json("divide", &Numbers { a: 84, b: 2 }).await.unwrap();
    assert_eq!(quotient, 42);

    let request = scene.client.request("echo").json(&Numbers { a: 84, b: 2 });
    let echoed = request.header("tenant", "acme").send().await.unwrap();
    assert_eq!(echoed.text(), Ok(r#"{"a":84,"b":2}"#));
    let json = ShortStr::from_static("application/json");
    assert_eq!(echoed.properties.content_type, Some(json.clone()));

    let reply = scene.client.call("divide", r#"{"a": 84, "b": 2}"#).await.unwrap();
    assert_eq!(reply.text(), Ok(r#"{"quotient":42}"#));
    assert_eq!(reply.properties.content_type, Some(json));
    scene.end().await;
}

#[tokio::test]
async fn a_call_and_its_handler_may_be_of_any_task() {
    let scene = Scene::new().await;
    let client = scene.client.clone();
    let call = async move { client.call_json::<Quotient>("divide", &Numbers { a: 6, b: 3 }).await };
    assert_eq!(tokio::spawn(call).await.unwrap(), Ok(Quotient { quotient: 2 }));
    scene.end().await;
}

#[tokio::test]
async fn a_fault_of_a_typed_handler_reaches_the_caller() {
    let scene = Scene::new().await;
    let call = scene.client.call_json::<Quotient>("divide", &Numbers { a: 1, b: 0 });
    assert_eq!(
        call.await.unwrap_err(),
        CallError::Fault(Fault::new("no-quotient", "there is none"))
    );
    scene.end().await;
}

#[tokio::test]
async fn a_request_that_is_not_what_the_handler_wants_becomes_a_fault_that_says_where() {
    let scene = Scene::new().await;
    for (body, content_type, code, message) in [
        (
            r#"{"a": 84}"#,
            Some("application/json"),
            Fault::INVALID_JSON,
            "the body is not the JSON that is wanted: missing field `b` at line 1 column 9",
        ),
        (
            "{\"a\": 84,\n \"b\": two}",
            None,
            Fault::INVALID_JSON,
            "the body is not the JSON that is wanted: expected ident at line 2 column 8",
        ),
        (
            r#"{"a": 84, "b": 2}"#,
            Some("application/x-python-pickle"),
            Fault::UNSUPPORTED_CONTENT_TYPE,
            "the body is not JSON: its content type is \"application/x-python-pickle\"",
        ),
    ] {
        let fault = scene.fault_of(body, content_type).await;
        assert_eq!((fault.code(), fault.message()), (code, message), "{body}");
    }
    // What a hostile client sends.
    let depths = "[".repeat(1 << 20);
    let error = scene.client.request("divide").body(depths).send().await.unwrap_err();
    let CallError::Fault(fault) = error else { panic!("{error:?}") };
    assert_eq!(fault.code(), Fault::INVALID_JSON);
    scene.end().await;
}

#[tokio::test]
async fn a_reply_that_is_not_what_the_caller_wants_is_kept_and_was_made_by_the_server() {
    let scene = Scene::new().await;
    let error = scene.client.call_json::<Quotient>("picture", &()).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Executed);
    assert_eq!(
        error.to_string(),
        "the server answered, and the body is not JSON: its content type is \"image/gif\""
    );
    let CallError::NotJson { reply, error: JsonError::ContentType { .. } } = error else {
        panic!("{error:?}");
    };
    assert_eq!(reply.body, "GIF89a");

    let error =
        scene.client.call_json::<Quotient>("echo", &Numbers { a: 1, b: 2 }).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Executed);
    assert_eq!(
        error.to_string(),
        "the server answered, and the body is not the JSON that is wanted: missing field \
         `quotient` at line 1 column 13"
    );
    let CallError::NotJson { reply, error: JsonError::Body { line, column, .. } } = error else {
        panic!("{error:?}");
    };
    assert_eq!((reply.text(), line, column), (Ok(r#"{"a":1,"b":2}"#), 1, 13));
    scene.end().await;
}

#[tokio::test]
async fn what_has_no_form_in_json_is_not_sent() {
    let scene = Scene::new().await;
    let value = BTreeMap::from([((1, 2), 3)]);
    let error = scene.client.call_json::<()>("echo", &value).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotExecuted);
    assert_eq!(
        error.to_string(),
        "the request cannot be sent: the value cannot be written as JSON: key must be a string"
    );
    assert!(matches!(
        error,
        CallError::InvalidRequest(InvalidRequest::Json(JsonError::Value { .. }))
    ));
    assert_eq!(scene.server.stats().requests, 0);

    let error = scene.client.call_json::<()>("map", &()).await.unwrap_err();
    let CallError::Fault(fault) = error else { panic!("{error:?}") };
    assert_eq!(fault.code(), Fault::INVALID_REPLY);
    scene.end().await;
}

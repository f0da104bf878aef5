//! Values in JSON, to and from the frameworks that speak it by themselves.
//!
//! They choose the content type by the type of the value: none for `None` and octets, `text/plain` for
//! a `str`, `application/json` for anything else; and they read by it.

use leveret::{CallError, JsonError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::peer::{Library, Server, run_client};
use crate::support::broker::unique;
use crate::support::service::{client, queue, server};

#[derive(Serialize, Deserialize)]
struct Numbers {
    a: i64,
    b: i64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Sum {
    sum: i64,
}

#[tokio::test]
#[ignore = "needs Python and Node: cargo xtask test"]
async fn faststream_as_server() {
    values_of(Library::FastStream).await;
}

#[tokio::test]
#[ignore = "needs Python and Node: cargo xtask test"]
async fn propan_as_server() {
    values_of(Library::Propan).await;
}

#[tokio::test]
#[ignore = "needs Python and Node: cargo xtask test"]
async fn faststream_as_client() {
    let said = said_by(Library::FastStream).await;
    assert_eq!(said, [r#"json application/json {"sum": 42}"#, r#"text application/json "HÉLLO""#]);
}

/// It shows what it has read by the content type, and not that.
#[tokio::test]
#[ignore = "needs Python and Node: cargo xtask test"]
async fn propan_as_client() {
    let said = said_by(Library::Propan).await;
    assert_eq!(said, [r#"json - {"sum": 42}"#, "text - HÉLLO"]);
}

async fn values_of(library: Library) {
    let (sums, values) = (unique("sum").to_string(), unique("values").to_string());
    let (sum_server, value_server, client) = tokio::join!(
        Server::start(library, &sums, &["--json"]),
        Server::start(library, &values, &["--values"]),
        client(),
    );

    let sum: Sum = client.call_json(&sums, &Numbers { a: 20, b: 22 }).await.unwrap();
    assert_eq!(sum, Sum { sum: 42 });

    let object: Value = client.call_json(&values, "object").await.unwrap();
    assert_eq!(object, json!({"a": [1, 2.5, null]}));
    let number: u8 = client.call_json(&values, "number").await.unwrap();
    assert_eq!(number, 42);
    let text: String = client.call_json(&values, "text").await.unwrap();
    assert_eq!(text, "héllo");
    let nothing: Option<String> = client.call_json(&values, "nothing").await.unwrap();
    assert_eq!(nothing, None);

    let error = client.call_json::<u8>(&values, "text").await.unwrap_err();
    let CallError::NotJson { reply, error: JsonError::Body { .. } } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(reply.text(), Ok("héllo"), "the reply is kept");

    client.close().await;
    tokio::join!(sum_server.end(), value_server.end());
}

/// What a client says of a sum and of a text, asked of typed handlers.
async fn said_by(library: Library) -> Vec<String> {
    let ((sums, sum_queue), (texts, text_queue)) = (queue("sum"), queue("text"));
    let server = server()
        .handle_json(sum_queue, |Numbers { a, b }| async move { Ok(Sum { sum: a + b }) })
        .handle_json(text_queue, |text: String| async move { Ok(text.to_uppercase()) })
        .start()
        .await
        .unwrap();
    let (mut said, text) = tokio::join!(
        run_client(library, &sums, &["--json"]),
        run_client(library, &texts, &["--text"]),
    );
    said.extend(text);
    server.shutdown().await.unwrap();
    said
}

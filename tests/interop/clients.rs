//! Leveret's server and the clients of others.

use leveret::{Fault, Reply, Request};

use crate::SIZES;
use crate::peer::{Library, run_client};
use crate::support::service::{queue, server};

/// One call at a time, without correlation-id: subscribe, publish, wait, cancel.
#[tokio::test]
#[ignore = "needs Python and Node: cargo xtask test"]
async fn aio_pika() {
    let said = calls_of(Library::AioPika).await;
    assert_eq!(said, ["json application/json {\"sum\": 42}", "text text/plain héllo"]);
}

#[tokio::test]
#[ignore = "needs Python and Node: cargo xtask test"]
async fn faststream() {
    let said = calls_of(Library::FastStream).await;
    assert_eq!(said, ["json application/json {\"sum\": 42}", "text text/plain héllo"]);
}

/// Propan does not show the content type of a reply, but decodes by it.
#[tokio::test]
#[ignore = "needs Python and Node: cargo xtask test"]
async fn propan() {
    let said = calls_of(Library::Propan).await;
    assert_eq!(said, ["json - {\"sum\": 42}", "text - héllo"]);
}

/// One consumer of replies for all calls, which are told apart by correlation-id.
#[tokio::test]
#[ignore = "needs Python and Node: cargo xtask test"]
async fn pika() {
    let said = calls_of(Library::Pika).await;
    assert_eq!(said, ["json application/json {\"sum\": 42}", "text text/plain héllo"]);
}

#[tokio::test]
#[ignore = "needs Python and Node: cargo xtask test"]
async fn amqplib() {
    let said = calls_of(Library::Amqplib).await;
    assert_eq!(said, ["json application/json {\"sum\":42}", "text text/plain héllo"]);
}

/// What a client says of its calls to a server of ours, after those of all sizes.
async fn calls_of(library: Library) -> Vec<String> {
    let (name, queue) = queue("peer");
    let server = server().handle(queue, echo_or_add).start().await.unwrap();

    let sizes = SIZES.map(|size| size.to_string());
    let mut arguments: Vec<&str> = sizes.iter().flat_map(|size| ["--size", size]).collect();
    arguments.extend(["--json", "--text"]);
    let mut said = run_client(library, &name, &arguments).await;

    let rest = said.split_off(SIZES.len().min(said.len()));
    assert_eq!(said, SIZES.map(|size| format!("ok {size}")));
    let calls = u64::try_from(SIZES.len() + 2).unwrap();
    let stats = server.stats();
    assert_eq!((stats.requests, stats.replies, stats.without_reply_to), (calls, calls, 0));
    server.shutdown().await.unwrap();
    rest
}

/// Adds the numbers of a JSON request, and gives anything else back.
async fn echo_or_add(request: Request) -> Result<Reply, Fault> {
    let content_type = request.properties.content_type.clone();
    if content_type.as_ref().is_some_and(|content_type| *content_type == "application/json") {
        let digits = request.text()?.split(|character: char| !character.is_ascii_digit());
        let sum: u32 = digits.filter_map(|number| number.parse::<u32>().ok()).sum();
        return Ok(Reply::new(format!("{{\"sum\": {sum}}}")).content_type("application/json"));
    }
    let mut reply = Reply::new(request.body);
    reply.properties.content_type = content_type;
    Ok(reply)
}

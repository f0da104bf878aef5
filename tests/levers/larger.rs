//! A broker that has been told to pass on more than Leveret takes.

use leveret::broker::Broker;
use leveret::connection::Unreadable;
use leveret::{CallError, Client, FieldValue, LongStr, Outcome, Reply, Request, Server};

use super::patiently;

/// Larger headers than any frame that Leveret reads.
const HEADERS: usize = 3 << 20;

/// A larger body.
const BODY: usize = (128 << 20) + 1;

async fn broker() -> Broker {
    Broker::builder().tune(2047, 8 << 20, 60).max_message_size(1 << 30).start().await.unwrap()
}

fn header(size: usize) -> FieldValue {
    FieldValue::LongStr(LongStr::new(vec![b'x'; size]).unwrap())
}

/// A client or a server that sends frames as large as this broker takes.
fn wide(broker: &Broker) -> String {
    format!("{}?frame_max={}", broker.url(), 8 << 20)
}

async fn echo(request: Request) -> Result<Reply, leveret::Fault> {
    Ok(Reply::new(request.body))
}

#[tokio::test]
async fn requests_that_are_too_large_are_rejected_and_the_next_one_served() {
    let broker = broker().await;
    let server = Server::builder(broker.url()).handle("echo", echo).start().await.unwrap();
    let client = Client::builder(wide(&broker)).max_body_size(u64::MAX).connect().await.unwrap();
    let unanswered = [
        client.request("echo").header("large", header(HEADERS)).body("body"),
        client.request("echo").body(vec![b'x'; BODY]),
    ]
    .map(|request| request.timeout(super::PATIENCE));
    let [headers, body] = unanswered.map(|request| Box::pin(request.send()));
    let next = async {
        while server.stats().unreadable < 2 {
            tokio::task::yield_now().await;
        }
        client.call("echo", "the next").await.unwrap()
    };
    tokio::select! {
        reply = next => assert_eq!(reply.body, "the next"),
        early = headers => panic!("{early:?}"),
        early = body => panic!("{early:?}"),
    }
    let is_empty = |broker: &Broker| {
        let queue = broker.queue("echo").unwrap();
        (queue.ready, queue.unacknowledged) == (0, 0)
    };
    patiently(broker.until(is_empty)).await;
    client.close().await;
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_reply_that_is_too_large_ends_its_call_if_it_is_known() {
    let broker = broker().await;
    let server = Server::builder(wide(&broker))
        .max_reply_size(u64::MAX)
        .handle("large", |request: Request| async move {
            match request.text()? {
                "headers" => Ok(Reply::new("body").header("large", header(HEADERS))?),
                "body" => Ok(Reply::new(vec![b'x'; BODY])),
                _ => Ok(Reply::new("small")),
            }
        })
        .start()
        .await
        .unwrap();
    let client = Client::connect(broker.url()).await.unwrap();

    let error = patiently(client.call("large", "body")).await.unwrap_err();
    let limit = 128 << 20;
    let expected = Unreadable::BodyTooLarge { size: limit + 1, limit };
    assert_eq!(error, CallError::UnreadableReply(expected));

    let call = client.request("large").body("headers").own_channel();
    let error = patiently(call.send()).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Executed);
    let too_large = matches!(
        error,
        CallError::UnreadableReply(Unreadable::PropertiesTooLarge { limit: 1_048_568, .. })
    );
    assert!(too_large, "{error:?}");

    // Which call it answers is told behind the headers.
    let call = client.request("large").body("headers").send();
    let dropped = async {
        while client.stats().unreadable_replies < 3 {
            tokio::task::yield_now().await;
        }
        client.call("large", "the next").await.unwrap()
    };
    tokio::select! {
        reply = dropped => assert_eq!(reply.body, "small"),
        early = call => panic!("{early:?}"),
    }
    client.close().await;
    server.shutdown().await.unwrap();
}

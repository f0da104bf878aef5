//! What RabbitMQ refuses a client, and what nobody answers.

use std::time::Duration;

use leveret::connection::ConnectionError;
use leveret::uri::Uri;
use leveret::{
    BasicProperties, CallError, Client, ConnectError, Outcome, Queue, Request, Server, SessionError,
};
use leveret_codec::{FieldTable, FieldValue, ReplyCode, ShortStr, queue as queue_method};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::seen::{failure, text, within};
use crate::fake::PASSWORD;
use crate::support::broker::{Broker, unique};
use crate::support::service::{client, echo, echo_server, end, queue, server, url};

/// The most that waiting for something certain may take.
pub(super) const BOUND: Duration = Duration::from_secs(10);

#[tokio::test]
async fn the_password_is_wrong() {
    let broker = Broker::shared().await;
    let (url, address) = url_of(&broker.user, PASSWORD, "%2f");
    let words = "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. \
                 For details see the broker logfile.";
    for error in [
        Client::connect(&url).await.unwrap_err(),
        Server::builder(&url).handle("queue", echo).start().await.unwrap_err(),
    ] {
        let refused = ConnectionError::LoginRefused { text: words.to_owned() };
        assert_eq!(session_error(&error), &SessionError::from(refused));
        assert_eq!(
            text(&error),
            format!("{address}: the broker refused the login of this user: {words}")
        );
    }
}

#[tokio::test]
async fn the_virtual_host_does_not_exist() {
    let broker = Broker::shared().await;
    let virtual_host = unique("vhost").to_string();
    let (url, address) = url_of(&broker.user, &broker.password, &virtual_host);
    let error = Client::connect(&url).await.unwrap_err();
    let words = format!("NOT_ALLOWED - vhost {virtual_host} not found");
    assert_eq!(
        text(&error),
        format!("{address}: the broker refused the virtual host \"{virtual_host}\": {words}")
    );
    let refused = ConnectionError::VirtualHostRefused { virtual_host, text: words };
    assert_eq!(session_error(&error), &SessionError::from(refused));
}

#[tokio::test]
async fn the_queue_does_not_exist() {
    let client = client().await;
    let name = unique("nowhere").to_string();
    let request = || client.request(&name).body("hello");
    // A channel of its own takes its time.
    for (request, limit) in
        [(request(), Duration::from_millis(100)), (request().own_channel(), BOUND)]
    {
        let error = within(limit, request.send()).await.unwrap_err();
        let (code, exchange, routing_key) = (ReplyCode::NO_ROUTE, String::new(), name.clone());
        assert_eq!(error, CallError::Unroutable { code, exchange, routing_key });
        let words =
            format!("no queue takes the request: there is no queue \"{name}\": 312 NO_ROUTE");
        assert_eq!(failure(&error), (words, Outcome::NotExecuted));
    }
    client.close().await;
}

#[tokio::test]
async fn nothing_is_bound_to_the_exchange() {
    let client = client().await;
    let request = client.request("nowhere").exchange("amq.direct");
    let error = within(Duration::from_millis(100), request.send()).await.unwrap_err();
    let words = "no queue takes the request: \
                 exchange \"amq.direct\" has no route for \"nowhere\": 312 NO_ROUTE";
    assert_eq!(failure(&error), (words.to_owned(), Outcome::NotExecuted));
    client.close().await;
}

#[tokio::test]
async fn the_exchange_does_not_exist() {
    let broker = Broker::shared().await;
    let (server, name) = echo_server("after-404").await;
    let client = client().await;
    let exchange = unique("exchange").to_string();

    let error = client.request(&name).exchange(&exchange).send().await.unwrap_err();
    let in_vhost = &broker.virtual_host;
    let reply_text = format!("NOT_FOUND - no exchange '{exchange}' in vhost '{in_vhost}'");
    let words = format!("the broker refused the request: 404 {reply_text}");
    assert_eq!(failure(&error), (words, Outcome::NotExecuted));
    let (code, text) = (ReplyCode::NOT_FOUND, reply_text);
    assert_eq!(error, CallError::Refused { code, text });

    assert_eq!(client.call(&name, "next").await.unwrap().body, "next");
    end(client, server).await;
}

/// The broker answers both by closing the channel. Calls that are under way beside them do not notice.
#[tokio::test]
async fn a_request_that_is_refused_costs_no_other_call_anything() {
    const CALLS: u64 = 20;
    let _broker = Broker::shared().await;
    let (name, queue) = queue("beside");
    let (go, wait) = watch::channel(false);
    let server = server()
        .handle(queue, move |request: Request| {
            let mut wait = wait.clone();
            async move {
                wait.wait_for(|go| *go).await?;
                Ok(request.into_body())
            }
        })
        .start()
        .await
        .unwrap();
    let client = client().await;
    let mut calls = JoinSet::new();
    for number in 0..CALLS {
        let (client, name) = (client.clone(), name.clone());
        calls.spawn(async move { client.call(name, number.to_string()).await });
    }
    within(BOUND, async {
        while server.stats().requests < CALLS {
            tokio::task::yield_now().await;
        }
    })
    .await;

    let exchange = unique("exchange").to_string();
    let somebody_else = || BasicProperties {
        user_id: Some(ShortStr::from_static("somebody else")),
        ..BasicProperties::default()
    };
    for _ in 0..3 {
        let error = client.request(&name).exchange(&exchange).send().await.unwrap_err();
        let CallError::Refused { code: ReplyCode::NOT_FOUND, .. } = error else {
            panic!("{error:?}")
        };
        let error = client.request(&name).properties(somebody_else()).send().await.unwrap_err();
        let CallError::Refused { code: ReplyCode::PRECONDITION_FAILED, .. } = error else {
            panic!("{error:?}")
        };
        assert_eq!(error.outcome(), Outcome::NotExecuted);
    }
    go.send(true).unwrap();
    while let Some(reply) = calls.join_next().await {
        assert!(reply.unwrap().is_ok());
    }
    assert_eq!((client.stats().disconnects, server.stats().requests), (0, CALLS));
    end(client, server).await;
}

/// RabbitMQ 4 takes 16 MiB unless it is configured otherwise, and 3.10 takes 128 MiB.
#[tokio::test]
async fn a_body_above_the_limit_of_the_broker() {
    const SIZE: usize = (16 << 20) + 1;
    let broker = Broker::shared().await;
    let (name, queue) = queue("large");
    let server = server()
        .handle(queue, |request: Request| async move { Ok(request.body.len().to_string()) })
        .start()
        .await
        .unwrap();
    let client = Client::builder(url()).max_body_size(u64::MAX).connect().await.unwrap();

    let result = client.call(&name, vec![7; SIZE]).await;
    if broker.at_least(4, 0) {
        let error = result.unwrap_err();
        assert_eq!(error, CallError::BodyTooLarge { size: 16_777_217, limit: 16_777_216 });
        let words = "a body of 16777217 octets is more than the limit of 16777216";
        assert_eq!(failure(&error), (words.to_owned(), Outcome::NotExecuted));
    } else {
        assert_eq!(result.unwrap().text(), Ok("16777217"));
    }

    assert_eq!(client.call(&name, "next").await.unwrap().text(), Ok("4"));
    end(client, server).await;
}

#[tokio::test]
async fn a_handler_does_not_answer_in_time() {
    let (name, queue) = queue("slow");
    let (release, gate) = watch::channel(false);
    let server = server()
        .handle(queue, move |request: Request| {
            let mut gate = gate.clone();
            async move {
                gate.wait_for(|open| *open).await?;
                Ok(request.into_body())
            }
        })
        .start()
        .await
        .unwrap();
    let client = client().await;

    let timeout = Duration::from_millis(300);
    let call = client.request(&name).timeout(timeout).send();
    let error = within(BOUND, call).await.unwrap_err();
    assert_eq!(error, CallError::Timeout { timeout, written: true, cause: None });
    assert_eq!(failure(&error), ("no reply within 300ms".to_owned(), Outcome::Unknown));

    release.send(true).unwrap();
    assert_eq!(client.call(&name, "next").await.unwrap().body, "next");
    end(client, server).await;
}

/// The request goes when its caller does, so that no server runs it later.
#[tokio::test]
async fn a_queue_without_consumers() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let name = unique("unserved");
    let mut arguments = FieldTable::new();
    arguments.insert("x-expires", FieldValue::I32(60_000)).unwrap();
    let declare = queue_method::Declare {
        queue: name.clone(),
        durable: true,
        arguments,
        ..Default::default()
    };
    wire.call::<queue_method::DeclareOk>(1, declare.clone()).await;
    let client = client().await;

    let timeout = Duration::from_millis(300);
    let call = client.request(name.to_string()).body("stale").timeout(timeout).send();
    let error = within(BOUND, call).await.unwrap_err();
    assert_eq!(error, CallError::Timeout { timeout, written: true, cause: None });
    assert_eq!(failure(&error), ("no reply within 300ms".to_owned(), Outcome::Unknown));

    // Its time in the queue began a little later than the caller's.
    let expired = async {
        while wire.call::<queue_method::DeclareOk>(1, declare.clone()).await.message_count > 0 {}
    };
    within(BOUND, expired).await;
    let server =
        server().handle(Queue::new(name.to_string()).passive(), echo).start().await.unwrap();
    assert_eq!(client.call(name.to_string(), "fresh").await.unwrap().body, "fresh");
    assert_eq!(server.stats().requests, 1);

    end(client, server).await;
    let delete = queue_method::Delete { queue: name, ..Default::default() };
    wire.call::<queue_method::DeleteOk>(1, delete).await;
    wire.close().await;
}

/// A URL on the broker under test, and its host and port. The broker may be on another machine.
pub(super) fn url_of(user: &str, password: &str, virtual_host: &str) -> (String, String) {
    let uri: Uri = url().parse().unwrap();
    let address = uri.addresses()[0].to_string();
    let login = format!("amqp://{user}:{password}@{address}");
    (format!("{login}/{virtual_host}?auth_mechanism=plain"), address)
}

pub(super) fn session_error(error: &ConnectError) -> &SessionError {
    match error {
        ConnectError::Session { source, .. } => source,
        other => panic!("the session is to fail: {other:?}"),
    }
}

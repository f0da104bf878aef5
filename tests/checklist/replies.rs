//! Replies as they may come: to other addresses, several, from afar, or to nobody.

use std::time::Duration;

use leveret::{BasicProperties, Request, ShortStr};
use leveret_codec::{basic, queue as queue_method};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::support::broker::{Broker, unique};
use crate::support::service::{client, echo_server, end, queue, server};
use crate::support::wire::Wire;

const PATIENCE: Duration = Duration::from_secs(10);

/// A server by hand: consumes the queue and leaves it to the test what to answer.
async fn responder(broker: &Broker) -> (Wire, String) {
    let mut wire = broker.channel().await;
    let name = unique("by-hand");
    let declare =
        queue_method::Declare { queue: name.clone(), exclusive: true, ..Default::default() };
    wire.call::<queue_method::DeclareOk>(1, declare).await;
    let consume = basic::Consume { queue: name.clone(), no_ack: true, ..Default::default() };
    wire.call::<basic::ConsumeOk>(1, consume).await;
    (wire, name.to_string())
}

/// The first reply counts. Others, also those of nobody's correlation-id, disturb nothing.
#[tokio::test]
async fn items_23_and_24_several_replies_to_one_request() {
    let broker = Broker::shared().await;
    let (mut wire, name) = responder(&broker).await;
    let client = client().await;
    let call = |body: &'static str| {
        let (client, name) = (client.clone(), name.clone());
        tokio::spawn(async move { client.call(name, body).await.unwrap() })
    };

    let first = call("one");
    let (_, request) = wire.expect_delivery(1).await;
    let address = request.properties.reply_to.unwrap();
    let correlation_id = request.properties.correlation_id;
    for body in ["first", "second", "third"] {
        let correlation_id = correlation_id.clone();
        let properties = BasicProperties { correlation_id, ..BasicProperties::default() };
        wire.publish(1, &address, properties, body.as_bytes()).await;
    }
    for correlation_id in [None, Some(ShortStr::from_static("nobody's"))] {
        let properties = BasicProperties { correlation_id, ..BasicProperties::default() };
        wire.publish(1, &address, properties, b"for whom?").await;
    }
    assert_eq!(first.await.unwrap().body, "first");

    // Replies of one channel come in order: when the next call has its own, the others are in.
    let second = call("two");
    let (_, request) = wire.expect_delivery(1).await;
    assert_eq!(request.properties.reply_to.unwrap(), address, "one consumer, one address");
    let correlation_id = request.properties.correlation_id;
    let properties = BasicProperties { correlation_id, ..BasicProperties::default() };
    wire.publish(1, &address, properties, b"own").await;
    assert_eq!(second.await.unwrap().body, "own");
    let stats = client.stats();
    assert_eq!((stats.replies, stats.late_replies, stats.unknown_replies), (2, 2, 2));
    client.close().await;
    wire.close().await;
}

/// A reply without correlation-id answers the call that has the channel for itself, and after the
/// call its address is dead.
#[tokio::test]
async fn item_26_a_call_on_its_own_channel_takes_its_address_with_it() {
    let broker = Broker::shared().await;
    let (mut wire, name) = responder(&broker).await;
    let client = client().await;
    let call = |client: leveret::Client, name: String| {
        tokio::spawn(async move { client.request(name).own_channel().send().await.unwrap() })
    };

    let first = call(client.clone(), name.clone());
    let (_, request) = wire.expect_delivery(1).await;
    let old = request.properties.reply_to.unwrap();
    wire.publish(1, &old, BasicProperties::default(), b"without a name").await;
    assert_eq!(first.await.unwrap().body, "without a name");

    let second = call(client.clone(), name);
    let (_, request) = wire.expect_delivery(1).await;
    let new = request.properties.reply_to.unwrap();
    assert_ne!(old, new);
    wire.publish(1, &old, BasicProperties::default(), b"too late").await;
    wire.publish(1, &new, BasicProperties::default(), b"in time").await;
    assert_eq!(second.await.unwrap().body, "in time");
    client.close().await;
    wire.close().await;
}

/// The caller has gone while its request ran: the server replies to nobody, and goes on. Its
/// replies are not mandatory, or RabbitMQ up to 4.1 would return this one, and the ones before.
#[tokio::test]
async fn items_28_and_29_a_reply_to_nobody_disturbs_nobody() {
    let _broker = Broker::shared().await;
    let (name, queue) = queue("gone");
    let (started, mut starts) = mpsc::unbounded_channel();
    let (go, wait) = tokio::sync::watch::channel(false);
    let server = server()
        .handle(queue, move |request: Request| {
            let (started, mut wait) = (started.clone(), wait.clone());
            async move {
                started.send(())?;
                wait.wait_for(|go| *go).await?;
                Ok(request.into_body())
            }
        })
        .start()
        .await
        .unwrap();

    let gone = client().await;
    let call = tokio::spawn({
        let (gone, name) = (gone.clone(), name.clone());
        async move { gone.call(name, "nobody waits").await }
    });
    starts.recv().await.unwrap();
    gone.close().await;
    assert!(call.await.unwrap().is_err());
    go.send(true).unwrap();

    let client = client().await;
    assert_eq!(client.call(&name, "somebody does").await.unwrap().body, "somebody does");
    assert_eq!(server.stats().replies, 2);
    end(client, server).await;
}

/// A reply address is whatever the request says: here an ordinary queue, as LavinMQ's begin with
/// other words than RabbitMQ's.
#[tokio::test]
async fn item_45_reply_addresses_are_opaque() {
    let broker = Broker::shared().await;
    let (server, name) = echo_server("opaque").await;
    let (mut wire, replies) = responder(&broker).await;
    for correlation_id in [None, Some(ShortStr::new(&[0xff, 0x00, 0x80][..]).unwrap())] {
        let properties = BasicProperties {
            reply_to: Some(ShortStr::try_from(&*replies).unwrap()),
            correlation_id: correlation_id.clone(),
            ..BasicProperties::default()
        };
        wire.publish(1, &ShortStr::try_from(&*name).unwrap(), properties, b"hello").await;
        let (_, reply) = wire.expect_delivery(1).await;
        assert_eq!(
            (&*reply.body, reply.properties.correlation_id),
            (&b"hello"[..], correlation_id)
        );
    }
    wire.close().await;
    server.shutdown().await.unwrap();
}

/// Nobody is to be answered: the request is run and acknowledged.
#[tokio::test]
async fn item_35_a_request_without_reply_to_is_run_and_acknowledged() {
    let broker = Broker::shared().await;
    let (name, queue) = queue("one-way");
    let (seen, mut requests) = mpsc::unbounded_channel();
    let server = server()
        .handle(queue, move |request: Request| {
            let seen = seen.clone();
            async move { Ok(seen.send(request.body)?) }
        })
        .start()
        .await
        .unwrap();
    let mut wire = broker.channel().await;
    let name = ShortStr::try_from(&*name).unwrap();
    wire.publish(1, &name, BasicProperties::default(), b"do it").await;
    assert_eq!(timeout(PATIENCE, requests.recv()).await.unwrap().unwrap(), "do it");
    let stats = server.stats();
    server.shutdown().await.unwrap();
    assert_eq!(stats.requests, 1);

    // Acknowledged: it is not back in its queue.
    let declare = queue_method::Declare { queue: name, passive: true, ..Default::default() };
    let declared: queue_method::DeclareOk = wire.call(1, declare).await;
    assert_eq!(declared.message_count, 0);
    wire.close().await;
}

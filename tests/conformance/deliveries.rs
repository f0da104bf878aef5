//! What a responder's consumer gets, may hold, gives back and loses.

use leveret_codec::{Method, ReplyCode, ShortStr, basic, channel, queue};

use super::roles::{confirm, consume, declare, publish_confirmed, ready};
use crate::support::broker::Broker;
use crate::support::wire::{CAPABILITIES, Handshake, Wire};

#[tokio::test]
async fn item_34_prefetch_limits_the_unacknowledged_requests_of_a_consumer() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let queue = queue_with(&mut wire, &["1", "2", "3", "4"]).await;
    qos(&mut wire, 2).await;
    consume(&mut wire, 1, &queue).await;
    assert_eq!(deliveries(&mut wire, 2).await, [("1".into(), 1, false), ("2".into(), 2, false)]);
    assert_eq!(ready(&mut wire, 1, &queue).await, 2, "two wait in the queue");

    // Each acknowledgement makes room for one.
    wire.send(1, basic::Ack { delivery_tag: 2, multiple: false }).await;
    assert_eq!(deliveries(&mut wire, 1).await, [("3".into(), 3, false)]);
    assert_eq!(ready(&mut wire, 1, &queue).await, 1);
    wire.close().await;
}

#[tokio::test]
async fn item_34_a_prefetch_of_0_is_no_limit() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let queue = queue_with(&mut wire, &["x"; 100]).await;
    qos(&mut wire, 0).await;
    consume(&mut wire, 1, &queue).await;
    assert_eq!(deliveries(&mut wire, 100).await.len(), 100);
    wire.close().await;
}

#[tokio::test]
async fn item_34_a_later_prefetch_does_not_change_running_consumers() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let queue = queue_with(&mut wire, &["1", "2", "3", "4"]).await;
    qos(&mut wire, 1).await;
    let first = consume(&mut wire, 1, &queue).await;
    let (deliver, _) = wire.expect_delivery(1).await;
    assert_eq!(deliver.consumer_tag, first);

    qos(&mut wire, 2).await;
    assert_eq!(ready(&mut wire, 1, &queue).await, 3, "the first consumer still holds one");
    let second = consume(&mut wire, 1, &queue).await;
    for _ in 0..2 {
        assert_eq!(wire.expect_delivery(1).await.0.consumer_tag, second);
    }
    assert_eq!(ready(&mut wire, 1, &queue).await, 1, "the second consumer holds two");
    wire.close().await;
}

#[tokio::test]
async fn item_35_acknowledged_messages_are_gone() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let queue = queue_with(&mut wire, &["1", "2", "3", "4"]).await;
    consume(&mut wire, 1, &queue).await;
    deliveries(&mut wire, 4).await;
    wire.send(1, basic::Ack { delivery_tag: 2, multiple: false }).await;
    // The third and all before it: the second is settled already, the first is not.
    wire.send(1, basic::Ack { delivery_tag: 3, multiple: true }).await;
    wire.expect_silence(1).await;
    wire.close().await;

    let mut wire = broker.channel().await;
    consume(&mut wire, 1, &queue).await;
    assert_eq!(deliveries(&mut wire, 1).await, [("4".into(), 1, true)]);
    assert_eq!(ready(&mut wire, 1, &queue).await, 0);
    wire.close().await;
}

#[tokio::test]
async fn item_35_a_tag_of_0_with_multiple_is_everything_and_no_error_when_there_is_nothing() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let queue = queue_with(&mut wire, &["1", "2"]).await;
    consume(&mut wire, 1, &queue).await;
    deliveries(&mut wire, 2).await;
    for _ in 0..2 {
        wire.send(1, basic::Ack { delivery_tag: 0, multiple: true }).await;
    }
    wire.expect_silence(1).await;
    wire.close().await;

    let mut wire = broker.channel().await;
    assert_eq!(ready(&mut wire, 1, &queue).await, 0);
    wire.close().await;
}

#[tokio::test]
async fn item_35_refused_messages_come_again_or_go() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let queue = queue_with(&mut wire, &["1", "2", "3"]).await;
    qos(&mut wire, 3).await;
    consume(&mut wire, 1, &queue).await;
    deliveries(&mut wire, 3).await;

    wire.send(1, basic::Reject { delivery_tag: 1, requeue: true }).await;
    assert_eq!(deliveries(&mut wire, 1).await, [("1".into(), 4, true)]);
    wire.send(1, basic::Nack { delivery_tag: 2, multiple: false, requeue: true }).await;
    assert_eq!(deliveries(&mut wire, 1).await, [("2".into(), 5, true)]);
    wire.send(1, basic::Reject { delivery_tag: 3, requeue: false }).await;
    wire.send(1, basic::Nack { delivery_tag: 5, multiple: true, requeue: false }).await;
    wire.expect_silence(1).await;
    wire.close().await;

    let mut wire = broker.channel().await;
    assert_eq!(ready(&mut wire, 1, &queue).await, 0, "all have been refused for good");
    wire.close().await;
}

#[tokio::test]
async fn item_35_settling_twice_is_406() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let ack = basic::Ack { delivery_tag: 1, multiple: false };
    let reject = basic::Reject { delivery_tag: 1, requeue: false };
    let nack = basic::Nack { delivery_tag: 1, multiple: false, requeue: false };
    let again: [(Method, _); 3] =
        [(ack.clone().into(), (60, 80)), (reject.into(), (60, 90)), (nack.into(), (60, 120))];
    for (again, failed) in again {
        let queue = queue_with(&mut wire, &["1"]).await;
        consume(&mut wire, 1, &queue).await;
        deliveries(&mut wire, 1).await;
        wire.send(1, ack.clone()).await;
        wire.send(1, again).await;
        let text = "PRECONDITION_FAILED - unknown delivery tag 1";
        wire.expect_channel_close(1, ReplyCode::PRECONDITION_FAILED, text, failed).await;
        wire.open_channel(1).await;
    }
    wire.close().await;
}

#[tokio::test]
async fn item_36_a_request_held_by_a_lost_connection_goes_to_another() {
    let broker = Broker::shared().await;
    let mut unlucky = broker.channel().await;
    let queue = queue_with(&mut unlucky, &["1"]).await;
    consume(&mut unlucky, 1, &queue).await;
    assert_eq!(deliveries(&mut unlucky, 1).await, [("1".into(), 1, false)]);

    let mut other = broker.channel().await;
    consume(&mut other, 1, &queue).await;
    unlucky.hang_up();
    assert_eq!(deliveries(&mut other, 1).await, [("1".into(), 1, true)]);
    other.send(1, basic::Ack { delivery_tag: 1, multiple: false }).await;
    other.close().await;
}

/// Cancelling returns nothing: what was delivered is still to be acknowledged.
#[tokio::test]
async fn item_36_a_cancelled_consumer_keeps_its_requests_until_the_channel_ends() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let queue = queue_with(&mut wire, &["1", "2"]).await;
    qos(&mut wire, 1).await;
    let consumer_tag = consume(&mut wire, 1, &queue).await;
    deliveries(&mut wire, 1).await;
    wire.call::<basic::CancelOk>(1, basic::Cancel { consumer_tag, nowait: false }).await;
    assert_eq!(ready(&mut wire, 1, &queue).await, 1);
    wire.send(1, basic::Ack { delivery_tag: 1, multiple: false }).await;
    wire.expect_silence(1).await;
    wire.close().await;
}

#[tokio::test]
async fn item_38_the_broker_cancels_the_consumer_of_a_deleted_queue() {
    let broker = Broker::shared().await;
    let (mut wire, mut other) = (broker.channel().await, broker.channel().await);
    let queue = declare(&mut wire, 1, "deleted").await;
    let consumer_tag = consume(&mut wire, 1, &queue).await;
    delete(&mut other, &queue).await;

    // It waits for no answer, and gets none.
    let cancel: basic::Cancel = wire.expect(1).await;
    assert_eq!(cancel, basic::Cancel { consumer_tag, nowait: true });
    // The channel is as good as before.
    let queue = declare(&mut wire, 1, "deleted").await;
    consume(&mut wire, 1, &queue).await;
    wire.close().await;
}

#[tokio::test]
async fn item_38_a_client_that_cannot_hear_of_it_is_told_nothing() {
    let broker = Broker::shared().await;
    let deaf: &[&str] = &["basic.nack"];
    assert!(!deaf.contains(&CAPABILITIES[3]));
    let handshake = Handshake { capabilities: deaf, ..Handshake::new(&broker) };
    let mut wire = handshake.open(broker.tcp().await).await;
    wire.open_channel(1).await;
    let queue = declare(&mut wire, 1, "deleted").await;
    consume(&mut wire, 1, &queue).await;
    let mut other = broker.channel().await;
    delete(&mut other, &queue).await;
    wire.expect_silence(1).await;
    wire.close().await;
}

/// A new queue that holds a message for each body.
async fn queue_with(wire: &mut Wire, bodies: &[&str]) -> ShortStr {
    wire.open_channel(9).await;
    confirm(wire, 9).await;
    let queue = declare(wire, 9, "requests").await;
    for (delivery_tag, body) in (1..).zip(bodies) {
        publish_confirmed(wire, 9, delivery_tag, &queue, body.as_bytes()).await;
    }
    wire.call::<channel::CloseOk>(9, channel::Close::default()).await;
    queue
}

/// The next `count` deliveries: body, delivery-tag and whether they come again.
async fn deliveries(wire: &mut Wire, count: usize) -> Vec<(String, u64, bool)> {
    let mut deliveries = Vec::new();
    for _ in 0..count {
        let (deliver, content) = wire.expect_delivery(1).await;
        let body = String::from_utf8(content.body).unwrap();
        deliveries.push((body, deliver.delivery_tag, deliver.redelivered));
    }
    deliveries
}

async fn qos(wire: &mut Wire, prefetch_count: u16) {
    let qos = basic::Qos { prefetch_size: 0, prefetch_count, global: false };
    wire.call::<basic::QosOk>(1, qos).await;
}

async fn delete(wire: &mut Wire, queue: &ShortStr) {
    let delete = queue::Delete { queue: queue.clone(), ..Default::default() };
    wire.call::<queue::DeleteOk>(1, delete).await;
}

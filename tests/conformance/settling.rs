//! What a server's mistakes come to, and what becomes of messages that nobody may have.

use std::time::Duration;

use leveret_codec::{BasicProperties, FieldTable, ReplyCode, ShortStr, basic, queue};

use super::roles::{confirm, consume, consume_without_ack, declare, expect_confirmation, ready};
use crate::support::broker::{Broker, unique};
use crate::support::wire::Wire;

async fn queue_with(wire: &mut Wire, bodies: &[&str]) -> ShortStr {
    let queue = declare(wire, 1, "settling").await;
    for body in bodies {
        wire.publish(1, &queue, BasicProperties::default(), body.as_bytes()).await;
    }
    queue
}

/// Also with `multiple`, the tag is that of a delivery that is not settled.
#[tokio::test]
async fn item_35_multiple_does_not_excuse_an_unknown_tag() {
    let broker = Broker::shared().await;
    for (settled, delivery_tag) in [(None, 99), (Some(2), 2)] {
        let mut wire = broker.channel().await;
        let queue = queue_with(&mut wire, &["one", "two"]).await;
        consume(&mut wire, 1, &queue).await;
        for _ in 0..2 {
            wire.expect_delivery(1).await;
        }
        if let Some(delivery_tag) = settled {
            wire.send(1, basic::Ack { delivery_tag, multiple: false }).await;
        }
        wire.send(1, basic::Ack { delivery_tag, multiple: true }).await;
        let text = format!("PRECONDITION_FAILED - unknown delivery tag {delivery_tag}");
        wire.expect_channel_close(1, ReplyCode::PRECONDITION_FAILED, &text, (60, 80)).await;
        wire.close().await;
    }
}

#[tokio::test]
async fn item_35_refused_messages_die_in_their_order() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let letters = declare(&mut wire, 1, "letters").await;
    let mut arguments = FieldTable::new();
    arguments.insert("x-expires", 60_000).unwrap();
    arguments.insert("x-dead-letter-exchange", "").unwrap();
    arguments.insert("x-dead-letter-routing-key", letters.as_str().unwrap()).unwrap();
    let queue = unique("dying");
    let declare =
        queue::Declare { queue: queue.clone(), durable: true, arguments, ..Default::default() };
    wire.call::<queue::DeclareOk>(1, declare).await;
    for body in ["one", "two", "three"] {
        wire.publish(1, &queue, BasicProperties::default(), body.as_bytes()).await;
    }
    wire.open_channel(2).await;
    consume(&mut wire, 2, &queue).await;
    for _ in 0..3 {
        wire.expect_delivery(2).await;
    }
    wire.send(2, basic::Nack { delivery_tag: 0, multiple: true, requeue: false }).await;
    consume_without_ack(&mut wire, 1, &letters).await;
    for body in ["one", "two", "three"] {
        assert_eq!(wire.expect_delivery(1).await.1.body, body.as_bytes());
    }
    wire.close().await;
}

/// Its time runs while another waits in front of it. The pause is that time.
#[tokio::test]
async fn item_37_an_expired_message_behind_another_is_not_delivered() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    confirm(&mut wire, 1).await;
    let queue = queue_with(&mut wire, &["first"]).await;
    expect_confirmation(&mut wire, 1, 1).await;
    let expiration = Some(ShortStr::from_static("100"));
    let properties = BasicProperties { expiration, ..Default::default() };
    wire.publish(1, &queue, properties, b"expired").await;
    expect_confirmation(&mut wire, 1, 2).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    wire.publish(1, &queue, BasicProperties::default(), b"last").await;
    expect_confirmation(&mut wire, 1, 3).await;
    consume_without_ack(&mut wire, 1, &queue).await;
    assert_eq!(wire.expect_delivery(1).await.1.body, b"first");
    assert_eq!(wire.expect_delivery(1).await.1.body, b"last");
    wire.close().await;
}

/// The delivery was of the queue that is gone, whatever has its name now.
#[tokio::test]
async fn a_new_queue_of_an_old_name_has_none_of_its_messages() {
    let broker = Broker::shared().await;
    let (mut wire, mut owner) = (broker.channel().await, broker.channel().await);
    let queue = queue_with(&mut wire, &["old"]).await;
    consume(&mut wire, 1, &queue).await;
    let (deliver, _) = wire.expect_delivery(1).await;
    let delete = queue::Delete { queue: queue.clone(), ..Default::default() };
    owner.call::<queue::DeleteOk>(1, delete.clone()).await;
    wire.expect::<basic::Cancel>(1).await;
    let declare = queue::Declare { queue: queue.clone(), durable: true, ..Default::default() };
    owner.call::<queue::DeclareOk>(1, declare).await;
    let delivery_tag = deliver.delivery_tag;
    wire.send(1, basic::Nack { delivery_tag, multiple: false, requeue: true }).await;
    wire.expect_silence(1).await;
    assert_eq!(ready(&mut owner, 1, &queue).await, 0);
    owner.call::<queue::DeleteOk>(1, delete).await;
    owner.close().await;
    wire.close().await;
}

/// Who deletes a queue that it consumes itself hears of the deletion first.
#[tokio::test]
async fn delete_ok_comes_before_the_cancel() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let queue = queue_with(&mut wire, &[]).await;
    let tag = consume(&mut wire, 1, &queue).await;
    wire.call::<queue::DeleteOk>(1, queue::Delete { queue, ..Default::default() }).await;
    assert_eq!(wire.expect::<basic::Cancel>(1).await.consumer_tag, tag);
    wire.close().await;
}

/// It ends with its connection, whatever its declaration says.
#[tokio::test]
async fn an_exclusive_queue_is_not_durable() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let queue = unique("exclusive");
    for durable in [true, false] {
        let declare =
            queue::Declare { queue: queue.clone(), durable, exclusive: true, ..Default::default() };
        assert_eq!(wire.call::<queue::DeclareOk>(1, declare).await.queue, queue);
    }
    wire.close().await;
}

/// Up to 4.0 the limit is the channel's. Later it is each consumer's, as without `global`.
#[tokio::test]
async fn item_34_a_global_prefetch_is_shared_up_to_4_0() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let queue = queue_with(&mut wire, &[]).await;
    let qos = basic::Qos { prefetch_size: 0, prefetch_count: 1, global: true };
    wire.call::<basic::QosOk>(1, qos).await;
    for _ in 0..2 {
        consume(&mut wire, 1, &queue).await;
    }
    for body in ["one", "two"] {
        wire.publish(1, &queue, BasicProperties::default(), body.as_bytes()).await;
    }
    let (first, _) = wire.expect_delivery(1).await;
    if broker.at_least(4, 3) {
        wire.expect_delivery(1).await;
    } else {
        wire.expect_silence(1).await;
        let delivery_tag = first.delivery_tag;
        wire.send(1, basic::Ack { delivery_tag, multiple: false }).await;
        assert_eq!(wire.expect_delivery(1).await.1.body, b"two");
    }
    wire.close().await;
}

//! What becomes of messages and queues by the queue's arguments and flags.

use leveret_codec::{BasicProperties, FieldTable, FieldValue, Method, ShortStr, basic, queue};

use super::roles::{consume, consume_without_ack, declare, ready};
use crate::support::broker::{Broker, unique};
use crate::support::wire::Wire;

/// Declares a queue with these arguments beside one that takes its dead letters.
async fn with_dead_letters(
    wire: &mut Wire,
    further: impl IntoIterator<Item = (&'static str, FieldValue)>,
) -> (ShortStr, ShortStr) {
    let letters = declare(wire, 1, "letters").await;
    let mut arguments = FieldTable::new();
    arguments.insert("x-expires", 60_000).unwrap();
    arguments.insert("x-dead-letter-exchange", "").unwrap();
    arguments.insert("x-dead-letter-routing-key", letters.as_str().unwrap()).unwrap();
    for (name, value) in further {
        arguments.insert(name, value).unwrap();
    }
    let queue = unique("dying");
    let declare =
        queue::Declare { queue: queue.clone(), durable: true, arguments, ..Default::default() };
    wire.call::<queue::DeclareOk>(1, declare).await;
    (queue, letters)
}

fn header(properties: &BasicProperties, name: &str) -> Option<String> {
    let value = properties.headers.as_ref()?.get(name)?;
    value.as_str().map(str::to_owned)
}

#[tokio::test]
async fn a_rejected_message_goes_to_the_dead_letters() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let (queue, letters) = with_dead_letters(&mut wire, []).await;
    let properties =
        BasicProperties { correlation_id: Some(ShortStr::from_static("1")), ..Default::default() };
    wire.publish(1, &queue, properties, b"poison").await;
    let tag = consume(&mut wire, 1, &queue).await;
    let (deliver, _) = wire.expect_delivery(1).await;
    wire.send(1, basic::Reject { delivery_tag: deliver.delivery_tag, requeue: false }).await;
    let cancel = basic::Cancel { consumer_tag: tag, nowait: false };
    wire.call::<basic::CancelOk>(1, cancel).await;

    consume_without_ack(&mut wire, 1, &letters).await;
    let (deliver, letter) = wire.expect_delivery(1).await;
    assert_eq!((deliver.routing_key, &*letter.body), (letters, &b"poison"[..]));
    assert_eq!(letter.properties.correlation_id, Some(ShortStr::from_static("1")));
    assert_eq!(header(&letter.properties, "x-first-death-reason").as_deref(), Some("rejected"));
    assert_eq!(header(&letter.properties, "x-first-death-queue"), Some(queue.to_string()));
    wire.close().await;
}

/// The shorter of the queue's time and the message's own.
#[tokio::test]
async fn an_expired_message_goes_to_the_dead_letters() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let (queue, letters) = with_dead_letters(&mut wire, [("x-message-ttl", 100.into())]).await;
    consume_without_ack(&mut wire, 1, &letters).await;
    let expiration = Some(ShortStr::from_static("60000"));
    let properties = BasicProperties { expiration, ..Default::default() };
    wire.publish(1, &queue, properties, b"too late").await;
    let (_, letter) = wire.expect_delivery(1).await;
    assert_eq!(letter.body, b"too late");
    assert_eq!(header(&letter.properties, "x-first-death-reason").as_deref(), Some("expired"));
    assert_eq!(letter.properties.expiration, None);
    wire.close().await;
}

#[tokio::test]
async fn an_auto_delete_queue_goes_with_its_last_consumer() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let queue = unique("auto-delete");
    let declare = queue::Declare {
        queue: queue.clone(),
        durable: true,
        auto_delete: true,
        ..Default::default()
    };
    wire.call::<queue::DeclareOk>(1, declare).await;
    // It is not deleted for never having had one.
    assert_eq!(ready(&mut wire, 1, &queue).await, 0);
    let tags = [consume(&mut wire, 1, &queue).await, consume(&mut wire, 1, &queue).await];
    for consumer_tag in tags {
        assert_eq!(ready(&mut wire, 1, &queue).await, 0);
        wire.call::<basic::CancelOk>(1, basic::Cancel { consumer_tag, nowait: false }).await;
    }
    wire.send(1, queue::Declare { queue, passive: true, ..Default::default() }).await;
    let (_, answer) = wire.method().await;
    let Method::ChannelClose(close) = answer else { panic!("{answer:?}") };
    assert_eq!(close.reply_code, leveret_codec::ReplyCode::NOT_FOUND);
    wire.hang_up();
}

#[tokio::test]
async fn consumers_of_a_higher_priority_come_first() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let queue = declare(&mut wire, 1, "priority").await;
    let mut tags = Vec::new();
    for priority in [0, 5] {
        let mut arguments = FieldTable::new();
        arguments.insert("x-priority", priority).unwrap();
        let consume =
            basic::Consume { queue: queue.clone(), no_ack: true, arguments, ..Default::default() };
        tags.push(wire.call::<basic::ConsumeOk>(1, consume).await.consumer_tag);
    }
    for _ in 0..3 {
        wire.publish(1, &queue, BasicProperties::default(), b"").await;
        let (deliver, _) = wire.expect_delivery(1).await;
        assert_eq!(deliver.consumer_tag, tags[1]);
    }
    wire.close().await;
}

#[tokio::test]
async fn an_exclusive_consumer_is_alone() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    wire.open_channel(2).await;
    let queue = declare(&mut wire, 1, "alone").await;
    let consume = basic::Consume { queue: queue.clone(), exclusive: true, ..Default::default() };
    wire.call::<basic::ConsumeOk>(1, consume.clone()).await;
    let named = super::roles::queue_in_vhost(&broker, &queue);
    let text = format!("ACCESS_REFUSED - {named} in exclusive use");
    wire.send(2, basic::Consume { exclusive: false, ..consume }).await;
    wire.expect_channel_close(2, leveret_codec::ReplyCode::ACCESS_REFUSED, &text, (60, 20)).await;
    wire.close().await;
}

#[tokio::test]
async fn a_queue_that_nobody_uses_expires() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let queue = unique("unused");
    let mut arguments = FieldTable::new();
    arguments.insert("x-expires", 100).unwrap();
    let declare =
        queue::Declare { queue: queue.clone(), durable: true, arguments, ..Default::default() };
    wire.call::<queue::DeclareOk>(1, declare).await;
    // A mandatory message is returned once the queue has gone. Publishing is no use.
    let returned = async {
        loop {
            let publish = basic::Publish {
                routing_key: queue.clone(),
                mandatory: true,
                ..Default::default()
            };
            wire.send_content(1, publish, BasicProperties::default(), b"").await;
            wire.send(1, basic::Qos::default()).await;
            match wire.frame().await {
                leveret_codec::Frame::Method { method: Method::BasicReturn(_), .. } => break,
                leveret_codec::Frame::Method { method: Method::BasicQosOk(_), .. } => {}
                other => panic!("{other:?}"),
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), returned).await.unwrap();
    wire.hang_up();
}

#[tokio::test]
async fn arguments_that_make_no_sense_are_406() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    for (name, value, problem) in [
        ("x-message-ttl", FieldValue::I32(-1), "{value_negative,-1}"),
        ("x-expires", FieldValue::I32(0), "{value_zero,0}"),
        ("x-expires", FieldValue::I32(-1), "{value_negative,-1}"),
        ("x-message-ttl", "soon".try_into().unwrap(), "\"expected integer, got longstr\""),
        ("x-dead-letter-exchange", FieldValue::I32(1), ""),
    ] {
        let queue = unique("senseless");
        let mut arguments = FieldTable::new();
        arguments.insert(name, value).unwrap();
        let declare =
            queue::Declare { queue: queue.clone(), durable: true, arguments, ..Default::default() };
        wire.send(1, declare).await;
        let named = super::roles::queue_in_vhost(&broker, &queue);
        let text = match problem {
            "" => format!("invalid type 'signedint' for arg '{name}' in {named}"),
            _ => format!("invalid arg '{name}' for {named}: {problem}"),
        };
        let text = format!("PRECONDITION_FAILED - {text}");
        let code = leveret_codec::ReplyCode::PRECONDITION_FAILED;
        wire.expect_channel_close(1, code, &text, (50, 10)).await;
        wire.open_channel(1).await;
    }
    wire.close().await;
}

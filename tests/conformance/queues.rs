//! Queues that are missing, locked, different or forbidden, and messages that find none.

use leveret_codec::{
    BasicProperties, FieldTable, Method, ReplyCode, ShortStr, basic, channel, queue,
};

use super::replies::no_route;
use super::roles::{
    confirm, declare, expect_confirmation, publish_confirmed, queue_in_vhost, ready, short,
};
use crate::support::broker::{Broker, unique};
use crate::support::wire::patiently;

const DECLARE: (u16, u16) = (50, 10);

#[tokio::test]
async fn item_33_a_mandatory_message_without_a_queue_is_returned_before_it_is_confirmed() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    confirm(&mut wire, 1).await;
    let routing_key = unique("missing");
    let publish =
        basic::Publish { routing_key: routing_key.clone(), mandatory: true, ..Default::default() };
    let properties = BasicProperties { correlation_id: short("1"), ..Default::default() };
    let body = vec![7; 300_000];
    wire.send_content(1, publish, properties.clone(), &body).await;

    let (returned, content) = wire.expect_content::<basic::Return>(1).await;
    assert_eq!(returned, no_route(routing_key));
    assert_eq!(content.properties, properties);
    assert!(content.body == body, "the body comes back as another");
    expect_confirmation(&mut wire, 1, 1).await;
    wire.close().await;
}

#[tokio::test]
async fn item_33_any_other_message_without_a_queue_vanishes() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    confirm(&mut wire, 1).await;
    publish_confirmed(&mut wire, 1, 1, &unique("missing"), b"lost").await;
    wire.close().await;
}

/// With a time of nothing, a message that no consumer waits for is dropped at once.
#[tokio::test]
async fn item_37_an_expired_message_is_not_delivered() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    confirm(&mut wire, 1).await;
    let queue = declare(&mut wire, 1, "expired").await;
    for (expiration, delivery_tag) in [("0", 1), ("20", 2)] {
        let properties = BasicProperties { expiration: short(expiration), ..Default::default() };
        wire.publish(1, &queue, properties, b"expired").await;
        expect_confirmation(&mut wire, 1, delivery_tag).await;
        // The queue drops it by its own clock, so there is only asking.
        patiently("expiry", async { while ready(&mut wire, 1, &queue).await > 0 {} }).await;
    }
    let basic::GetEmpty {} = wire.call(1, basic::Get { queue, no_ack: true }).await;
    wire.close().await;
}

#[tokio::test]
async fn item_37_an_expiration_that_is_no_number_is_406() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    for (expiration, reason) in
        [("abc", "no_integer"), ("1.5", r#"{leftover_string,".5"}"#), ("-1", "{value_negative,-1}")]
    {
        let properties = BasicProperties { expiration: short(expiration), ..Default::default() };
        wire.publish(1, &unique("missing"), properties, b"").await;
        let text = format!("PRECONDITION_FAILED - invalid expiration '{expiration}': {reason}");
        wire.expect_channel_close(1, ReplyCode::PRECONDITION_FAILED, &text, (60, 40)).await;
        wire.open_channel(1).await;
    }
    wire.close().await;
}

#[tokio::test]
async fn item_39_another_connections_exclusive_queue_is_405() {
    let broker = Broker::shared().await;
    let (mut owner, mut other) = (broker.channel().await, broker.channel().await);
    let queue = unique("exclusive");
    let exclusive = queue::Declare { queue: queue.clone(), exclusive: true, ..Default::default() };
    owner.call::<queue::DeclareOk>(1, exclusive).await;

    let text = format!(
        "RESOURCE_LOCKED - cannot obtain exclusive access to locked {}. It could be originally \
         declared on another connection or the exclusive property value does not match that of \
         the original declaration.",
        queue_in_vhost(&broker, &queue)
    );
    for (method, failed) in each_use(&queue) {
        other.send(1, method).await;
        other.expect_channel_close(1, ReplyCode::RESOURCE_LOCKED, &truncated(&text), failed).await;
        other.open_channel(1).await;
    }
    owner.close().await;
    // The queue goes with its connection. From 4.3 on close-ok does not wait for that.
    let declare = queue::Declare { queue, exclusive: true, ..Default::default() };
    patiently("the queue's end", async {
        loop {
            other.send(1, declare.clone()).await;
            match other.method().await {
                (1, Method::QueueDeclareOk(_)) => break,
                (1, Method::ChannelClose(close)) => {
                    assert_eq!(close.reply_code, ReplyCode::RESOURCE_LOCKED);
                    assert!(broker.at_least(4, 3), "the queue outlives its connection");
                }
                unexpected => panic!("{unexpected:?}"),
            }
            other.send(1, channel::CloseOk {}).await;
            other.open_channel(1).await;
        }
    })
    .await;
    other.close().await;
}

#[tokio::test]
async fn item_39_an_unknown_queue_is_404() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let queue = unique("unknown");
    let text = format!("NOT_FOUND - no {}", queue_in_vhost(&broker, &queue));
    for (method, failed) in each_use(&queue) {
        wire.send(1, method).await;
        wire.expect_channel_close(1, ReplyCode::NOT_FOUND, &text, failed).await;
        wire.open_channel(1).await;
    }
    // Deleting is the exception: what is not there is deleted.
    let deleted: queue::DeleteOk =
        wire.call(1, queue::Delete { queue, ..Default::default() }).await;
    assert_eq!(deleted, queue::DeleteOk { message_count: 0 });
    wire.close().await;
}

#[tokio::test]
async fn item_39_declaring_a_queue_otherwise_than_it_is_is_406() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let queue = declare(&mut wire, 1, "durable").await;
    let as_it_is = queue::Declare {
        queue: queue.clone(),
        durable: true,
        arguments: table("x-expires", 60_000),
        ..Default::default()
    };
    let named = queue_in_vhost(&broker, &queue);
    for (declare, text) in [
        (
            queue::Declare { durable: false, ..as_it_is.clone() },
            format!(
                "inequivalent arg 'durable' for {named}: received 'false' but current is 'true'"
            ),
        ),
        (
            queue::Declare { auto_delete: true, ..as_it_is.clone() },
            format!(
                "inequivalent arg 'auto_delete' for {named}: received 'true' but current is 'false'"
            ),
        ),
        (
            queue::Declare { arguments: table("x-expires", 60_001), ..as_it_is.clone() },
            format!(
                "inequivalent arg 'x-expires' for {named}: received '60001' but current is '60000'"
            ),
        ),
        (
            queue::Declare { arguments: FieldTable::EMPTY, ..as_it_is.clone() },
            format!(
                "inequivalent arg 'x-expires' for {named}: received none but current is the value \
                 '60000' of type 'signedint'"
            ),
        ),
    ] {
        wire.send(1, declare).await;
        let text = truncated(&format!("PRECONDITION_FAILED - {text}"));
        wire.expect_channel_close(1, ReplyCode::PRECONDITION_FAILED, &text, DECLARE).await;
        wire.open_channel(1).await;
    }
    wire.call::<queue::DeclareOk>(1, as_it_is).await;
    wire.close().await;
}

#[tokio::test]
async fn item_39_names_that_begin_with_amq_are_403() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let queue = ShortStr::from_static("amq.leveret");
    wire.send(1, queue::Declare { queue, durable: true, ..Default::default() }).await;
    let text = "ACCESS_REFUSED - queue name 'amq.leveret' contains reserved prefix 'amq.*'";
    wire.expect_channel_close(1, ReplyCode::ACCESS_REFUSED, text, DECLARE).await;
    wire.close().await;
}

/// The broker would rather not have such queues, and may be told to refuse them with 541; up to
/// 4.3.6 it is not.
#[tokio::test]
async fn item_40_a_transient_queue_for_everyone_is_permitted() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let queue = unique("transient");
    let arguments = table("x-expires", 60_000);
    let transient = queue::Declare { queue: queue.clone(), arguments, ..Default::default() };
    let declared: queue::DeclareOk = wire.call(1, transient).await;
    assert_eq!(declared, queue::DeclareOk { queue, message_count: 0, consumer_count: 0 });
    wire.close().await;
}

#[tokio::test]
async fn item_40_a_transient_queue_of_one_connection_is_fine() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let exclusive = queue::Declare { exclusive: true, ..Default::default() };
    let declared: queue::DeclareOk = wire.call(1, exclusive).await;
    // A queue without a name gets one.
    let random = declared.queue.as_str().unwrap().strip_prefix("amq.gen-").unwrap();
    assert_eq!(random.len(), 22, "{random}");
    wire.close().await;
}

/// Methods that need the queue to be there and accessible, and the ids they are blamed by.
fn each_use(queue: &ShortStr) -> [(Method, (u16, u16)); 4] {
    let queue = queue.clone();
    [
        (
            queue::Declare { queue: queue.clone(), passive: true, ..Default::default() }.into(),
            DECLARE,
        ),
        (basic::Consume { queue: queue.clone(), ..Default::default() }.into(), (60, 20)),
        (basic::Get { queue: queue.clone(), no_ack: true }.into(), (60, 70)),
        (queue::Purge { queue, nowait: false }.into(), (50, 30)),
    ]
}

fn table(name: &'static str, value: i32) -> FieldTable {
    let mut table = FieldTable::new();
    table.insert(name, value).unwrap();
    table
}

/// A reply-text has room for 255 octets; what is longer ends in dots.
fn truncated(text: &str) -> String {
    if text.len() <= 255 { text.to_owned() } else { format!("{}...", &text[..252]) }
}

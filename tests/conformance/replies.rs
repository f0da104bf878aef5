//! Replies, from the responder's publish to the requester's delivery.

use leveret_codec::{BasicProperties, FieldArray, FieldTable, LongStr, ReplyCode, ShortStr, basic};

use super::roles::{Pair, confirm, consume_without_ack, declare, expect_confirmation, short};
use crate::support::broker::Broker;

#[tokio::test]
async fn item_22_a_reply_arrives_as_it_was_published() {
    let broker = Broker::shared().await;
    let mut pair = Pair::new(&broker).await;
    let address = pair.request("call-1").await;
    let mut headers = FieldTable::new();
    headers.insert("rpc-error", "none").unwrap();
    let properties = BasicProperties {
        content_type: short("text/plain"),
        headers: Some(headers),
        delivery_mode: Some(2),
        correlation_id: short("call-1"),
        ..Default::default()
    };
    pair.responder.publish(1, &address, properties.clone(), b"reply").await;

    let (deliver, reply) = pair.requester.expect_delivery(1).await;
    let expected = basic::Deliver {
        consumer_tag: pair.tag,
        delivery_tag: 1,
        redelivered: false,
        exchange: ShortStr::EMPTY,
        routing_key: address,
    };
    assert_eq!(deliver, expected);
    assert_eq!((reply.properties, &*reply.body), (properties, &b"reply"[..]));
}

#[tokio::test]
async fn item_23_delivery_tags_of_replies_are_constant_up_to_4_1_and_count_from_4_2_on() {
    let broker = Broker::shared().await;
    let mut pair = Pair::new(&broker).await;
    let address = pair.request("1").await;
    for count in 1..=3 {
        pair.reply(&address, "reply").await;
        let deliver = pair.expect_reply("reply").await;
        assert_eq!(deliver.delivery_tag, if broker.at_least(4, 2) { count } else { 1 });
    }
}

/// The constant is the channel's next tag, which ordinary deliveries advance.
#[tokio::test]
async fn item_23_ordinary_deliveries_advance_the_tag_of_replies() {
    let broker = Broker::shared().await;
    let mut pair = Pair::new(&broker).await;
    let address = pair.request("1").await;
    let queue = declare(&mut pair.requester, 1, "ordinary").await;
    consume_without_ack(&mut pair.requester, 1, &queue).await;
    pair.reply(&address, "reply").await;
    assert_eq!(pair.expect_reply("reply").await.delivery_tag, 1);

    pair.responder.publish(1, &queue, BasicProperties::default(), b"").await;
    let ordinary = pair.requester.expect_delivery(1).await.0.delivery_tag;
    pair.reply(&address, "reply").await;
    let reply = pair.expect_reply("reply").await.delivery_tag;
    assert_eq!((ordinary, reply), if broker.at_least(4, 2) { (2, 3) } else { (1, 2) });
}

/// The broker does not count: one request may have any number of replies.
#[tokio::test]
async fn item_24_many_replies_to_one_request_arrive_in_order() {
    let broker = Broker::shared().await;
    let mut pair = Pair::new(&broker).await;
    let address = pair.request("1").await;
    for number in 0..50 {
        pair.reply(&address, &number.to_string()).await;
    }
    for number in 0..50 {
        pair.expect_reply(&number.to_string()).await;
    }
}

/// Whoever knows the address may reply, the requester included.
#[tokio::test]
async fn item_24_anyone_may_reply() {
    let broker = Broker::shared().await;
    let mut pair = Pair::new(&broker).await;
    let address = pair.request("1").await;

    let mut stranger = broker.channel().await;
    stranger.publish(1, &address, BasicProperties::default(), b"from a stranger").await;
    pair.expect_reply("from a stranger").await;

    pair.requester.publish(1, &address, BasicProperties::default(), b"from itself").await;
    pair.expect_reply("from itself").await;
}

#[tokio::test]
async fn item_25_a_reply_may_be_addressed_by_cc() {
    let broker = Broker::shared().await;
    let mut pair = Pair::new(&broker).await;
    let address = pair.request("1").await;
    let mut addresses = FieldArray::new();
    addresses.push(LongStr::new(address.into_bytes()).unwrap()).unwrap();
    let mut headers = FieldTable::new();
    headers.insert("CC", addresses).unwrap();
    let properties = BasicProperties { headers: Some(headers), ..Default::default() };

    let nowhere = ShortStr::from_static("nowhere");
    pair.responder.publish(1, &nowhere, properties, b"by copy").await;
    // The routing key is the one published with, and not the address.
    assert_eq!(pair.expect_reply("by copy").await.routing_key, nowhere);
}

/// Up to 4.1 an address is no queue, so a mandatory reply comes back although it was delivered.
#[tokio::test]
async fn item_29_a_mandatory_reply_is_delivered_and_up_to_4_1_returned_too() {
    let broker = Broker::shared().await;
    let mut pair = Pair::new(&broker).await;
    let address = pair.request("1").await;
    confirm(&mut pair.responder, 1).await;
    let publish =
        basic::Publish { routing_key: address.clone(), mandatory: true, ..Default::default() };
    pair.responder.send_content(1, publish, BasicProperties::default(), b"mandatory").await;

    pair.expect_reply("mandatory").await;
    if !broker.at_least(4, 2) {
        let (returned, content) = pair.responder.expect_content::<basic::Return>(1).await;
        assert_eq!(returned, no_route(address));
        assert_eq!(content.body, b"mandatory");
    }
    expect_confirmation(&mut pair.responder, 1, 1).await;
}

#[tokio::test]
async fn item_31_acknowledging_a_reply_is_406() {
    let broker = Broker::shared().await;
    let mut pair = Pair::new(&broker).await;
    let address = pair.request("1").await;
    pair.reply(&address, "reply").await;
    let delivery_tag = pair.expect_reply("reply").await.delivery_tag;

    pair.requester.send(1, basic::Ack { delivery_tag, multiple: false }).await;
    let text = format!("PRECONDITION_FAILED - unknown delivery tag {delivery_tag}");
    let code = ReplyCode::PRECONDITION_FAILED;
    pair.requester.expect_channel_close(1, code, &text, (60, 80)).await;
}

#[tokio::test]
async fn item_32_prefetch_does_not_limit_replies() {
    let broker = Broker::shared().await;
    let mut pair = Pair::new(&broker).await;
    for global in [false, true] {
        let qos = basic::Qos { prefetch_size: 0, prefetch_count: 1, global };
        pair.requester.call::<basic::QosOk>(1, qos).await;
    }
    let address = pair.request("1").await;
    for number in 0..3 {
        pair.reply(&address, &number.to_string()).await;
    }
    for number in 0..3 {
        pair.expect_reply(&number.to_string()).await;
    }
}

pub(super) fn no_route(routing_key: ShortStr) -> basic::Return {
    basic::Return {
        reply_code: ReplyCode::NO_ROUTE,
        reply_text: ShortStr::from_static("NO_ROUTE"),
        exchange: ShortStr::EMPTY,
        routing_key,
    }
}

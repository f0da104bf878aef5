//! Publishing with `reply-to = amq.rabbitmq.reply-to`.

use leveret_codec::{BasicProperties, Frame, ReplyCode, ShortStr, basic};

use super::roles::{
    Pair, REPLY_TO, consume_replies, consume_without_ack, declare, ready, request_properties, short,
};
use crate::support::broker::{Broker, unique};
use crate::support::wire::content_frames;

const PUBLISH: (u16, u16) = (60, 40);
const NO_CONSUMER: &str = "PRECONDITION_FAILED - fast reply consumer does not exist";

#[tokio::test]
async fn item_17_a_request_without_a_reply_consumer_is_406_and_not_routed() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    wire.open_channel(2).await;
    let queue = declare(&mut wire, 2, "unheard").await;
    wire.publish(1, &queue, request_properties("1"), b"request").await;
    wire.expect_channel_close(1, ReplyCode::PRECONDITION_FAILED, NO_CONSUMER, PUBLISH).await;
    assert_eq!(ready(&mut wire, 2, &queue).await, 0);
    wire.close().await;
}

/// The reply consumer belongs to its channel, and not to its connection.
#[tokio::test]
async fn item_18_the_reply_consumer_of_another_channel_does_not_count() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    wire.open_channel(2).await;
    consume_replies(&mut wire, 1).await;
    let queue = declare(&mut wire, 1, "unheard").await;
    wire.publish(2, &queue, request_properties("1"), b"request").await;
    wire.expect_channel_close(2, ReplyCode::PRECONDITION_FAILED, NO_CONSUMER, PUBLISH).await;
    assert_eq!(ready(&mut wire, 1, &queue).await, 0);
    wire.close().await;
}

/// A channel does one thing after the other, so a request may follow the consume in one write.
#[tokio::test]
async fn item_19_consume_and_request_may_be_sent_together() {
    let broker = Broker::shared().await;
    let mut pair = Pair::new(&broker).await;
    let mut wire = broker.connect().await;

    let consumer_tag = unique("pipelined");
    let open = Frame::method(1, leveret_codec::channel::Open {});
    let consume = Frame::method(
        1,
        basic::Consume {
            queue: REPLY_TO,
            consumer_tag: consumer_tag.clone(),
            no_ack: true,
            ..Default::default()
        },
    );
    let publish = basic::Publish { routing_key: pair.queue.clone(), ..Default::default() };
    let request = content_frames(1, publish, request_properties("1"), b"at once", 4088);
    wire.send_together([open, consume].into_iter().chain(request)).await;

    let leveret_codec::channel::OpenOk {} = wire.expect(1).await;
    let consumed: basic::ConsumeOk = wire.expect(1).await;
    assert_eq!(consumed.consumer_tag, consumer_tag);

    let (_, request) = pair.responder.expect_delivery(1).await;
    assert_eq!(request.body, b"at once");
    pair.reply(&request.properties.reply_to.unwrap(), "reply").await;
    let (deliver, reply) = wire.expect_delivery(1).await;
    assert_eq!((deliver.consumer_tag, &*reply.body), (consumer_tag, &b"reply"[..]));
}

#[tokio::test]
async fn item_20_the_responder_sees_an_address_in_place_of_the_name() {
    let broker = Broker::shared().await;
    let mut pair = Pair::new(&broker).await;
    let address = pair.request("1").await;

    let text = address.as_str().expect("an address is text");
    let token =
        text.strip_prefix("amq.rabbitmq.reply-to.").expect("the address begins with the name");
    let (process, key) = token.split_once('.').expect("the token has two parts");
    assert!(!process.is_empty() && !key.is_empty(), "{text}");
    assert_eq!(pair.request("2").await, address, "one consumer has one address");
}

#[tokio::test]
async fn item_20_the_other_properties_stay_as_they_were() {
    let broker = Broker::shared().await;
    let mut pair = Pair::new(&broker).await;
    let mut headers = leveret_codec::FieldTable::new();
    headers.insert("a", 1u8).unwrap();
    let sent = BasicProperties {
        content_type: short("text/plain"),
        content_encoding: short("utf-8"),
        headers: Some(headers),
        delivery_mode: Some(1),
        priority: Some(3),
        // Properties are no text to RabbitMQ.
        correlation_id: Some(ShortStr::new(vec![0xff, 0x00]).unwrap()),
        reply_to: Some(REPLY_TO),
        expiration: short("60000"),
        message_id: short("message"),
        timestamp: Some(1_704_067_200),
        message_type: short("type"),
        user_id: Some(ShortStr::try_from(&*broker.user).unwrap()),
        app_id: short("app"),
        cluster_id: short("cluster"),
    };
    pair.requester.publish(1, &pair.queue, sent.clone(), b"request").await;
    let (_, request) = pair.responder.expect_delivery(1).await;
    let reply_to = request.properties.reply_to.clone();
    assert_ne!(reply_to, Some(REPLY_TO));
    assert_eq!(request.properties, BasicProperties { reply_to, ..sent });
    assert_eq!(request.body, b"request");
}

#[tokio::test]
async fn item_21_any_other_reply_to_is_left_alone() {
    let broker = Broker::shared().await;
    let mut pair = Pair::new(&broker).await;
    let own_address = pair.request("1").await;
    for reply_to in [
        own_address,
        ShortStr::from_static("amq.rabbitmq.reply-to."),
        ShortStr::from_static("amq.rabbitmq.reply-tO"),
        ShortStr::from_static("replies"),
        ShortStr::EMPTY,
    ] {
        let sent = BasicProperties { reply_to: Some(reply_to), ..request_properties("2") };
        pair.requester.publish(1, &pair.queue, sent.clone(), b"request").await;
        let (_, request) = pair.responder.expect_delivery(1).await;
        assert_eq!(request.properties, sent);
    }
}

/// Nor does any other reply-to need a reply consumer.
#[tokio::test]
async fn item_21_any_other_reply_to_needs_no_reply_consumer() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let queue = declare(&mut wire, 1, "elsewhere").await;
    consume_without_ack(&mut wire, 1, &queue).await;
    let sent = BasicProperties { reply_to: short("replies"), ..request_properties("1") };
    wire.publish(1, &queue, sent.clone(), b"request").await;
    assert_eq!(wire.expect_delivery(1).await.1.properties, sent);
    wire.close().await;
}

/// What comes back unroutable has the address already.
#[tokio::test]
async fn item_33_a_returned_request_shows_the_requesters_own_address() {
    let broker = Broker::shared().await;
    let mut pair = Pair::new(&broker).await;
    let address = pair.request("1").await;
    let publish =
        basic::Publish { routing_key: unique("missing"), mandatory: true, ..Default::default() };
    pair.requester.send_content(1, publish, request_properties("2"), b"request").await;
    let (_, returned) = pair.requester.expect_content::<basic::Return>(1).await;
    assert_eq!(returned.properties.reply_to, Some(address));
    assert_eq!(returned.properties.correlation_id, short("2"));
}

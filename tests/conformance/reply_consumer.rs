//! Consuming `amq.rabbitmq.reply-to`.

use leveret_codec::{FieldTable, ReplyCode, ShortStr, basic};

use super::roles::{Pair, REPLY_TO, consume, consume_replies, declare};
use crate::support::broker::{Broker, unique};

const CONSUME: (u16, u16) = (60, 20);

#[tokio::test]
async fn item_13_the_reply_consumer_has_the_tag_that_it_asked_for() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let consumer_tag = unique("tag");
    let consume = basic::Consume { consumer_tag: consumer_tag.clone(), ..without_ack() };
    let consumed: basic::ConsumeOk = wire.call(1, consume).await;
    assert_eq!(consumed, basic::ConsumeOk { consumer_tag });
    wire.close().await;
}

#[tokio::test]
async fn item_13_the_broker_makes_up_a_tag() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    wire.open_channel(2).await;
    let (first, second) =
        (consume_replies(&mut wire, 1).await, consume_replies(&mut wire, 2).await);
    assert_ne!(first, second);
    for tag in [first, second] {
        let random = tag.as_str().unwrap().strip_prefix("amq.ctag-").unwrap();
        assert_eq!(random.len(), 22, "{random}");
    }
    wire.close().await;
}

/// Exclusive, no-local and arguments mean nothing here.
#[tokio::test]
async fn item_13_other_wishes_are_ignored() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let mut arguments = FieldTable::new();
    arguments.insert("x-priority", "not a number").unwrap();
    let consume = basic::Consume { exclusive: true, no_local: true, arguments, ..without_ack() };
    wire.call::<basic::ConsumeOk>(1, consume).await;
    wire.close().await;
}

#[tokio::test]
async fn item_13_nowait_is_not_answered() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let consumer_tag = unique("nowait");
    let consume =
        basic::Consume { consumer_tag: consumer_tag.clone(), nowait: true, ..without_ack() };
    wire.send(1, consume).await;
    wire.expect_silence(1).await;

    // The consumer is there all the same.
    let cancel = basic::Cancel { consumer_tag: consumer_tag.clone(), nowait: false };
    let cancelled: basic::CancelOk = wire.call(1, cancel).await;
    assert_eq!(cancelled, basic::CancelOk { consumer_tag });
    wire.close().await;
}

#[tokio::test]
async fn item_14_a_reply_consumer_that_acknowledges_is_406() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    wire.send(1, basic::Consume { no_ack: false, ..without_ack() }).await;
    let text = "PRECONDITION_FAILED - reply consumer cannot acknowledge";
    wire.expect_channel_close(1, ReplyCode::PRECONDITION_FAILED, text, CONSUME).await;
    wire.close().await;
}

/// The mode is judged first, even where any second consumer would be refused.
#[tokio::test]
async fn item_14_the_mode_is_judged_before_the_number() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    consume_replies(&mut wire, 1).await;
    wire.send(1, basic::Consume { no_ack: false, ..without_ack() }).await;
    let text = "PRECONDITION_FAILED - reply consumer cannot acknowledge";
    wire.expect_channel_close(1, ReplyCode::PRECONDITION_FAILED, text, CONSUME).await;
    wire.close().await;
}

#[tokio::test]
async fn item_15_a_second_reply_consumer_is_406() {
    let broker = Broker::shared().await;
    for consumer_tag in [ShortStr::EMPTY, unique("second")] {
        let mut wire = broker.channel().await;
        consume_replies(&mut wire, 1).await;
        wire.send(1, basic::Consume { consumer_tag, ..without_ack() }).await;
        let text = "PRECONDITION_FAILED - reply consumer already set";
        wire.expect_channel_close(1, ReplyCode::PRECONDITION_FAILED, text, CONSUME).await;
        wire.close().await;
    }
}

/// The error ends its channel alone: another channel of the connection still gets its replies.
#[tokio::test]
async fn item_15_other_channels_live_on() {
    let broker = Broker::shared().await;
    let mut pair = Pair::new(&broker).await;
    pair.requester.open_channel(2).await;
    consume_replies(&mut pair.requester, 2).await;
    pair.requester.send(2, without_ack()).await;
    let text = "PRECONDITION_FAILED - reply consumer already set";
    pair.requester.expect_channel_close(2, ReplyCode::PRECONDITION_FAILED, text, CONSUME).await;

    let address = pair.request("still here").await;
    pair.reply(&address, "reply").await;
    pair.expect_reply("reply").await;
}

#[tokio::test]
async fn item_16_the_tag_of_an_ordinary_consumer_is_530() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let queue = declare(&mut wire, 1, "tag").await;
    let consumer_tag = consume(&mut wire, 1, &queue).await;
    let text = format!("NOT_ALLOWED - attempt to reuse consumer tag '{consumer_tag}'");
    wire.send(1, basic::Consume { consumer_tag, ..without_ack() }).await;
    wire.expect_connection_close(ReplyCode::NOT_ALLOWED, &text, CONSUME).await;
}

/// Two ordinary consumers with one tag are the same mistake.
#[tokio::test]
async fn item_16_a_tag_used_twice_is_530() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let queue = declare(&mut wire, 1, "tag").await;
    let consumer_tag = consume(&mut wire, 1, &queue).await;
    let text = format!("NOT_ALLOWED - attempt to reuse consumer tag '{consumer_tag}'");
    wire.send(1, basic::Consume { queue, consumer_tag, ..Default::default() }).await;
    wire.expect_connection_close(ReplyCode::NOT_ALLOWED, &text, CONSUME).await;
}

fn without_ack() -> basic::Consume {
    basic::Consume { queue: REPLY_TO, no_ack: true, ..Default::default() }
}

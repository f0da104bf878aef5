//! How long a reply address is good, and who can tell.

use leveret_codec::{BasicProperties, ReplyCode, ShortStr, basic, channel, queue};

use super::replies::no_route;
use super::roles::{
    Pair, REPLY_TO, confirm, consume_replies, expect_confirmation, publish_confirmed,
    queue_in_vhost,
};
use crate::support::broker::Broker;
use crate::support::wire::Wire;

const DECLARE: (u16, u16) = (50, 10);

#[tokio::test]
async fn item_26_a_cancelled_consumers_address_is_dead_for_ever() {
    let broker = Broker::shared().await;
    let mut pair = Pair::new(&broker).await;
    let old_address = pair.request("1").await;
    cancel(&mut pair).await;
    pair.reply(&old_address, "too late").await;

    let old_tag = std::mem::replace(&mut pair.tag, consume_replies(&mut pair.requester, 1).await);
    assert_ne!(pair.tag, old_tag);
    let address = pair.request("2").await;
    assert_ne!(address, old_address);
    pair.reply(&old_address, "too late").await;
    pair.expect_nothing_but_a_reply_to(&address).await;
}

#[tokio::test]
async fn item_26_after_cancel_requests_are_refused_again() {
    let broker = Broker::shared().await;
    let mut pair = Pair::new(&broker).await;
    cancel(&mut pair).await;
    let properties = BasicProperties { reply_to: Some(REPLY_TO), ..Default::default() };
    pair.requester.publish(1, &pair.queue, properties, b"").await;
    let text = "PRECONDITION_FAILED - fast reply consumer does not exist";
    let code = ReplyCode::PRECONDITION_FAILED;
    pair.requester.expect_channel_close(1, code, text, (60, 40)).await;
}

#[tokio::test]
async fn item_27_an_altered_address_reaches_nobody() {
    let broker = Broker::shared().await;
    let mut pair = Pair::new(&broker).await;
    let address = pair.request("1").await;
    let altered = altered(&address);
    expect_gone(&broker, &mut pair.responder, 2, &altered).await;

    confirm(&mut pair.responder, 1).await;
    publish_confirmed(&mut pair.responder, 1, 1, &altered, b"misled").await;
    pair.expect_nothing_but_a_reply_to(&address).await;
}

/// Up to 4.0 the channel that publishes to some of them dies of it, and its connection with it.
#[tokio::test]
async fn item_27_forged_addresses_reach_nobody() {
    let broker = Broker::shared().await;
    let mut pair = Pair::new(&broker).await;
    let address = pair.request("1").await;
    let (prefix, words) = address.as_ref().split_at(REPLY_TO.len() + 1);
    let forged = |words: &[u8]| ShortStr::new([prefix, words].concat()).unwrap();
    let mut flipped = words.to_vec();
    flipped[0] ^= 1;
    let cases = [
        (REPLY_TO, true),
        (forged(b""), true),
        (forged(b"garbage"), true),
        (forged(b"three.words.here"), true),
        (forged(&words.to_ascii_uppercase()), false),
        (forged(b"two.words"), false),
        (forged(b"AAAA.AAAA"), false),
        (forged(&flipped), false),
        (forged(&[0xff; 200]), false),
    ];
    for (forged, is_harmless) in cases {
        let mut wire = broker.channel().await;
        wire.publish(1, &forged, BasicProperties::default(), b"for whom?").await;
        if is_harmless || broker.at_least(4, 1) {
            wire.expect_silence(1).await;
            wire.close().await;
        } else {
            wire.expect_connection_close(ReplyCode::INTERNAL_ERROR, "INTERNAL_ERROR", (0, 0)).await;
        }
    }
    pair.expect_nothing_but_a_reply_to(&address).await;
}

#[tokio::test]
async fn item_28_a_reply_to_a_closed_channel_or_connection_is_confirmed_and_lost() {
    let broker = Broker::shared().await;
    for close_the_connection in [false, true] {
        let mut pair = Pair::new(&broker).await;
        let address = pair.request("1").await;
        confirm(&mut pair.responder, 1).await;
        if close_the_connection {
            pair.requester.close().await;
        } else {
            pair.requester.call::<channel::CloseOk>(1, channel_close()).await;
        }
        publish_confirmed(&mut pair.responder, 1, 1, &address, b"too late").await;
    }
}

/// From 4.2 on, nobody asks whether the requester is there.
#[tokio::test]
async fn item_28_a_mandatory_reply_to_a_closed_connection_is_returned_up_to_4_1() {
    let broker = Broker::shared().await;
    let mut pair = Pair::new(&broker).await;
    let address = pair.request("1").await;
    confirm(&mut pair.responder, 1).await;
    pair.requester.close().await;

    let publish =
        basic::Publish { routing_key: address.clone(), mandatory: true, ..Default::default() };
    pair.responder.send_content(1, publish, BasicProperties::default(), b"too late").await;
    if !broker.at_least(4, 2) {
        let (returned, content) = pair.responder.expect_content::<basic::Return>(1).await;
        assert_eq!((returned, &*content.body), (no_route(address), &b"too late"[..]));
    }
    expect_confirmation(&mut pair.responder, 1, 1).await;
}

#[tokio::test]
async fn item_30_the_name_itself_always_seems_to_be_there() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    for passive in [false, true] {
        assert_eq!(declare(&mut wire, &REPLY_TO, passive).await, one_consumer(&REPLY_TO));
    }
    wire.close().await;
}

#[tokio::test]
async fn item_30_an_address_in_use_can_be_declared_as_if_it_were_a_queue() {
    let broker = Broker::shared().await;
    let mut pair = Pair::new(&broker).await;
    let address = pair.request("1").await;
    for passive in [false, true] {
        let declared = declare(&mut pair.responder, &address, passive).await;
        assert_eq!(declared, one_consumer(&address));
    }
}

/// 404 closes the channel that asked; the responder's own lives on.
#[tokio::test]
async fn item_30_an_address_out_of_use_is_404_for_who_asks() {
    let broker = Broker::shared().await;
    let mut pair = Pair::new(&broker).await;
    let old_address = pair.request("1").await;
    cancel(&mut pair).await;
    expect_gone(&broker, &mut pair.responder, 2, &old_address).await;

    pair.tag = consume_replies(&mut pair.requester, 1).await;
    expect_gone(&broker, &mut pair.responder, 2, &old_address).await;

    let address = pair.request("2").await;
    pair.reply(&address, "reply").await;
    pair.expect_reply("reply").await;
}

async fn cancel(pair: &mut Pair) {
    let cancel = basic::Cancel { consumer_tag: pair.tag.clone(), nowait: false };
    let cancelled: basic::CancelOk = pair.requester.call(1, cancel).await;
    assert_eq!(cancelled.consumer_tag, pair.tag);
}

async fn declare(wire: &mut Wire, address: &ShortStr, passive: bool) -> queue::DeclareOk {
    let declare = queue::Declare { queue: address.clone(), passive, ..Default::default() };
    wire.call(1, declare).await
}

/// Asks for an address on a channel that the answer closes.
async fn expect_gone(broker: &Broker, wire: &mut Wire, channel: u16, address: &ShortStr) {
    for passive in [false, true] {
        wire.open_channel(channel).await;
        let declare = queue::Declare { queue: address.clone(), passive, ..Default::default() };
        wire.send(channel, declare).await;
        let text = format!("NOT_FOUND - no {}", queue_in_vhost(broker, address));
        wire.expect_channel_close(channel, ReplyCode::NOT_FOUND, &text, DECLARE).await;
    }
}

fn one_consumer(queue: &ShortStr) -> queue::DeclareOk {
    queue::DeclareOk { queue: queue.clone(), message_count: 0, consumer_count: 1 }
}

/// Another key for the same process: the last letter that counts is a different one.
fn altered(address: &ShortStr) -> ShortStr {
    let mut octets = address.as_ref().to_vec();
    let at = octets.len() - 5;
    octets[at] = if octets[at] == b'A' { b'B' } else { b'A' };
    ShortStr::new(octets).unwrap()
}

fn channel_close() -> channel::Close {
    channel::Close { reply_code: ReplyCode::REPLY_SUCCESS, ..Default::default() }
}

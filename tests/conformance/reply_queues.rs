//! A reply address where a queue's name belongs, and names that only look like an address.

use leveret_codec::{BasicProperties, Method, ReplyCode, ShortStr, basic, queue};

use super::replies::no_route;
use super::roles::{Pair, REPLY_TO, confirm, expect_confirmation, queue_in_vhost};
use crate::support::broker::Broker;
use crate::support::wire::Wire;

/// A channel cannot ask itself: up to 4.1.4 it dies of the question, later it is told a lie.
#[tokio::test]
async fn item_30_a_requester_must_not_ask_for_its_own_address() {
    let broker = Broker::shared().await;
    let mut pair = Pair::new(&broker).await;
    let queue = pair.request("1").await;
    let text = format!("NOT_FOUND - no {}", queue_in_vhost(&broker, &queue));
    pair.requester.send(1, queue::Declare { queue, passive: true, ..Default::default() }).await;
    if broker.at_least(4, 2) {
        pair.requester.expect_channel_close(1, ReplyCode::NOT_FOUND, &text, (50, 10)).await;
    } else {
        let code = ReplyCode::INTERNAL_ERROR;
        pair.requester.expect_connection_close(code, "INTERNAL_ERROR", (0, 0)).await;
    }
}

#[tokio::test]
async fn an_address_cannot_be_consumed() {
    let broker = Broker::shared().await;
    for by_its_owner in [false, true] {
        let mut pair = Pair::new(&broker).await;
        let queue = pair.request("1").await;
        let named = queue_in_vhost(&broker, &queue);
        let (code, text) = match (broker.at_least(4, 2), by_its_owner) {
            (false, _) => (ReplyCode::NOT_FOUND, format!("NOT_FOUND - no {named}")),
            (true, false) => (
                ReplyCode::PRECONDITION_FAILED,
                format!("PRECONDITION_FAILED - only creator channel may consume from {named}"),
            ),
            (true, true) => (
                ReplyCode::PRECONDITION_FAILED,
                format!("PRECONDITION_FAILED - multiple consumers are unsupported for {named}"),
            ),
        };
        let wire = if by_its_owner { &mut pair.requester } else { &mut pair.responder };
        wire.send(1, basic::Consume { queue, no_ack: true, ..Default::default() }).await;
        wire.expect_channel_close(1, code, &text, (60, 20)).await;
    }
}

#[tokio::test]
async fn an_address_holds_nothing_to_get() {
    let broker = Broker::shared().await;
    let mut pair = Pair::new(&broker).await;
    let queue = pair.request("1").await;
    let named = queue_in_vhost(&broker, &queue);
    pair.responder.send(1, basic::Get { queue, no_ack: true }).await;
    if broker.at_least(4, 2) {
        let text = format!("NOT_IMPLEMENTED - basic.get not supported by volatile {named}");
        let code = ReplyCode::NOT_IMPLEMENTED;
        pair.responder.expect_connection_close(code, &text, (60, 70)).await;
    } else {
        let text = format!("NOT_FOUND - no {named}");
        pair.responder.expect_channel_close(1, ReplyCode::NOT_FOUND, &text, (60, 70)).await;
    }
}

#[tokio::test]
async fn an_address_cannot_be_bound() {
    let broker = Broker::shared().await;
    let mut pair = Pair::new(&broker).await;
    let queue = pair.request("1").await;
    // 4.2 learned to refuse it as such in 4.2.6.
    let (code, text) = if broker.at_least(4, 3) {
        let text = "ACCESS_REFUSED - cannot bind or unbind to a volatile (direct reply-to) queue";
        (ReplyCode::ACCESS_REFUSED, text.to_owned())
    } else {
        let text = format!("NOT_FOUND - no {}", queue_in_vhost(&broker, &queue));
        (ReplyCode::NOT_FOUND, text)
    };
    pair.responder.send(1, bind(&queue)).await;
    pair.responder.expect_channel_close(1, code, &text, (50, 20)).await;
}

#[tokio::test]
async fn an_address_survives_being_purged_or_deleted() {
    let broker = Broker::shared().await;
    let mut pair = Pair::new(&broker).await;
    let address = pair.request("1").await;
    let delete = queue::Delete { queue: address.clone(), ..Default::default() };
    let deleted: queue::DeleteOk = pair.responder.call(1, delete).await;
    assert_eq!(deleted.message_count, 0);

    pair.responder.open_channel(2).await;
    let purge = queue::Purge { queue: address.clone(), nowait: false };
    if broker.at_least(4, 2) {
        let purged: queue::PurgeOk = pair.responder.call(2, purge).await;
        assert_eq!(purged.message_count, 0);
    } else {
        pair.responder.send(2, purge).await;
        let text = format!("NOT_FOUND - no {}", queue_in_vhost(&broker, &address));
        pair.responder.expect_channel_close(2, ReplyCode::NOT_FOUND, &text, (50, 30)).await;
    }
    pair.reply(&address, "reply").await;
    pair.expect_reply("reply").await;
}

#[tokio::test]
async fn the_name_itself_is_no_queue_but_can_be_deleted() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let text = format!("NOT_FOUND - no {}", queue_in_vhost(&broker, &REPLY_TO));
    let uses: [(Method, _); 3] = [
        (basic::Get { queue: REPLY_TO, no_ack: true }.into(), (60, 70)),
        (queue::Purge { queue: REPLY_TO, nowait: false }.into(), (50, 30)),
        (bind(&REPLY_TO).into(), (50, 20)),
    ];
    for (method, failed) in uses {
        wire.send(1, method).await;
        wire.expect_channel_close(1, ReplyCode::NOT_FOUND, &text, failed).await;
        wire.open_channel(1).await;
    }
    let delete = queue::Delete { queue: REPLY_TO, ..Default::default() };
    let deleted: queue::DeleteOk = wire.call(1, delete).await;
    assert_eq!(deleted.message_count, 0);
    wire.close().await;
}

/// Of longer names, those that cannot be taken for an address are unroutable like any other.
#[tokio::test]
async fn names_that_only_begin_like_an_address_are_unroutable() {
    let broker = Broker::shared().await;
    for name in
        ["amq.rabbitmq.reply-to.", "amq.rabbitmq.reply-toX", "amq.rabbitmq.reply-to.garbage"]
    {
        let mut wire: Wire = broker.channel().await;
        confirm(&mut wire, 1).await;
        let routing_key = ShortStr::from_static(name);
        let publish = basic::Publish {
            routing_key: routing_key.clone(),
            mandatory: true,
            ..Default::default()
        };
        wire.send_content(1, publish, BasicProperties::default(), b"").await;
        let (returned, _) = wire.expect_content::<basic::Return>(1).await;
        assert_eq!(returned, no_route(routing_key));
        expect_confirmation(&mut wire, 1, 1).await;
        wire.close().await;
    }
}

fn bind(queue: &ShortStr) -> queue::Bind {
    queue::Bind {
        queue: queue.clone(),
        exchange: ShortStr::from_static("amq.direct"),
        routing_key: ShortStr::from_static("key"),
        ..Default::default()
    }
}

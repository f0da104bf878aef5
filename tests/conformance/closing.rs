//! The end of channels and connections.

use leveret_codec::{BasicProperties, Frame, ReplyCode, ShortStr, basic, channel, connection};

use super::roles::{confirm, consume_without_ack, declare, publish_confirmed, ready};
use crate::support::broker::{Broker, unique};
use crate::support::wire::{Handshake, Wire, content_frames};

const PUBLISH: (u16, u16) = (60, 40);

/// A message fails; another is under way before the client knows.
#[tokio::test]
async fn item_42_what_is_sent_on_a_failed_channel_is_discarded() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    wire.open_channel(2).await;
    let queue = declare(&mut wire, 2, "unaffected").await;
    fail_channel_1(&broker, &mut wire).await;
    wire.publish(1, &queue, BasicProperties::default(), b"too late").await;
    wire.send(1, channel::CloseOk {}).await;

    // The number is good for a new channel, and the other one has noticed nothing.
    wire.open_channel(1).await;
    confirm(&mut wire, 1).await;
    publish_confirmed(&mut wire, 1, 1, &queue, b"new").await;
    assert_eq!(ready(&mut wire, 2, &queue).await, 1);
    consume_without_ack(&mut wire, 2, &queue).await;
    assert_eq!(wire.expect_delivery(2).await.1.body, b"new");
    wire.close().await;
}

/// A message once begun is to be sent to its end, even on a channel that has failed meanwhile.
#[tokio::test]
async fn item_42_close_ok_within_a_message_is_505() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    fail_channel_1(&broker, &mut wire).await;
    let mut message = message(ShortStr::EMPTY);
    message.pop();
    wire.send_together(message).await;
    wire.send(1, channel::CloseOk {}).await;
    let text = "UNEXPECTED_FRAME - expected content body, got non content body frame instead";
    wire.expect_connection_close(ReplyCode::UNEXPECTED_FRAME, text, PUBLISH).await;
}

/// Both sides close at once: the broker's close is answered, and it answers the client's.
#[tokio::test]
async fn item_42_crossing_closes_are_both_answered() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    wire.send(1, basic::Consume { queue: unique("missing"), ..Default::default() }).await;
    let close: channel::Close = wire.expect(1).await;
    assert_eq!(close.reply_code, ReplyCode::NOT_FOUND);
    wire.call::<channel::CloseOk>(1, channel_close()).await;
    wire.send(1, channel::CloseOk {}).await;
    wire.open_channel(1).await;
    wire.close().await;
}

#[tokio::test]
async fn item_42_a_closed_channels_number_can_be_used_again() {
    let broker = Broker::shared().await;
    let mut wire = broker.connect().await;
    for _ in 0..3 {
        wire.open_channel(7).await;
        wire.call::<channel::CloseOk>(7, channel_close()).await;
    }
    wire.close().await;
}

/// The answer comes at once. Hanging up is the client's, who is given one heartbeat's time for it.
#[tokio::test]
async fn item_43_connection_close_is_answered() {
    let broker = Broker::shared().await;
    let tune = |offer: connection::Tune| {
        let connection::Tune { channel_max, frame_max, .. } = offer;
        connection::TuneOk { channel_max, frame_max, heartbeat: 1 }
    };
    let mut wire = Handshake { tune, ..Handshake::new(&broker) }.open(broker.tcp().await).await;
    // The broker looks neither at the code nor at the text.
    let close = connection::Close {
        reply_code: ReplyCode(999),
        reply_text: ShortStr::from_static("enough"),
        class_id: 1,
        method_id: 2,
    };
    let connection::CloseOk {} = wire.call(0, close).await;
    wire.expect_end().await;
}

/// Whole as the body may be on its way, it is refused when the last octet has come.
#[tokio::test]
async fn item_44_a_body_above_the_maximum_is_406() {
    let broker = Broker::shared().await;
    let maximum: usize = if broker.at_least(4, 0) { 16 << 20 } else { 128 << 20 };
    let mut wire = broker.channel().await;
    let queue = declare(&mut wire, 1, "large").await;
    let body = vec![0; maximum + 1];
    wire.publish(1, &queue, BasicProperties::default(), &body).await;
    let text = format!(
        "PRECONDITION_FAILED - message size {} is larger than configured max size {maximum}",
        maximum + 1
    );
    wire.expect_channel_close(1, ReplyCode::PRECONDITION_FAILED, &text, PUBLISH).await;

    wire.open_channel(1).await;
    assert_eq!(ready(&mut wire, 1, &queue).await, 0);
    wire.close().await;
}

/// The largest body that is allowed, there and back.
#[tokio::test]
async fn item_44_a_body_of_16_mib_is_accepted() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let queue = declare(&mut wire, 1, "large").await;
    consume_without_ack(&mut wire, 1, &queue).await;
    let body = vec![0x5a; 16 << 20];
    wire.publish(1, &queue, BasicProperties::default(), &body).await;
    assert!(wire.expect_delivery(1).await.1.body == body, "16 MiB arrive as others");
    wire.close().await;
}

fn channel_close() -> channel::Close {
    channel::Close { reply_code: ReplyCode::REPLY_SUCCESS, ..Default::default() }
}

/// Publishes to an exchange that is missing, and reads the broker's close without answering it.
async fn fail_channel_1(broker: &Broker, wire: &mut Wire) {
    let missing = ShortStr::from_static("leveret-test.missing");
    wire.send_together(message(missing)).await;
    let close: channel::Close = wire.expect(1).await;
    let text = format!(
        "NOT_FOUND - no exchange 'leveret-test.missing' in vhost '{}'",
        broker.virtual_host
    );
    assert_eq!((close.reply_code, close.reply_text.to_string()), (ReplyCode::NOT_FOUND, text));
    assert_eq!((close.class_id, close.method_id), PUBLISH);
}

/// A message on channel 1 with a body of two frames.
fn message(exchange: ShortStr) -> Vec<Frame> {
    let publish = basic::Publish { exchange, ..Default::default() };
    content_frames(1, publish, BasicProperties::default(), b"body", 2)
}

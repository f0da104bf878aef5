//! Bodies and headers in frames.

use leveret_codec::{BasicProperties, FieldTable, Frame, LongStr, ShortStr, basic, connection};

use super::roles::{confirm, consume_without_ack, declare, expect_confirmation, short};
use crate::support::broker::Broker;
use crate::support::wire::{Handshake, Wire, content_frames};

const FRAME_MAX: u32 = 8192;
const PAYLOAD_MAX: usize = 8192 - 8;

#[tokio::test]
async fn item_07_a_body_of_no_octets_has_no_body_frame() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let queue = declare(&mut wire, 1, "empty").await;
    consume_without_ack(&mut wire, 1, &queue).await;

    let properties = BasicProperties { message_id: short("empty"), ..Default::default() };
    wire.publish(1, &queue, properties.clone(), b"").await;
    let (_, content) = wire.expect_delivery(1).await;
    assert_eq!((content.properties, content.body), (properties, vec![]));
    // The next frame is a method again.
    wire.expect_silence(1).await;
    wire.close().await;
}

#[tokio::test]
async fn item_08_bodies_are_split_at_frame_max_less_8_and_arrive_unchanged() {
    let broker = Broker::shared().await;
    let mut wire = with_small_frames(&broker).await;
    wire.open_channel(1).await;
    let queue = declare(&mut wire, 1, "sizes").await;
    consume_without_ack(&mut wire, 1, &queue).await;

    for (size, pieces) in [
        (1, vec![1]),
        (PAYLOAD_MAX - 1, vec![PAYLOAD_MAX - 1]),
        (PAYLOAD_MAX, vec![PAYLOAD_MAX]),
        (PAYLOAD_MAX + 1, vec![PAYLOAD_MAX, 1]),
        (20 * PAYLOAD_MAX, vec![PAYLOAD_MAX; 20]),
    ] {
        let body = patterned(size);
        wire.publish(1, &queue, BasicProperties::default(), &body).await;
        let (_, content) = wire.expect_delivery(1).await;
        assert_eq!(content.pieces, pieces);
        assert!(content.body == body, "{size} octets arrive as others");
    }
    wire.close().await;
}

/// RabbitMQ splits bodies, but never methods and content headers: a reader must take larger ones.
#[tokio::test]
async fn item_09_the_broker_sends_headers_larger_than_frame_max() {
    let broker = Broker::shared().await;
    let mut receiver = with_small_frames(&broker).await;
    receiver.open_channel(1).await;
    let queue = declare(&mut receiver, 1, "headers").await;
    consume_without_ack(&mut receiver, 1, &queue).await;

    let mut headers = FieldTable::new();
    headers.insert("large", LongStr::new(patterned(20_000)).unwrap()).unwrap();
    let properties = BasicProperties { headers: Some(headers), ..Default::default() };
    let mut sender = broker.channel().await;
    sender.publish(1, &queue, properties.clone(), b"small").await;

    let (_, content) = receiver.expect_delivery(1).await;
    assert_eq!(content.properties, properties);
    assert_eq!(content.body, b"small");
}

/// Contents of two channels of one connection, frame by frame in turn, with a heartbeat among them.
#[tokio::test]
async fn item_10_contents_of_two_channels_may_interleave() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    wire.open_channel(2).await;
    let (first, second) =
        (declare(&mut wire, 1, "first").await, declare(&mut wire, 2, "second").await);
    let message = |channel, queue: &ShortStr, body: &[u8]| {
        let publish = basic::Publish { routing_key: queue.clone(), ..Default::default() };
        content_frames(channel, publish, BasicProperties::default(), body, 3)
    };
    let pairs = message(1, &first, b"one two three").into_iter().zip(message(
        2,
        &second,
        b"4 5 6 7 8 9 10",
    ));
    let frames = pairs.flat_map(|(left, right)| [left, Frame::Heartbeat, right]);
    wire.send_together(frames).await;

    for (channel, queue, body) in
        [(1, first, &b"one two three"[..]), (2, second, b"4 5 6 7 8 9 10")]
    {
        consume_without_ack(&mut wire, channel, &queue).await;
        let (_, content) = wire.expect_delivery(channel).await;
        assert_eq!(content.body, body);
    }
    wire.close().await;
}

/// Empty body frames are of no use, but no fault either.
#[tokio::test]
async fn item_10_empty_body_frames_are_tolerated() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    confirm(&mut wire, 1).await;
    let queue = declare(&mut wire, 1, "pauses").await;
    let publish = basic::Publish { routing_key: queue.clone(), ..Default::default() };
    let mut frames = content_frames(1, publish, BasicProperties::default(), b"abc", 1);
    let pause = Frame::Body { channel: 1, payload: bytes::Bytes::new() };
    frames.insert(3, pause.clone());
    frames.insert(2, pause);
    wire.send_together(frames).await;
    expect_confirmation(&mut wire, 1, 1).await;

    consume_without_ack(&mut wire, 1, &queue).await;
    assert_eq!(wire.expect_delivery(1).await.1.body, b"abc");
    wire.close().await;
}

async fn with_small_frames(broker: &Broker) -> Wire {
    let tune = |offer: connection::Tune| connection::TuneOk {
        channel_max: offer.channel_max,
        frame_max: FRAME_MAX,
        heartbeat: 0,
    };
    Handshake { tune, ..Handshake::new(broker) }.open(broker.tcp().await).await
}

/// Octets that differ by their place, so that a frame lost or swapped shows.
fn patterned(size: usize) -> Vec<u8> {
    (0..=250).cycle().take(size).collect()
}

//! Signs of life. Time itself is what these tests are about, so they take a few seconds.

use std::time::Duration;

use leveret_codec::{Frame, connection};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::support::broker::Broker;
use crate::support::wire::{Handshake, Wire, read_to_end};

const HEARTBEAT: [u8; 8] = [8, 0, 0, 0, 0, 0, 0, 0xce];

#[tokio::test]
async fn item_11_a_silent_client_is_dropped_without_a_word_after_two_to_three_intervals() {
    let broker = Broker::shared().await;
    let wire = with_heartbeats_each_second(&broker).await;
    let silent_since = now();
    let octets = read_to_end(wire.into_stream()).await;
    let silence = silent_since.elapsed();

    assert!(silence >= Duration::from_millis(1900), "dropped after {silence:?}");
    // The broker's limit is 3 s; the rest is for a machine with other things to do.
    assert!(silence <= Duration::from_millis(4500), "dropped after {silence:?}");
    // Meanwhile the broker went on beating, and ended without connection.close.
    let (beats, rest) = octets.as_chunks::<8>();
    assert!(beats.iter().all(|beat| *beat == HEARTBEAT) && rest.is_empty(), "{octets:?}");
    assert!(beats.len() >= 3, "{} heartbeats in {silence:?}", beats.len());
}

#[tokio::test]
async fn item_11_a_client_that_only_sends_heartbeats_stays_connected() {
    let broker = Broker::shared().await;
    let mut wire = with_heartbeats_each_second(&broker).await;
    let mut ticks = interval(Duration::from_millis(500));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // 5 s: two more than a silent client is given.
    for _ in 0..10 {
        ticks.tick().await;
        wire.send_frame(Frame::Heartbeat).await;
    }
    wire.close().await;
}

/// With 0, nobody has to give any.
#[tokio::test]
async fn item_11_the_clients_interval_is_the_one_that_counts() {
    let broker = Broker::shared().await;
    let tune = |offer: connection::Tune| {
        assert_eq!(offer.heartbeat, 60);
        connection::TuneOk {
            heartbeat: 7,
            channel_max: offer.channel_max,
            frame_max: offer.frame_max,
        }
    };
    let mut wire = Handshake { tune, ..Handshake::new(&broker) }.open(broker.tcp().await).await;
    // The first heartbeat comes after half the interval: well before that of the offer would.
    let asked_at = now();
    assert_eq!(wire.frame_or_heartbeat().await, Frame::Heartbeat);
    assert!(asked_at.elapsed() >= Duration::from_secs(3), "{:?}", asked_at.elapsed());
    wire.close().await;
}

async fn with_heartbeats_each_second(broker: &Broker) -> Wire {
    let tune = |offer: connection::Tune| {
        let connection::Tune { channel_max, frame_max, .. } = offer;
        connection::TuneOk { channel_max, frame_max, heartbeat: 1 }
    };
    Handshake { tune, ..Handshake::new(broker) }.open(broker.tcp().await).await
}

#[allow(clippy::disallowed_methods, reason = "the broker's clock is the real one")]
fn now() -> Instant {
    Instant::now()
}

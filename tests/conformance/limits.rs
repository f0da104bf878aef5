//! What the two sides agree on in tune and tune-ok.

use leveret_codec::{ReplyCode, connection};

use crate::support::broker::Broker;
use crate::support::wire::Handshake;

type Tune = fn(connection::Tune) -> connection::TuneOk;

#[tokio::test]
async fn item_03_less_than_the_offer_is_accepted() {
    let broker = Broker::shared().await;
    let tune: Tune = |_| tune_ok(1, 8192);
    let mut wire = Handshake { tune, ..Handshake::new(&broker) }.open(broker.tcp().await).await;
    wire.open_channel(1).await;
    wire.close().await;
}

/// 0 would be no limit, and that is more than the broker allows.
#[tokio::test]
async fn item_03_no_limit_is_refused() {
    let broker = Broker::shared().await;
    tokio::join!(
        expect_refusal(&broker, |offer| tune_ok(0, offer.frame_max)),
        expect_refusal(&broker, |offer| tune_ok(offer.channel_max, 0)),
    );
}

#[tokio::test]
async fn item_03_more_than_the_offer_is_refused() {
    let broker = Broker::shared().await;
    tokio::join!(
        expect_refusal(&broker, |offer| tune_ok(offer.channel_max + 1, offer.frame_max)),
        expect_refusal(&broker, |offer| tune_ok(offer.channel_max, offer.frame_max + 1)),
    );
}

#[tokio::test]
async fn item_03_channels_are_counted_up_to_the_agreed_number() {
    let broker = Broker::shared().await;
    let tune: Tune = |_| tune_ok(2, 8192);
    let mut wire = Handshake { tune, ..Handshake::new(&broker) }.open(broker.tcp().await).await;
    // It is their number that counts, and not the numbers they have.
    wire.open_channel(1).await;
    wire.open_channel(60_000).await;
    wire.send(2, leveret_codec::channel::Open {}).await;
    let text = "NOT_ALLOWED - number of channels opened (2) has reached the negotiated \
                channel_max (2)";
    wire.expect_connection_close(ReplyCode::NOT_ALLOWED, text, (0, 0)).await;
}

#[tokio::test]
async fn item_04_a_frame_max_below_the_minimum_is_refused() {
    let broker = Broker::shared().await;
    let (just_enough, too_small): (Tune, Tune) = if broker.at_least(4, 1) {
        (|offer| tune_ok(offer.channel_max, 8192), |offer| tune_ok(offer.channel_max, 8191))
    } else {
        (|offer| tune_ok(offer.channel_max, 4096), |offer| tune_ok(offer.channel_max, 4095))
    };
    expect_refusal(&broker, too_small).await;

    let handshake = Handshake { tune: just_enough, ..Handshake::new(&broker) };
    handshake.open(broker.tcp().await).await.close().await;
}

/// The broker gives the reason to its log alone, and hangs up after a pause of 3 s.
async fn expect_refusal(broker: &Broker, tune: Tune) {
    let handshake = Handshake { tune, ..Handshake::new(broker) };
    handshake.until_tune_ok(broker.tcp().await).await.expect_end().await;
}

fn tune_ok(channel_max: u16, frame_max: u32) -> connection::TuneOk {
    connection::TuneOk { channel_max, frame_max, heartbeat: 0 }
}

//! Too much, too often, and never read.

use std::time::Duration;

use leveret::broker::Broker;
use leveret::{LongStr, ReplyCode, ShortStr};
use leveret_codec::{Frame, Method, Secret, basic, channel, connection, queue};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::{Verdict, expect, login, open_channel, tcp};
use crate::arena::{Outcome, attack, attack_in_virtual_time, attack_within, call_through, within};
use crate::octets::{body, frames, header, method};
use crate::support::wire::read_to_end;

const BATCH: usize = 1000;

/// Of processor time, where it is the attacker that needs it.
const SECONDS: Duration = Duration::from_secs(4);

// ---------------------------------------------------------------------- never read

/// What it owes a client is bounded, whatever the client asks: the broker stops to read who does not
/// read it.
#[test]
fn a_client_that_never_reads_its_answers() {
    let queue = ShortStr::try_from("q".repeat(255)).unwrap();
    let questions: [(&str, Method); 2] = [
        ("queue.declare", queue::Declare { queue, ..Default::default() }.into()),
        ("channel.flow", channel::Flow { active: true }.into()),
    ];
    for (name, question) in questions {
        never_read(format!("{name} without end, unread"), &[], &method(1, question));
    }
}

/// A message of a megabyte for each question of a few octets.
#[test]
fn a_client_that_never_reads_its_messages() {
    let queue = ShortStr::from_static("large");
    let publish = basic::Publish { routing_key: queue.clone(), ..Default::default() };
    let message = frames([Frame::method(1, publish), header(1, 1 << 20)]);
    let piece = frames([body(1, &[0; 1 << 16])]);
    let before = [
        method(1, queue::Declare { queue: queue.clone(), ..Default::default() }),
        message,
        piece.repeat(16),
    ];
    // Each is put back, and given out again.
    let get = method(1, basic::Get { queue, no_ack: false });
    let back = method(1, basic::Recover { requeue: true });
    never_read("basic.get of a megabyte, unread", &before.concat(), &[get, back].concat());
}

/// The broker has closed, waits for the client to agree, and is asked to agree itself.
#[test]
fn closes_that_cross_the_brokers_own() {
    let wrong = method(2, basic::Qos::default());
    let close = method(0, connection::Close::default());
    never_read("connection.close that crosses the broker's, unread", &wrong, &close);
}

/// Says all this, then the question again and again until nobody takes it any more.
fn never_read(name: impl std::fmt::Display, before: &[u8], question: &[u8]) {
    attack_within(SECONDS, name, "broker", async {
        let broker = Broker::start().await.unwrap();
        // A socket would take megabytes before it is full.
        let mut stream = log_in_unread(&broker).await;
        stream.write_all(before).await.unwrap();
        let questions = question.repeat(BATCH);
        let patience = Duration::from_millis(300);
        let mut asked = 0;
        while let Ok(written) = tokio::time::timeout(patience, stream.write_all(&questions)).await {
            written.expect("the broker waits");
            asked += questions.len();
            assert!(asked < 16 << 20, "the broker reads on and on");
        }
        call_through(&broker).await;
        Outcome::said("(reads no more before it is read)")
    });
}

/// A client on channel 1 that has not read a single octet.
async fn log_in_unread(broker: &Broker) -> DuplexStream {
    let mut stream = broker.connect();
    let start_ok = connection::StartOk {
        mechanism: ShortStr::from_static("PLAIN"),
        response: Secret(LongStr::from_static("\0guest\0guest")),
        ..Default::default()
    };
    let tune_ok = connection::TuneOk { channel_max: 2047, frame_max: 131_072, heartbeat: 60 };
    let said = [
        b"AMQP\x00\x00\x09\x01".to_vec(),
        method(0, start_ok),
        method(0, tune_ok),
        method(0, connection::Open { virtual_host: ShortStr::from_static("/") }),
        method(1, channel::Open {}),
    ];
    stream.write_all(&said.concat()).await.unwrap();
    stream
}

// ---------------------------------------------------------------------- too much

#[test]
fn a_flood_of_channels() {
    attack_within(SECONDS, "channels beyond channel-max", "broker", async {
        let broker = Broker::start().await.unwrap();
        let mut wire = login().open(tcp(&broker).await).await;
        for number in 1..=2047 {
            wire.open_channel(number).await;
        }
        wire.send(2048, channel::Open {}).await;
        let names = "has reached the negotiated channel_max (2047)";
        let outcome = expect(wire, Verdict::Told(ReplyCode::NOT_ALLOWED, names)).await;
        call_through(&broker).await;
        outcome
    });
}

#[test]
fn a_channel_opened_and_closed_without_end() {
    attack_within(SECONDS, "50,000 channels opened and closed", "broker", async {
        let broker = Broker::start().await.unwrap();
        let mut wire = login().open(tcp(&broker).await).await;
        let both = [method(1, channel::Open {}), method(1, channel::Close::default())].concat();
        for _ in 0..50 {
            wire.send_octets(&both.repeat(BATCH)).await;
            for _ in 0..BATCH {
                let channel::OpenOk {} = wire.expect(1).await;
                let channel::CloseOk {} = wire.expect(1).await;
            }
        }
        wire.close().await;
        call_through(&broker).await;
        Outcome::served()
    });
}

#[test]
fn connections_that_never_log_in() {
    attack_within(SECONDS, "150 connections that never log in", "broker", async {
        let broker = Broker::start().await.unwrap();
        let mut streams = Vec::new();
        for _ in 0..150 {
            let mut stream = tcp(&broker).await;
            stream.write_all(b"AMQP\x00\x00\x09\x01").await.unwrap();
            streams.push(stream);
        }
        call_through(&broker).await;
        Outcome::served()
    });
}

#[test]
fn closes_without_end() {
    attack("10^6 connection.close", "broker", async {
        let broker = Broker::start().await.unwrap();
        let mut stream = open_channel(&broker).await.into_stream();
        let closes = method(0, connection::Close::default()).repeat(BATCH);
        for _ in 0..1_000_000 / BATCH {
            // The first was the last.
            if stream.write_all(&closes).await.is_err() {
                break;
            }
        }
        call_through(&broker).await;
        Outcome::said("(close-ok, and hangs up)")
    });
}

// ---------------------------------------------------------------------- never answered

#[test]
fn a_close_without_close_ok() {
    attack_in_virtual_time("close without close-ok", "broker", async {
        let broker = Broker::start().await.unwrap();
        let mut stream = log_in_unread(&broker).await;
        stream.write_all(&method(2, basic::Qos::default())).await.unwrap();
        let mut octets = Vec::new();
        let read = stream.read_to_end(&mut octets);
        within(Duration::from_secs(32), read).await.unwrap();
        let told = b"CHANNEL_ERROR - expected 'channel.open'";
        assert!(octets.windows(told.len()).any(|window| window == told), "504");
        Outcome::told(ReplyCode::CHANNEL_ERROR, "CHANNEL_ERROR - expected 'channel.open'")
    });
}

/// Who hangs up in the middle of a frame leaves nothing behind.
#[test]
fn a_thousand_clients_that_hang_up_in_the_middle() {
    attack_within(SECONDS, "1,000 clients that hang up within a frame", "broker", async {
        let broker = Broker::start().await.unwrap();
        for _ in 0..1000 {
            let mut stream = tcp(&broker).await;
            stream.write_all(b"AMQP\x00\x00\x09\x01\x01\x00\x00\x00\x00").await.unwrap();
            stream.shutdown().await.unwrap();
            read_to_end(stream).await;
        }
        assert!(broker.connections().iter().all(|connection| !connection.is_open()));
        call_through(&broker).await;
        Outcome::said("(hangs up)")
    });
}

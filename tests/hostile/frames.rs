//! Attacks with frames: their sizes, kinds and ends, and methods that are none.

use std::time::Duration;

use leveret::ReplyCode;
use leveret_codec::{Method, basic};

use crate::arena::{Outcome, attack, attack_within};
use crate::attacker::Stage;
use crate::breach::{Breach, assert_breach, breach};
use crate::duel::{VICTIMS, Victim};
use crate::methods;
use crate::octets::{
    BODY, HEADER, METHOD, announced, header, header_with_fields, method, payload, raw,
};

const CUT: &str = "is cut off";

const SECOND: Duration = Duration::from_secs(1);

// ---------------------------------------------------------------------- methods that are none

#[test]
fn every_method_of_the_connection_truncated_at_every_length() {
    breach(
        "every method on channel 0, truncated at every length",
        Stage::Working,
        truncated(0, methods::of_brokers_on_connection()),
    );
}

#[test]
fn every_method_of_a_channel_truncated_at_every_length() {
    breach(
        "every method on channel 1, truncated at every length",
        Stage::Working,
        truncated(1, methods::of_brokers_on_channel()),
    );
}

/// Where each of them is what comes next.
#[test]
fn the_methods_of_the_handshake_truncated_at_every_length() {
    let stages = [Stage::Greeting, Stage::Login, Stage::Login, Stage::Tuned];
    for (method, stage) in methods::of_brokers_on_connection().into_iter().zip(stages) {
        let name = format!("{} in its place, truncated at every length", method.name());
        breach(&name, stage, truncated(0, [method]));
    }
}

#[test]
fn a_content_header_truncated_at_every_length() {
    let deliver = method(1, basic::Deliver::default());
    let payload = methods::content_header();
    breach(
        "a header of all properties, truncated at every length",
        Stage::Working,
        (0..payload.len()).map(|length| {
            let octets = [&deliver[..], &raw(HEADER, 1, &payload[..length])].concat();
            Breach { octets, code: ReplyCode::FRAME_ERROR, names: CUT }
        }),
    );
}

#[test]
fn a_method_with_more_than_its_fields() {
    let methods = methods::of_brokers_on_channel().into_iter().map(|method| (1, method));
    let methods = methods.chain(methods::of_brokers_on_connection().into_iter().map(|it| (0, it)));
    breach(
        "every method with an octet too many",
        Stage::Working,
        methods.map(|(channel, method)| {
            let octets = raw(METHOD, channel, &[&payload(&method)[..], &[0]].concat());
            Breach { octets, code: ReplyCode::FRAME_ERROR, names: "1 octets too many" }
        }),
    );
}

#[test]
fn unknown_classes_and_methods() {
    let unknown: [(u16, &[u8]); 8] = [
        (0, b"\x00\x0a\x00\x63"),
        (0, b"\xff\xff\xff\xff"),
        (1, b"\x00\x00\x00\x00"),
        (1, b"\x00\x14\x00\x63"),
        // exchange.declare-ok and tx.select-ok, which nobody asked for.
        (1, b"\x00\x28\x00\x0b"),
        (1, b"\x00\x5a\x00\x0b"),
        (1, b"\x00\x3c\x01\x01"),
        (1, b"\xff\xff\x00\x0a with fields"),
    ];
    breach(
        "unknown class or method",
        Stage::Working,
        unknown.map(|(channel, payload)| {
            let octets = raw(METHOD, channel, payload);
            Breach { octets, code: ReplyCode::COMMAND_INVALID, names: "there is no method " }
        }),
    );
}

fn truncated(channel: u16, methods: impl IntoIterator<Item = Method>) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for method in methods {
        let payload = payload(&method);
        breaches.extend((0..payload.len()).map(|length| {
            let octets = raw(METHOD, channel, &payload[..length]);
            Breach { octets, code: ReplyCode::FRAME_ERROR, names: CUT }
        }));
    }
    breaches
}

// ---------------------------------------------------------------------- frames that are none

#[test]
fn every_wrong_frame_end() {
    breach(
        "wrong frame-end",
        Stage::Working,
        (0..=u8::MAX).filter(|octet| *octet != 0xce).map(|octet| {
            let mut octets = raw(METHOD, 1, &payload(&basic::QosOk {}.into()));
            *octets.last_mut().unwrap() = octet;
            Breach { octets, code: ReplyCode::FRAME_ERROR, names: "the frame ends in 0x" }
        }),
    );
}

#[test]
fn every_unknown_frame_type() {
    breach(
        "unknown frame type",
        Stage::Working,
        (0..=u8::MAX).filter(|kind| ![1, 2, 3, 8].contains(kind)).map(|kind| {
            let octets = raw(kind, 1, b"payload");
            Breach { octets, code: ReplyCode::FRAME_ERROR, names: "is no frame type" }
        }),
    );
}

#[test]
fn heartbeats_that_are_none() {
    let heartbeats = [raw(8, 1, b""), raw(8, 0, b"!"), raw(8, 65535, b"a heartbeat")];
    let names = "a heartbeat has no payload and belongs to channel 0";
    breach(
        "heartbeat with a channel or a payload",
        Stage::Working,
        heartbeats.map(|octets| Breach { octets, code: ReplyCode::FRAME_ERROR, names }),
    );
}

// ---------------------------------------------------------------------- frames that never end

/// Nobody waits for the payload: the first seven octets are enough.
#[test]
fn a_frame_of_2_gib_is_announced_and_drip_fed() {
    for (kind, what) in [(METHOD, "method"), (HEADER, "header"), (BODY, "body")] {
        for victim in VICTIMS {
            attack(format!("2 GiB of {what} announced and drip-fed"), victim, async {
                let mut told = String::new();
                let fate = victim.duel(async |mut peer| {
                    peer.behave(Stage::Working).await?;
                    for octet in announced(kind, 1, 0x8000_0000) {
                        peer.send_bytes([octet]).await?;
                        tokio::task::yield_now().await;
                    }
                    // It goes on as if nothing had happened, for as long as it is listened to.
                    for _ in 0..100 {
                        peer.send_bytes([0]).await?;
                        tokio::task::yield_now().await;
                    }
                    told = peer.expect_close(ReplyCode::FRAME_ERROR).await?;
                    Ok(())
                });
                let error = fate.await.unwrap_err();
                assert_breach(&error, ReplyCode::FRAME_ERROR, &told);
                assert!(told.contains("a payload of 2147483648 octets is announced"), "{told}");
                Outcome::told(ReplyCode::FRAME_ERROR, told)
            });
        }
    }
}

/// A frame that is allowed, in as many reads as it has octets: each of them is cheap.
#[test]
fn a_frame_octet_by_octet() {
    for victim in VICTIMS {
        attack_within(SECOND, "16 kB of body, octet by octet", victim, async {
            let fate = victim.duel(async |mut peer| {
                peer.behave(Stage::Working).await?;
                // Of a message that is not for the victim, or wants no reply.
                let tag = peer.tag();
                let deliver = basic::Deliver { consumer_tag: tag, ..Default::default() };
                peer.send(1, deliver).await?;
                peer.send_frame(header(1, 0x4000)).await?;
                for octet in raw(BODY, 1, &[0; 0x4000]) {
                    peer.send_bytes([octet]).await?;
                    tokio::task::yield_now().await;
                }
                if victim == Victim::Server {
                    peer.expect::<basic::Ack>(1).await?;
                }
                peer.expect_service().await
            });
            assert_eq!(fate.await, Ok(()));
            Outcome::served()
        });
    }
}

/// What is large makes room in the read buffer, which is then full of what is small. However much is
/// read at once, what is made of it is bounded.
#[test]
fn a_megabyte_of_the_smallest_frames_in_one_read() {
    const LARGE: usize = 1_040_000;
    for victim in VICTIMS {
        attack("a megabyte of the smallest frames in one read", victim, async {
            let mut told = String::new();
            let fate = victim.duel_with_room(4 << 20, Duration::from_secs(30), async |mut peer| {
                peer.behave(Stage::Working).await?;
                let deliver = basic::Deliver { consumer_tag: peer.tag(), ..Default::default() };
                peer.send(1, deliver).await?;
                let large = raw(HEADER, 1, &header_with_fields(0, LARGE, &nothing(LARGE)));
                // Almost all of it, so that there is more room than for the rest.
                let (most, rest) = large.split_at(LARGE);
                peer.send_bytes(most).await?;
                for _ in 0..100 {
                    tokio::task::yield_now().await;
                }
                let qos_ok = method(1, basic::QosOk {});
                let many = qos_ok.repeat((1 << 20) / qos_ok.len());
                peer.send_bytes([rest, &many].concat()).await?;
                told = peer.expect_close(ReplyCode::COMMAND_INVALID).await?;
                Ok(())
            });
            assert_breach(&fate.await.unwrap_err(), ReplyCode::COMMAND_INVALID, &told);
            assert_eq!(told, "basic.qos-ok that nobody asked for");
            Outcome::told(ReplyCode::COMMAND_INVALID, told)
        });
    }
}

/// Fields of so many octets that say nothing.
fn nothing(octets: usize) -> Vec<u8> {
    let mut fields = b"\x01nS".to_vec();
    let length = octets - fields.len() - 4;
    fields.extend_from_slice(&u32::try_from(length).unwrap().to_be_bytes());
    fields.resize(octets, b'.');
    fields
}

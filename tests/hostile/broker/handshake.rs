//! From the protocol header to the virtual host, in all the wrong ways.

use std::time::Duration;

use leveret::broker::Broker;
use leveret_codec::{FieldTable, LongStr, Secret, ShortStr, channel, connection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Verdict, answer_to, expect, login, open_channel, tcp};
use crate::arena::{Outcome, attack, attack_in_virtual_time, call_through, within};
use crate::octets::{METHOD, Nested, announced, method, nested, payload, raw};
use crate::support::wire::{Handshake, read_to_end};

/// What a client answers to the limits that it is offered.
type TuneAnswer = fn(connection::Tune) -> connection::TuneOk;

const HEADER: &[u8] = b"AMQP\x00\x00\x09\x01";

#[test]
fn protocol_headers_of_all_kinds() {
    let headers: [&[u8]; 8] = [
        b"GET / HTTP/1.1\r\nHost: broker\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"AMQP\x00\x01\x00\x00",
        b"AMQP\x03\x01\x00\x00",
        b"AMQP\xff\xff\xff\xff",
        b"SSH-2.0-",
        &[0; 8],
        &[0xff; 65536],
    ];
    attack("garbage for a protocol header (8 ways)", "broker", async {
        let broker = Broker::start().await.unwrap();
        for header in headers {
            let answer = answer_to(&broker, header).await;
            // The header of what it speaks; the rest may be lost where much is left unread.
            assert!(answer.is_empty() || answer.starts_with(b"AMQP"), "{answer:?}");
            assert!(answer.len() <= 8, "{answer:?}");
        }
        call_through(&broker).await;
        Outcome::said("(its protocol header)")
    });
}

/// Before the login nothing is explained, as with RabbitMQ.
#[test]
fn frames_that_are_none_before_the_login() {
    let start_ok = method(0, connection::StartOk::default());
    let attacks: Vec<(&str, Vec<u8>)> = vec![
        ("2 GiB announced", announced(METHOD, 0, 0x8000_0000)),
        ("a frame beyond the first limit", announced(METHOD, 0, 0x1_0000)),
        ("wrong frame-end", [&start_ok[..start_ok.len() - 1], &[0]].concat()),
        ("unknown frame type", raw(9, 0, b"")),
        ("unknown method", raw(METHOD, 0, b"\xff\xff\xff\xff")),
        ("tune-ok instead of start-ok", method(0, connection::TuneOk::default())),
        ("a method on channel 1", method(1, channel::Open {})),
        ("start-ok without a mechanism", start_ok),
    ];
    for (name, octets) in attacks {
        attack(format!("{name}, before the login"), "broker", async {
            let broker = Broker::start().await.unwrap();
            let answer = answer_to(&broker, &[HEADER, &octets].concat()).await;
            assert!(answer.starts_with(b"\x01\x00\x00"), "connection.start");
            call_through(&broker).await;
            Outcome::said("(hangs up)")
        });
    }
}

/// As many as fit before there is a login, which is few.
#[test]
fn nested_tables_in_start_ok() {
    attack("1,000 nested tables in start-ok", "broker", async {
        let broker = Broker::start().await.unwrap();
        let fields = nested(1000, Nested::Tables);
        let mut payload = b"\x00\x0a\x00\x0b".to_vec();
        payload.extend_from_slice(&u32::try_from(fields.len()).unwrap().to_be_bytes());
        payload.extend_from_slice(&fields);
        payload.extend_from_slice(b"\x05PLAIN\x00\x00\x00\x0c\0guest\0guest\x05en_US");
        let answer = answer_to(&broker, &[HEADER, &raw(METHOD, 0, &payload)].concat()).await;
        assert!(answer.starts_with(b"\x01\x00\x00"), "connection.start");
        call_through(&broker).await;
        Outcome::said("(hangs up)")
    });
}

#[test]
fn a_start_ok_truncated_at_every_length() {
    let start_ok = connection::StartOk {
        client_properties: FieldTable::new(),
        mechanism: ShortStr::from_static("PLAIN"),
        response: Secret(LongStr::from_static("\0guest\0guest")),
        locale: ShortStr::from_static("en_US"),
    };
    let fields = payload(&start_ok.into());
    let name = format!("start-ok truncated at every length ({} ways)", fields.len());
    attack(name, "broker", async {
        let broker = Broker::start().await.unwrap();
        for length in 0..fields.len() {
            let octets = [HEADER, &raw(METHOD, 0, &fields[..length])].concat();
            let mut stream = tcp(&broker).await;
            stream.write_all(&octets).await.unwrap();
            // Who agrees with whatever it is told.
            stream.write_all(&method(0, connection::CloseOk {})).await.unwrap();
            let answer = read_to_end(stream).await;
            assert!(answer.starts_with(b"\x01\x00\x00"), "connection.start");
            assert!(answer.len() < 2000, "{}", answer.len());
        }
        call_through(&broker).await;
        Outcome::said("(close, and hangs up)")
    });
}

#[test]
fn limits_that_are_none() {
    let limits: [(&str, TuneAnswer); 6] = [
        ("frame-max 0", |offer| tune_ok(offer, |it| it.frame_max = 0)),
        ("frame-max 1", |offer| tune_ok(offer, |it| it.frame_max = 1)),
        ("frame-max 4095", |offer| tune_ok(offer, |it| it.frame_max = 4095)),
        ("frame-max 2^32-1", |offer| tune_ok(offer, |it| it.frame_max = u32::MAX)),
        ("channel-max 0", |offer| tune_ok(offer, |it| it.channel_max = 0)),
        ("channel-max 65535", |offer| tune_ok(offer, |it| it.channel_max = 65535)),
    ];
    for (name, tune) in limits {
        attack(name, "broker", async {
            let broker = Broker::start().await.unwrap();
            let handshake = Handshake { tune, ..login() };
            let wire = handshake.until_tune_ok(tcp(&broker).await).await;
            let outcome = expect(wire, Verdict::Silence).await;
            call_through(&broker).await;
            outcome
        });
    }
}

#[test]
fn heartbeats_of_all_kinds() {
    let heartbeats: [(&str, TuneAnswer); 3] = [
        ("heartbeat 0", |offer| tune_ok(offer, |it| it.heartbeat = 0)),
        ("heartbeat 1", |offer| tune_ok(offer, |it| it.heartbeat = 1)),
        ("heartbeat 65535", |offer| tune_ok(offer, |it| it.heartbeat = 65535)),
    ];
    for (name, tune) in heartbeats {
        attack(name, "broker", async {
            let broker = Broker::start().await.unwrap();
            let handshake = Handshake { tune, ..login() };
            let mut wire = handshake.open(tcp(&broker).await).await;
            wire.open_channel(1).await;
            if name == "heartbeat 1" {
                // It has asked for signs of life, gives none, and is taken for dead.
                wire.expect_end().await;
            } else {
                wire.close().await;
            }
            call_through(&broker).await;
            Outcome::served()
        });
    }
}

fn tune_ok(
    offer: connection::Tune,
    change: impl FnOnce(&mut connection::TuneOk),
) -> connection::TuneOk {
    let connection::Tune { channel_max, frame_max, heartbeat } = offer;
    let mut answer = connection::TuneOk { channel_max, frame_max, heartbeat };
    change(&mut answer);
    answer
}

// ---------------------------------------------------------------------- time

/// The broker gives a client ten seconds to log in, whatever it sends meanwhile.
#[test]
fn a_handshake_of_one_octet_a_second() {
    attack_in_virtual_time("one octet a second through the handshake", "broker", async {
        let broker = Broker::start().await.unwrap();
        let mut stream = broker.connect();
        let octets = [HEADER, &method(0, connection::StartOk::default())].concat();
        let drip = async {
            for octet in octets {
                if stream.write_all(&[octet]).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            panic!("the broker waits for ever");
        };
        within(Duration::from_secs(12), drip).await;
        Outcome::said("(hangs up)")
    });
}

#[test]
fn heartbeats_without_end_in_the_handshake() {
    attack_in_virtual_time("a heartbeat a second in the handshake", "broker", async {
        let broker = Broker::start().await.unwrap();
        let mut stream = broker.connect();
        let drip = async {
            stream.write_all(HEADER).await.unwrap();
            while stream.write_all(&[8, 0, 0, 0, 0, 0, 0, 0xce]).await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        within(Duration::from_secs(12), drip).await;
        Outcome::said("(hangs up)")
    });
}

#[test]
fn a_client_that_says_nothing() {
    attack_in_virtual_time("silence", "broker", async {
        let broker = Broker::start().await.unwrap();
        let mut stream = broker.connect();
        let mut octets = Vec::new();
        let read = stream.read_to_end(&mut octets);
        assert_eq!(within(Duration::from_secs(12), read).await.unwrap(), 0);
        Outcome::said("(hangs up)")
    });
}

#[test]
fn a_half_closed_socket() {
    attack("half-closed socket in the handshake and after", "broker", async {
        let broker = Broker::start().await.unwrap();
        for octets in [&b""[..], b"AMQP", HEADER] {
            let mut stream = tcp(&broker).await;
            stream.write_all(octets).await.unwrap();
            stream.shutdown().await.unwrap();
            read_to_end(stream).await;
        }
        let mut stream = open_channel(&broker).await.into_stream();
        stream.shutdown().await.unwrap();
        assert_eq!(read_to_end(stream).await, b"");
        call_through(&broker).await;
        Outcome::said("(hangs up)")
    });
}

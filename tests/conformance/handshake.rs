//! The protocol header, the login and the virtual host.

use bytes::BytesMut;
use leveret_codec::{Frame, ProtocolHeader, ReplyCode, connection};
use tokio::io::AsyncWriteExt;

use crate::support::broker::Broker;
use crate::support::wire::{CAPABILITIES, Handshake, Wire, read_to_end};

#[tokio::test]
async fn item_01_the_header_of_0_9_1_gets_connection_start() {
    let broker = Broker::shared().await;
    let mut wire = Wire::new(broker.tcp().await);
    wire.send_octets(b"AMQP\x00\x00\x09\x01").await;

    let start: connection::Start = wire.expect(0).await;
    assert_eq!((start.version_major, start.version_minor), (0, 9));
    let mechanisms = start.mechanisms.to_string();
    assert!(mechanisms.split(' ').any(|name| name == "PLAIN"), "{mechanisms}");
    let locales = start.locales.to_string();
    assert!(locales.split(' ').any(|name| name == "en_US"), "{locales}");
}

#[tokio::test]
async fn item_01_any_other_header_gets_the_brokers_own_and_the_end() {
    let broker = Broker::shared().await;
    // From 4.0 on the broker speaks AMQP 1.0 too, and would rather hear that.
    let best = if broker.at_least(4, 0) { [3, 1, 0, 0] } else { [0, 0, 9, 1] };
    for (header, answer) in [
        (b"AMQP\x00\x00\x09\x02", [0, 0, 9, 1]),
        (b"AMQP\x00\x00\x0a\x00", [0, 0, 9, 1]),
        (b"AMQP\x00\x00\x08\x00", best),
        (b"AMQP\x02\x02\x02\x02", best),
        (b"GET / HT", best),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01", best),
    ] {
        let mut stream = broker.tcp().await;
        stream.write_all(header).await.unwrap();
        let octets = read_to_end(stream).await;
        assert_eq!(octets.len(), 8, "after {:?}", header.escape_ascii());
        let answered = ProtocolHeader::decode(&octets);
        assert_eq!(answered, Some(ProtocolHeader { version: answer }), "{}", header.escape_ascii());
    }
}

#[tokio::test]
async fn item_02_the_broker_announces_direct_reply_to() {
    let broker = Broker::shared().await;
    let wire = broker.connect().await;
    for capability in ["direct_reply_to", "consumer_priorities", "per_consumer_qos"] {
        assert!(wire.server_has_capability(capability), "{capability}");
    }
    for capability in CAPABILITIES {
        assert!(wire.server_has_capability(capability), "{capability}");
    }
    assert!(!wire.server_has_capability("telepathy"));
    assert_eq!(wire.server_property("product").as_deref(), Some("RabbitMQ"));
    wire.close().await;
}

#[tokio::test]
async fn item_05_a_wrong_password_is_403_for_who_can_hear_it() {
    let broker = Broker::shared().await;
    let handshake = Handshake { password: "wrong".to_owned(), ..Handshake::new(&broker) };
    let wire = handshake.until_start_ok(broker.tcp().await).await;
    wire.expect_connection_close(
        ReplyCode::ACCESS_REFUSED,
        "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. \
         For details see the broker logfile.",
        (0, 0),
    )
    .await;
}

#[tokio::test]
async fn item_05_a_wrong_password_is_silence_without_the_capability() {
    let broker = Broker::shared().await;
    let handshake =
        Handshake { password: "wrong".to_owned(), capabilities: &[], ..Handshake::new(&broker) };
    handshake.until_start_ok(broker.tcp().await).await.expect_end().await;
}

/// In no words of the broker, and in no log of a client's, there is what it held.
#[tokio::test]
async fn item_05_a_login_that_does_not_decode_is_silence() {
    let broker = &Broker::shared().await;
    let handshake = Handshake::new(broker);
    let mut octets = BytesMut::new();
    Frame::method(0, handshake.start_ok()).encode(&mut octets);
    let payload = &octets[7..octets.len() - 1];
    let longer = [payload, &[0]].concat();
    let body = 3;
    let broken =
        [(1, &payload[..4]), (1, &payload[..payload.len() - 1]), (1, &longer), (body, payload)];
    let broken = broken.map(|(kind, payload)| async move {
        let mut frame = vec![kind, 0, 0];
        frame.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
        frame.extend(payload.iter().chain(&[0xce]));
        let mut wire = Wire::new(broker.tcp().await);
        wire.send_octets(b"AMQP\x00\x00\x09\x01").await;
        let _: connection::Start = wire.expect(0).await;
        wire.send_octets(&frame).await;
        wire.expect_end().await;
    });
    futures_util::future::join_all(broken).await;
}

#[tokio::test]
async fn item_06_an_unknown_virtual_host_is_530() {
    let broker = Broker::shared().await;
    let handshake = Handshake { virtual_host: "nowhere".to_owned(), ..Handshake::new(&broker) };
    let wire = handshake.until_open(broker.tcp().await).await;
    let text = "NOT_ALLOWED - vhost nowhere not found";
    wire.expect_connection_close(ReplyCode::NOT_ALLOWED, text, (10, 40)).await;
}

//! Known answers from the wire: what RabbitMQ and a client that is not Leveret said to each other.
//!
//! `captures/rabbitmq-VERSION/` holds three connections of aiormq 7.2 to RabbitMQ 3.10.8 and 4.3.6,
//! each direction in a file: 1 is the requester, 2 the responder, 3 a client that asks for what
//! RabbitMQ does not implement. Requester and responder speak Direct Reply-to.

mod handshake;
mod recording;

use bytes::{Bytes, BytesMut};
use leveret_codec::{
    BasicProperties, ContentHeader, FieldTable, FieldValue, Frame, Method, ReplyCode, ShortStr,
    basic, channel, connection,
};

use recording::{Recorded, files, frames, read};

const VERSIONS: [&str; 2] = ["3.10", "4.3"];

/// What Leveret writes differs in one place: aiormq puts "0" into the reserved field of
/// channel.open, which the specification wants empty.
#[test]
fn every_capture_decodes_to_its_last_octet_and_encodes_to_the_same_octets() {
    let files: Vec<_> = VERSIONS.iter().flat_map(|version| files(version)).collect();
    assert_eq!(files.len(), 12, "{files:?}");
    for file in files {
        let recorded = read(&file);
        assert!(recorded.len() >= 4, "{} is hardly a conversation", file.display());
        for Recorded { octets, frame } in recorded {
            let mut encoded = BytesMut::new();
            frame.encode(&mut encoded);
            if frame == Frame::method(frame_channel(&octets), channel::Open {}) {
                assert_eq!(octets[7..], *b"\x00\x14\x00\x0a\x010\xce");
                assert_eq!(encoded[7..], *b"\x00\x14\x00\x0a\x00\xce");
            } else {
                assert!(encoded == octets, "{} in {}", octets.escape_ascii(), file.display());
            }
        }
    }
}

/// Every request of a consumer carries the same address, and each reply is published to it.
#[test]
fn the_broker_makes_an_address_of_reply_to() {
    for version in VERSIONS {
        let frames = frames(version, "2-server");
        let addresses: Vec<_> = properties(&frames).filter_map(|found| found.reply_to).collect();
        let [address, second, third] = &addresses[..] else { panic!("{addresses:?}") };
        assert_eq!([second, third], [address, address]);
        assert_eq!(reply_keys(version), [address.clone(), address.clone(), address.clone()]);

        // The base name, the requester's process, and a key for the consumer.
        let address = address.as_str().unwrap();
        let token = address.strip_prefix("amq.rabbitmq.reply-to.").unwrap();
        let (process, key) = token.split_once('.').unwrap();
        assert!(process.starts_with("g1h2AA"), "{address}");
        assert!(key.len() == 24 && key.ends_with("=="), "{address}");
        assert!((79..=91).contains(&address.len()), "{address}");
    }
}

/// Up to 4.1 the delivery-tag of a reply is a number that nobody counts up.
#[test]
fn replies_are_delivered_to_the_requester() {
    for (version, tags) in [("3.10", [1, 1, 1]), ("4.3", [1, 2, 3])] {
        let deliveries: Vec<_> = frames(version, "1-server")
            .into_iter()
            .filter_map(|frame| match frame {
                Frame::Method { channel: 1, method: Method::BasicDeliver(deliver) } => {
                    Some(deliver)
                }
                _ => None,
            })
            .collect();
        let expected =
            reply_keys(version).into_iter().zip(tags).map(|(routing_key, delivery_tag)| {
                basic::Deliver {
                    consumer_tag: ShortStr::from_static("requester"),
                    delivery_tag,
                    redelivered: false,
                    exchange: ShortStr::EMPTY,
                    routing_key,
                }
            });
        assert_eq!(deliveries, expected.collect::<Vec<_>>());
    }
}

#[test]
fn properties_and_headers_reach_the_responder() {
    for version in VERSIONS {
        let sent = properties(&frames(version, "1-client")).next().unwrap();
        let delivered = properties(&frames(version, "2-server")).next().unwrap();

        let expected = BasicProperties {
            content_type: short("text/plain"),
            content_encoding: short("utf-8"),
            headers: sent.headers.clone(),
            delivery_mode: Some(2),
            priority: Some(4),
            correlation_id: short("call-1"),
            reply_to: short("amq.rabbitmq.reply-to"),
            expiration: short("30000"),
            message_id: short("message-1"),
            timestamp: Some(1_704_067_200),
            message_type: short("request"),
            user_id: short("guest"),
            app_id: short("capture"),
            cluster_id: None,
        };
        assert_eq!(sent, expected);
        let reply_to = delivered.reply_to.clone();
        assert_eq!(delivered, BasicProperties { reply_to, ..expected });

        let headers = delivered.headers.unwrap();
        let value = |name| headers.get(name).unwrap();
        assert_eq!(value("bool"), FieldValue::Bool(true));
        assert_eq!(value("short"), FieldValue::I8(-2));
        assert_eq!(value("int"), FieldValue::I32(70_000));
        assert_eq!(value("long"), FieldValue::I64(5_000_000_000));
        assert_eq!(value("double"), FieldValue::F32(1.5));
        assert_eq!(value("decimal"), FieldValue::Decimal { scale: 2, unscaled: 314 });
        assert_eq!(value("text").as_str(), Some("héllo"));
        assert_eq!(value("time"), FieldValue::Timestamp(1_704_067_200));
        assert_eq!(value("nothing"), FieldValue::Void);
        assert_eq!(value("empty"), FieldValue::Table(FieldTable::EMPTY));
        assert!(
            matches!(value("octets"), FieldValue::ByteArray(octets) if octets.as_ref() == [0, 0xff])
        );
        assert_eq!(
            format!("{:?}", value("array")),
            r#"Array([I8(1), LongStr("two"), Array([I8(3)])])"#
        );
        assert_eq!(
            format!("{:?}", value("table")),
            r#"Table({"inner": Table({"deep": Bool(true)})})"#
        );
    }
}

/// A body of no octets is a header alone: the next frame is a method again.
#[test]
fn bodies_of_0_and_of_20000_octets_reach_the_requester() {
    let body: Vec<u8> = (0..20_000u32).map(|at| u8::try_from(at % 251).unwrap()).rev().collect();
    for version in VERSIONS {
        let frames = frames(version, "1-server");
        let content = |size| {
            let is_header = |frame: &&Frame| matches!(frame, Frame::Header { header, .. } if header.body_size == size);
            let mut content = frames.iter().skip_while(move |frame| !is_header(frame)).skip(1);
            content.next().unwrap()
        };
        let payload = Bytes::from(body.clone());
        assert_eq!(*content(20_000), Frame::Body { channel: 1, payload });
        assert!(matches!(content(0), Frame::Method { method: Method::BasicAck(_), .. }));
    }
}

/// The return comes before the confirmation, with the body, and with the rewritten address.
#[test]
fn an_unroutable_request_is_returned_and_then_confirmed() {
    for version in VERSIONS {
        let frames = frames(version, "1-server");
        let expected = Method::from(basic::Return {
            reply_code: ReplyCode::NO_ROUTE,
            reply_text: ShortStr::from_static("NO_ROUTE"),
            exchange: ShortStr::EMPTY,
            routing_key: ShortStr::from_static("capture.missing"),
        });
        let is_return =
            |frame: &Frame| matches!(frame, Frame::Method { method, .. } if *method == expected);
        let at = frames.iter().position(is_return).unwrap();

        let Frame::Header { channel: 1, header: ContentHeader { body_size: 11, properties } } =
            &frames[at + 1]
        else {
            panic!("{:?}", frames[at + 1]);
        };
        assert_eq!(properties.correlation_id, short("call-4"));
        assert_eq!(properties.reply_to, Some(reply_keys(version).remove(0)));
        let payload = Bytes::from_static(b"nobody home");
        assert_eq!(frames[at + 2], Frame::Body { channel: 1, payload });
        let ack = basic::Ack { delivery_tag: 4, multiple: false };
        assert_eq!(frames[at + 3], Frame::method(1, ack));
    }
}

#[test]
fn a_missing_queue_closes_the_channel_with_404() {
    let close = channel::Close {
        reply_code: ReplyCode::NOT_FOUND,
        reply_text: ShortStr::from_static("NOT_FOUND - no queue 'capture.missing' in vhost '/'"),
        class_id: 50,
        method_id: 10,
    };
    for version in VERSIONS {
        assert!(frames(version, "2-server").contains(&Frame::method(2, close.clone())));
        assert!(frames(version, "2-client").contains(&Frame::method(2, channel::CloseOk {})));
    }
}

#[test]
fn an_immediate_publish_closes_the_connection_with_540() {
    let close = connection::Close {
        reply_code: ReplyCode::NOT_IMPLEMENTED,
        reply_text: ShortStr::from_static("NOT_IMPLEMENTED - immediate=true"),
        class_id: 60,
        method_id: 40,
    };
    for version in VERSIONS {
        let last = frames(version, "3-server").pop();
        assert_eq!(last, Some(Frame::method(0, close.clone())));
    }
}

#[test]
fn settlement_and_get_look_so() {
    for version in VERSIONS {
        let sent = frames(version, "2-client");
        for method in [
            basic::Ack { delivery_tag: 1, multiple: false }.into(),
            basic::Nack { delivery_tag: 4, multiple: false, requeue: false }.into(),
        ] {
            assert!(sent.contains(&Frame::Method { channel: 1, method }), "{version}");
        }
        let received = frames(version, "2-server");
        let got = |delivery_tag, redelivered| basic::GetOk {
            delivery_tag,
            redelivered,
            exchange: ShortStr::EMPTY,
            routing_key: ShortStr::from_static("capture"),
            message_count: 0,
        };
        for method in [got(1, false).into(), got(2, true).into(), basic::GetEmpty {}.into()] {
            assert!(received.contains(&Frame::Method { channel: 2, method }), "{version}");
        }
    }
}

/// The routing keys of the replies that the responder published.
fn reply_keys(version: &str) -> Vec<ShortStr> {
    let key = |frame| match frame {
        Frame::Method { method: Method::BasicPublish(publish), .. } => Some(publish.routing_key),
        _ => None,
    };
    frames(version, "2-client").into_iter().filter_map(key).collect()
}

fn properties(frames: &[Frame]) -> impl Iterator<Item = BasicProperties> {
    frames.iter().filter_map(|frame| match frame {
        Frame::Header { header, .. } => Some(header.properties.clone()),
        _ => None,
    })
}

fn short(text: &'static str) -> Option<ShortStr> {
    Some(ShortStr::from_static(text))
}

fn frame_channel(octets: &[u8]) -> u16 {
    u16::from_be_bytes([octets[1], octets[2]])
}

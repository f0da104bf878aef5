//! Messages out of order and of the wrong size.

use std::time::Duration;

use leveret::broker::Broker;
use leveret::{BasicProperties, FieldTable, ReplyCode, ShortStr};
use leveret_codec::{Frame, basic, channel};

use super::{Verdict, attack_broker, expect, open_channel};
use crate::arena::{Outcome, attack, attack_within, call_through};
use crate::methods;
use crate::octets::{
    HEADER, Nested, body, frames, header, header_with_fields, method, nested, raw,
};

#[test]
fn content_out_of_order() {
    let method = Verdict::Told(ReplyCode::UNEXPECTED_FRAME, "expected method frame");
    let header_first = Verdict::Told(ReplyCode::UNEXPECTED_FRAME, "expected content header");
    let body_first = Verdict::Told(ReplyCode::UNEXPECTED_FRAME, "expected content body");
    let close = Frame::method(1, channel::Close::default());
    attack_broker(
        "header without method, body without header",
        [
            (frames([header(1, 5)]), method),
            (frames([body(1, b"hello")]), method),
            (frames([publish(), body(1, b"hello")]), header_first),
            (frames([publish(), header(1, 5), header(1, 5)]), body_first),
        ],
    );
    attack_broker(
        "method inside content",
        [
            (frames([publish(), qos()]), header_first),
            (frames([publish(), publish()]), header_first),
            (frames([publish(), header(1, 5), qos()]), body_first),
            (frames([publish(), header(1, 5), body(1, b"hell"), close]), body_first),
        ],
    );
}

#[test]
fn bodies_of_all_the_octets_there_are() {
    let sizes = [u64::MAX, 1 << 63, (512 << 20) + 1];
    attack_broker(
        "body size 2^64-1, 2^63, 512 MiB + 1",
        sizes.map(|size| {
            let verdict = Verdict::Told(ReplyCode::FRAME_ERROR, "exceeds maximum allowed size");
            (frames([publish(), header(1, size)]), verdict)
        }),
    );
}

#[test]
fn bodies_longer_than_announced() {
    let verdict = Verdict::Told(ReplyCode::FRAME_ERROR, "exceeds remaining content size");
    attack_broker(
        "body longer than announced",
        [
            (frames([publish(), header(1, 5), body(1, b"hello!")]), verdict),
            (frames([publish(), header(1, 5), body(1, b"hell"), body(1, b"o!")]), verdict),
        ],
    );
}

#[test]
fn headers_that_are_none() {
    let payloads = [
        header_with_fields(0, 100, b"\x01a"),
        header_with_fields(0, 3, b"\x01a?"),
        vec![0, 60],
        vec![0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
    ];
    let (code, names) = (ReplyCode::INTERNAL_ERROR, "INTERNAL_ERROR");
    attack_broker(
        "cut off and unknown headers",
        payloads.map(|payload| {
            let octets = [frames([publish()]), raw(HEADER, 1, &payload)].concat();
            (octets, Verdict::Told(code, names))
        }),
    );
}

/// RabbitMQ takes tables of any depth.
#[test]
fn headers_without_a_bottom() {
    attack("10,000 nested tables in headers", "broker", async {
        let broker = Broker::start().await.unwrap();
        let mut wire = open_channel(&broker).await;
        for within in [Nested::Tables, Nested::Arrays] {
            let deep = nested(10_000, within);
            let header = raw(HEADER, 1, &header_with_fields(0, deep.len(), &deep));
            let publish = Frame::method(1, basic::Publish::default());
            wire.send_octets(&[frames([publish]), header].concat()).await;
            wire.expect_silence(1).await;
        }
        call_through(&broker).await;
        Outcome::served()
    });
}

/// RabbitMQ's channel dies over them.
#[test]
fn a_content_header_truncated_at_every_length() {
    let payload = methods::content_header();
    attack_broker(
        "a header of all properties, truncated at every length",
        (0..payload.len()).map(|length| {
            let octets = [frames([publish()]), raw(HEADER, 1, &payload[..length])].concat();
            (octets, Verdict::Told(ReplyCode::INTERNAL_ERROR, "INTERNAL_ERROR"))
        }),
    );
}

#[test]
fn empty_bodies_without_end() {
    attack_within(Duration::from_secs(4), "100,000 empty bodies", "broker", async {
        let broker = Broker::start().await.unwrap();
        let mut wire = open_channel(&broker).await;
        wire.send_together([publish(), header(1, 5)]).await;
        let empty = frames((0..1000).map(|_| body(1, b"")));
        for _ in 0..100 {
            wire.send_octets(&empty).await;
        }
        wire.send_frame(body(1, b"hello")).await;
        let (_, content) = wire.expect_content::<basic::Return>(1).await;
        assert_eq!(content.body, b"hello");
        wire.close().await;
        call_through(&broker).await;
        Outcome::served()
    });
}

#[test]
fn a_publish_with_64_kb_of_headers() {
    attack("publish with 64 kB of headers", "broker", async {
        let broker = Broker::start().await.unwrap();
        let mut wire = open_channel(&broker).await;
        let mut headers = FieldTable::new();
        headers.insert("x-large", "h".repeat(64 << 10)).unwrap();
        let properties = BasicProperties { headers: Some(headers), ..Default::default() };
        let mandatory = basic::Publish { mandatory: true, ..Default::default() };
        wire.send_content(1, mandatory, properties.clone(), b"hello").await;
        let (_, content) = wire.expect_content::<basic::Return>(1).await;
        assert_eq!(content.properties, properties);
        wire.close().await;
        call_through(&broker).await;
        Outcome::served()
    });
}

#[test]
fn properties_without_a_character_of_text() {
    attack("no UTF-8 in routing keys and properties", "broker", async {
        let broker = Broker::start().await.unwrap();
        let mut wire = open_channel(&broker).await;
        let octets = ShortStr::new(vec![0xff; 255]).unwrap();
        let properties = BasicProperties {
            content_type: Some(octets.clone()),
            correlation_id: Some(octets.clone()),
            reply_to: Some(octets.clone()),
            message_id: Some(octets.clone()),
            app_id: Some(octets.clone()),
            ..Default::default()
        };
        let publish =
            basic::Publish { routing_key: octets.clone(), mandatory: true, ..Default::default() };
        wire.send_content(1, publish, properties.clone(), b"").await;
        let (returned, content) = wire.expect_content::<basic::Return>(1).await;
        assert_eq!((returned.routing_key, content.properties), (octets, properties));
        wire.close().await;
        call_through(&broker).await;
        Outcome::served()
    });
}

/// Confirms, acknowledgements and cancels of what there never was.
#[test]
fn settling_what_was_never_delivered() {
    let unknown = "unknown delivery tag";
    let acks = [1, 2, u64::MAX].map(|delivery_tag| basic::Ack { delivery_tag, multiple: false });
    for ack in acks {
        let tag = ack.delivery_tag;
        attack(format!("ack of delivery {tag}, which never was"), "broker", async {
            let broker = Broker::start().await.unwrap();
            let mut wire = open_channel(&broker).await;
            wire.send_octets(&method(1, ack.clone())).await;
            let close: channel::Close = wire.expect(1).await;
            assert_eq!(close.reply_code, ReplyCode::PRECONDITION_FAILED);
            let text = close.reply_text.to_string();
            assert!(text.contains(unknown), "{text}");
            wire.send(1, channel::CloseOk {}).await;
            wire.close().await;
            call_through(&broker).await;
            Outcome::told(close.reply_code, text)
        });
    }
}

/// Nothing is left of a message that its client never ends.
#[test]
fn a_message_that_never_ends() {
    attack("512 MiB of body announced, 1 MiB sent", "broker", async {
        let broker = Broker::start().await.unwrap();
        let mut wire = open_channel(&broker).await;
        wire.send_together([publish(), header(1, 512 << 20)]).await;
        for _ in 0..256 {
            wire.send_frame(body(1, &[0; 4096])).await;
        }
        call_through(&broker).await;
        wire.send(1, basic::Qos::default()).await;
        let verdict = Verdict::Told(ReplyCode::UNEXPECTED_FRAME, "expected content body");
        expect(wire, verdict).await
    });
}

fn publish() -> Frame {
    Frame::method(1, basic::Publish { mandatory: true, ..Default::default() })
}

fn qos() -> Frame {
    Frame::method(1, basic::Qos::default())
}

//! Arguments of all kinds, and names that are no text.

use bytes::BufMut;
use leveret::broker::Broker;
use leveret::{ReplyCode, ShortStr};
use leveret_codec::{Method, basic, queue};

use super::{Verdict, attack_broker, expect, open_channel};
use crate::arena::{attack, call_through};
use crate::octets::{METHOD, Nested, method, nested, raw};

/// In a frame as large as it takes. RabbitMQ has no limit here; this broker's is that of the codec.
#[test]
fn a_hundred_thousand_nested_tables() {
    for (name, within) in [("tables", Nested::Tables), ("arrays", Nested::Arrays)] {
        attack(format!("100,000 nested {name} in queue.declare"), "broker", async {
            let broker = Broker::builder().tune(2047, 1 << 20, 60).start().await.unwrap();
            let mut wire = open_channel(&broker).await;
            wire.send_octets(&declare_with(&nested(100_000, within))).await;
            let outcome = expect(wire, Verdict::Silence).await;
            call_through(&broker).await;
            outcome
        });
    }
}

#[test]
fn tables_that_do_not_end_where_they_say() {
    let field = b"\x05fieldS\x00\x00\x00\x05value";
    let wrong = [field.len() - 1, field.len() - 7, field.len() + 1, 0x7fff_ffff];
    attack_broker(
        "table length shorter and longer than its content",
        wrong.map(|length| {
            let octets = declare_with_length(length, field);
            (octets, Verdict::Told(ReplyCode::FRAME_ERROR, "cannot decode "))
        }),
    );
}

#[test]
fn unknown_and_reserved_tags() {
    let known = b"tbBsuUIilLfdDSxATFV";
    let unknown = (0..=u8::MAX).filter(|tag| !known.contains(tag));
    attack_broker(
        "unknown tags in queue.declare",
        unknown
            .map(|tag| (declare_with(&[1, b'f', tag, 0, 0, 0, 0, 0, 0, 0, 0]), Verdict::Silence)),
    );
}

#[test]
fn names_that_are_no_utf_8() {
    let name = ShortStr::new(vec![0xff; 255]).unwrap();
    let methods: [Method; 4] = [
        queue::Declare { queue: name.clone(), ..Default::default() }.into(),
        basic::Consume { queue: name.clone(), ..Default::default() }.into(),
        basic::Cancel { consumer_tag: name.clone(), nowait: false }.into(),
        basic::Get { queue: name, no_ack: true }.into(),
    ];
    attack_broker(
        "names that are no UTF-8",
        methods.map(|it| {
            (method(1, it), Verdict::Told(ReplyCode::FRAME_ERROR, "Malformed UTF-8 in shortstr"))
        }),
    );
}

fn declare_with(fields: &[u8]) -> Vec<u8> {
    declare_with_length(fields.len(), fields)
}

fn declare_with_length(length: usize, fields: &[u8]) -> Vec<u8> {
    let mut payload = b"\x00\x32\x00\x0a\x00\x00\x01q\x00".to_vec();
    payload.put_u32(u32::try_from(length).unwrap());
    payload.extend_from_slice(fields);
    raw(METHOD, 1, &payload)
}

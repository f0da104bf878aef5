//! Field tables on their way through the broker.

use bytes::{Bytes, BytesMut};
use leveret_codec::{
    BasicProperties, ContentHeader, FieldArray, FieldTable, FieldValue, LongStr, Method, RawFrame,
    ReplyCode, ShortStr, basic, channel,
};
use tokio::io::AsyncReadExt;

use super::roles::{Pair, consume_without_ack, declare, request_properties};
use crate::support::broker::Broker;
use crate::support::wire::{Wire, nested, patiently};

#[tokio::test]
async fn item_12_every_type_of_value_passes_through_and_from_4_0_on_in_the_order_of_names() {
    let broker = Broker::shared().await;
    let values = [
        ("bool", FieldValue::Bool(true)),
        ("i8", FieldValue::I8(-1)),
        ("u8", FieldValue::U8(0xff)),
        ("i16", FieldValue::I16(-2)),
        ("u16", FieldValue::U16(0xfffe)),
        ("i32", FieldValue::I32(-3)),
        ("u32", FieldValue::U32(0xffff_fffd)),
        ("i64", FieldValue::I64(-4)),
        ("f32", FieldValue::F32(1.5)),
        ("f64", FieldValue::F64(-2.25)),
        ("decimal", FieldValue::Decimal { scale: 2, unscaled: 314 }),
        ("text", FieldValue::LongStr(LongStr::from_static("héllo"))),
        ("octets", FieldValue::ByteArray(LongStr::new(vec![0, 0xff]).unwrap())),
        ("array", FieldValue::Array(array([FieldValue::Void, FieldValue::I64(1)]))),
        ("timestamp", FieldValue::Timestamp(1_704_067_200)),
        ("table", FieldValue::Table(table([("inner", FieldValue::U8(1))]))),
        ("void", FieldValue::Void),
    ];
    let mut expected = values.clone();
    if broker.at_least(4, 0) {
        expected.sort_by_key(|(name, _)| *name);
    }
    assert_eq!(through(&broker, table(values)).await, table(expected));
}

/// A negative decimal is none to RabbitMQ, but it passes the octets on.
#[tokio::test]
async fn item_12_the_sign_of_a_decimal_survives() {
    let broker = Broker::shared().await;
    let headers = table([("decimal", FieldValue::Decimal { scale: 1, unscaled: -5 })]);
    assert_eq!(through(&broker, headers.clone()).await, headers);
}

#[tokio::test]
async fn item_12_tables_and_arrays_nest_as_deep_as_leveret_allows() {
    let broker = Broker::shared().await;
    let mut value = FieldValue::U8(1);
    for level in 1..FieldTable::MAX_DEPTH {
        value = match level % 2 {
            0 => FieldValue::Table(table([("in", value)])),
            _ => FieldValue::Array(array([value])),
        };
    }
    let headers = table([("deep", value)]);
    assert_eq!(through(&broker, headers.clone()).await, headers);
}

/// The broker sets no limit. Leveret's does not read such tables, and passes them on.
#[tokio::test]
async fn item_12_tables_nest_without_end() {
    let broker = Broker::shared().await;
    for depth in [33, 34, 1000, 15_000] {
        let mut wire = broker.channel().await;
        let queue = declare(&mut wire, 1, "deep").await;
        let properties = BasicProperties { priority: Some(1), ..BasicProperties::default() };
        let headers = nested(depth);
        wire.publish_with_headers(1, &queue, properties.clone(), &headers, b"body").await;
        let get = basic::Get { queue, no_ack: true };
        wire.send(1, get).await;
        wire.send(1, channel::Close::default()).await;

        // No frame that the codec reads: its octets have to do.
        let mut stream = wire.into_stream();
        let mut octets = BytesMut::new();
        while !octets.ends_with(b"\x00\x14\x00\x29\xce") {
            patiently("the answers", stream.read_buf(&mut octets)).await.unwrap();
        }
        let get_ok = RawFrame::decode(&mut octets, |_| u32::MAX).unwrap().unwrap();
        assert!(matches!(Method::decode(&get_ok.payload), Ok(Method::BasicGetOk(_))));
        let header = RawFrame::decode(&mut octets, |_| u32::MAX).unwrap().unwrap();
        assert!(ContentHeader::decode(&header.payload).is_err());
        let expected = ContentHeader { body_size: 4, properties };
        let decoded = ContentHeader::decode_without_headers(&header.payload).unwrap();
        assert_eq!(decoded, (expected, Bytes::from(headers)), "{depth} deep");
    }
}

/// The specification's `L` is RabbitMQ's `l`. Where the broker writes the headers anew, and 3.10 does
/// so only to messages with a reply-to of its own, one becomes the other.
#[tokio::test]
async fn item_12_the_two_octets_of_a_64_bit_integer_are_one_type() {
    let broker = Broker::shared().await;
    let sent = decoded(b"\x06number\x4c\xff\xff\xff\xff\xff\xff\xff\xfe");
    let anew = table([("number", FieldValue::I64(-2))]);
    assert_ne!(sent, anew, "the octet of the type differs");

    let received = through(&broker, sent.clone()).await;
    assert_eq!(received.get("number"), Some(FieldValue::I64(-2)));
    assert_eq!(received, if broker.at_least(4, 0) { anew.clone() } else { sent.clone() });

    let mut pair = Pair::new(&broker).await;
    let properties = BasicProperties { headers: Some(sent), ..request_properties("1") };
    pair.requester.publish(1, &pair.queue, properties, b"").await;
    let (_, request) = pair.responder.expect_delivery(1).await;
    assert_eq!(request.properties.headers, Some(anew));
}

/// Message headers are read by the channel: a type that it does not know is the end of it, and
/// with it of the connection. `U` is in the specification, but not in RabbitMQ.
#[tokio::test]
async fn item_12_an_unknown_type_in_headers_is_541() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let properties =
        BasicProperties { headers: Some(decoded(b"\x01aU\x00\x01")), ..Default::default() };
    wire.publish(1, &ShortStr::from_static("nowhere"), properties, b"").await;
    wire.expect_connection_close(ReplyCode::INTERNAL_ERROR, "INTERNAL_ERROR", (0, 0)).await;
}

/// Erlang has no such floats, and its pattern for a float does not match them.
#[tokio::test]
async fn item_12_a_float_that_is_no_number_in_headers_is_541() {
    let broker = Broker::shared().await;
    let floats = [
        FieldValue::F64(f64::NAN),
        FieldValue::F64(f64::NEG_INFINITY),
        FieldValue::F32(f32::NAN),
        FieldValue::F32(f32::INFINITY),
        FieldValue::Array(array([FieldValue::F64(f64::NAN)])),
        FieldValue::Table(table([("in", FieldValue::F64(f64::INFINITY))])),
    ];
    for float in floats {
        let mut wire = broker.channel().await;
        let headers = Some(table([("float", float)]));
        let properties = BasicProperties { headers, ..Default::default() };
        wire.publish(1, &ShortStr::from_static("nowhere"), properties, b"").await;
        wire.expect_connection_close(ReplyCode::INTERNAL_ERROR, "INTERNAL_ERROR", (0, 0)).await;
    }
}

/// Arguments are read by the connection itself, which has no words for it.
#[tokio::test]
async fn item_12_an_unknown_type_in_arguments_ends_the_connection_without_a_word() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let arguments = decoded(b"\x01aU\x00\x01");
    wire.send(1, basic::Consume { arguments, ..Default::default() }).await;
    wire.expect_end().await;
}

/// Sends a message with these headers; gives those that arrive.
async fn through(broker: &Broker, headers: FieldTable) -> FieldTable {
    let mut wire: Wire = broker.channel().await;
    let queue = declare(&mut wire, 1, "tables").await;
    consume_without_ack(&mut wire, 1, &queue).await;
    let properties = BasicProperties { headers: Some(headers), ..Default::default() };
    wire.publish(1, &queue, properties, b"").await;
    let (_, content) = wire.expect_delivery(1).await;
    wire.close().await;
    content.properties.headers.expect("headers arrive")
}

/// A table of the octets given: one that Leveret would not write itself.
fn decoded(fields: &[u8]) -> FieldTable {
    let length = u32::try_from(fields.len()).unwrap().to_be_bytes();
    let payload =
        [b"\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x20\x00", &length[..], fields];
    ContentHeader::decode(&payload.concat().into()).unwrap().properties.headers.unwrap()
}

fn table<const N: usize>(fields: [(&'static str, FieldValue); N]) -> FieldTable {
    let mut table = FieldTable::new();
    for (name, value) in fields {
        table.insert(name, value).unwrap();
    }
    table
}

fn array<const N: usize>(values: [FieldValue; N]) -> FieldArray {
    let mut array = FieldArray::new();
    for value in values {
        array.push(value).unwrap();
    }
    array
}

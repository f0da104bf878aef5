//! Content headers and the 14 properties of a message.

#[path = "octets/mod.rs"]
mod octets;

use bytes::{Bytes, BytesMut};
use leveret_codec::{
    BasicProperties, ContentHeader, DecodeError, FieldTable, Problem, ReplyCode, ShortStr,
};
use octets::octets;

/// Each property's mask, its value on the wire, and the properties with it alone.
fn known_answers() -> [(u16, &'static str, BasicProperties); 14] {
    let none = BasicProperties::default;
    [
        (0x8000, "0a'text/plain'", BasicProperties { content_type: short("text/plain"), ..none() }),
        (0x4000, "04'gzip'", BasicProperties { content_encoding: short("gzip"), ..none() }),
        (0x2000, "00000007 01'a' 'I' 00000001", BasicProperties { headers: headers(), ..none() }),
        (0x1000, "02", BasicProperties { delivery_mode: Some(2), ..none() }),
        (0x0800, "09", BasicProperties { priority: Some(9), ..none() }),
        (0x0400, "02 ff00", BasicProperties { correlation_id: Some(not_utf_8()), ..none() }),
        (
            0x0200,
            "15'amq.rabbitmq.reply-to'",
            BasicProperties { reply_to: short("amq.rabbitmq.reply-to"), ..none() },
        ),
        (0x0100, "05'30000'", BasicProperties { expiration: short("30000"), ..none() }),
        (0x0080, "02'm1'", BasicProperties { message_id: short("m1"), ..none() }),
        (
            0x0040,
            "0102030405060708",
            BasicProperties { timestamp: Some(0x0102_0304_0506_0708), ..none() },
        ),
        (0x0020, "04'kind'", BasicProperties { message_type: short("kind"), ..none() }),
        (0x0010, "05'guest'", BasicProperties { user_id: short("guest"), ..none() }),
        (0x0008, "07'leveret'", BasicProperties { app_id: short("leveret"), ..none() }),
        (0x0004, "00", BasicProperties { cluster_id: Some(ShortStr::EMPTY), ..none() }),
    ]
}

/// All of [`known_answers`] in one message: the values in the order of the flags.
fn all() -> (Vec<u8>, BasicProperties) {
    let values: Vec<_> = known_answers().iter().map(|(_, value, _)| *value).collect();
    let properties = BasicProperties {
        content_type: short("text/plain"),
        content_encoding: short("gzip"),
        headers: headers(),
        delivery_mode: Some(2),
        priority: Some(9),
        correlation_id: Some(not_utf_8()),
        reply_to: short("amq.rabbitmq.reply-to"),
        expiration: short("30000"),
        message_id: short("m1"),
        timestamp: Some(0x0102_0304_0506_0708),
        message_type: short("kind"),
        user_id: short("guest"),
        app_id: short("leveret"),
        cluster_id: Some(ShortStr::EMPTY),
    };
    (payload(7, 0xfffc, &values.join("|")), properties)
}

#[test]
fn each_property_alone_has_its_known_octets() {
    for (mask, value, properties) in known_answers() {
        let payload = payload(0, mask, value);
        let header = ContentHeader { body_size: 0, properties };
        assert_eq!(encode(&header), payload, "{mask:04x}");
        assert_eq!(decode(payload), Ok(header), "{mask:04x}");
    }
}

#[test]
fn all_properties_together_follow_the_order_of_their_flags() {
    let (payload, properties) = all();
    let header = ContentHeader { body_size: 7, properties };
    assert_eq!(encode(&header), payload);
    assert_eq!(decode(payload), Ok(header));
}

#[test]
fn no_properties_are_an_empty_word_of_flags() {
    let header = ContentHeader { body_size: u64::MAX, properties: BasicProperties::default() };
    assert_eq!(encode(&header), octets("003c 0000 | ffffffffffffffff | 0000"));
    assert_eq!(decode(encode(&header)), Ok(header));
}

#[test]
fn every_truncation_is_an_error() {
    let (whole, _) = all();
    for length in 0..whole.len() {
        let error = decode(whole[..length].to_vec()).unwrap_err();
        assert!(matches!(error.problem(), Problem::Truncated { .. }), "{length} octets: {error}");
        assert_eq!(error.subject(), "content header");
        assert_eq!(error.reply_code(), ReplyCode::FRAME_ERROR);
    }
}

#[test]
fn one_octet_too_many_is_an_error() {
    for (mut payload, surplus) in [(all().0, 1), (payload(0, 0, ""), 3)] {
        payload.resize(payload.len() + surplus, 0);
        let error = decode(payload).unwrap_err();
        assert_eq!(error.problem(), &Problem::Surplus { surplus });
    }
}

/// Bit 0 would announce more flags and bit 1 nothing; RabbitMQ ignores both.
#[test]
fn the_two_lowest_flags_are_ignored() {
    for flags in [0x1001, 0x1002, 0x1003] {
        let header = decode(payload(0, flags, "01")).unwrap();
        assert_eq!(
            header.properties,
            BasicProperties { delivery_mode: Some(1), ..Default::default() }
        );
        assert_eq!(encode(&header), payload(0, 0x1000, "01"));
    }
}

#[test]
fn the_weight_is_ignored() {
    assert_eq!(decode(octets("003c ffff | 0000000000000000 | 0000")), Ok(ContentHeader::default()));
}

#[test]
fn a_header_of_a_class_without_content_is_answered_with_505() {
    let error = decode(octets("0032 0000 | 0000000000000000 | 0000")).unwrap_err();
    assert_eq!(error.problem(), &Problem::NoContent { class: 50 });
    assert_eq!(error.reply_code(), ReplyCode::UNEXPECTED_FRAME);
    assert_eq!(error.to_string(), "content header, octet 2: class 50 carries no content");
}

fn payload(body_size: u64, flags: u16, values: &str) -> Vec<u8> {
    octets(&format!("003c 0000 | {body_size:016x} | {flags:04x} | {values}"))
}

fn short(text: &'static str) -> Option<ShortStr> {
    Some(ShortStr::from_static(text))
}

/// Whatever the headers are, and wherever they lie.
#[test]
fn headers_that_cannot_be_read_leave_the_rest() {
    let most = BasicProperties { headers: None, ..all().1 };
    let few = BasicProperties { priority: Some(7), ..BasicProperties::default() };
    for properties in [most, few, BasicProperties::default()] {
        let expected = ContentHeader { body_size: 5, properties };
        let without = encode(&expected);
        let before = 14
            + [&expected.properties.content_type, &expected.properties.content_encoding]
                .map(|text| text.as_ref().map_or(0, |text| text.len() + 1))
                .iter()
                .sum::<usize>();
        for headers in [&b""[..], b"\x01az", b"\x05a"] {
            let mut payload = without[..before].to_vec();
            payload[12] |= 0x20;
            payload.extend(u32::try_from(headers.len()).unwrap().to_be_bytes());
            payload.extend(headers);
            payload.extend(&without[before..]);
            assert_eq!(decode(payload.clone()).is_ok(), headers.is_empty());
            assert_eq!(
                ContentHeader::decode_without_headers(&payload.clone().into()),
                Ok((expected.clone(), Bytes::from_static(headers)))
            );
            let mut again = BytesMut::new();
            expected.encode_with_headers(headers, &mut again);
            assert_eq!(again, payload);
            // Nothing else may be wrong.
            payload.push(0);
            assert!(ContentHeader::decode_without_headers(&payload.into()).is_err());
        }
        assert_eq!(
            ContentHeader::decode_without_headers(&without.freeze()),
            Ok((expected, Bytes::new()))
        );
    }
}

#[test]
fn headers_that_are_cut_off_are_the_fault_of_more_than_the_headers() {
    let payload = b"\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x20\x00\x00\x00\x00\x02a";
    for length in 0..payload.len() {
        let cut = Bytes::from_static(&payload[..length]);
        assert!(ContentHeader::decode_without_headers(&cut).is_err(), "{length} octets");
    }
}

fn headers() -> Option<FieldTable> {
    let mut headers = FieldTable::new();
    headers.insert("a", 1).unwrap();
    Some(headers)
}

/// RabbitMQ checks no property for UTF-8.
fn not_utf_8() -> ShortStr {
    ShortStr::new(vec![0xff, 0x00]).unwrap()
}

fn decode(payload: impl Into<Bytes>) -> Result<ContentHeader, DecodeError> {
    ContentHeader::decode(&payload.into())
}

fn encode(header: &ContentHeader) -> BytesMut {
    let mut payload = BytesMut::new();
    header.encode(&mut payload);
    payload
}

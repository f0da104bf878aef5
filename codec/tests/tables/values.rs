//! Every type of value, and octets that are none.

use leveret_codec::{FieldArray, FieldTable, FieldValue, LongStr, Problem, ReplyCode};

use super::{FIELDS_AT, decode, decode_with_length, encode, octets};

/// The type octets are RabbitMQ's, which differ from the specification's in `s`, `l` and `x`.
fn known_answers() -> Vec<(&'static str, FieldValue)> {
    vec![
        ("'t' 00", FieldValue::Bool(false)),
        ("'t' 01", FieldValue::Bool(true)),
        ("'b' 80", FieldValue::I8(-128)),
        ("'B' 80", FieldValue::U8(128)),
        ("'s' 8000", FieldValue::I16(-32_768)),
        ("'u' 8000", FieldValue::U16(32_768)),
        ("'I' fffffffe", FieldValue::I32(-2)),
        ("'i' fffffffe", FieldValue::U32(4_294_967_294)),
        ("'l' fffffffffffffffd", FieldValue::I64(-3)),
        ("'f' 3fc00000", FieldValue::F32(1.5)),
        ("'d' c002000000000000", FieldValue::F64(-2.25)),
        ("'D' 02 fffffffb", FieldValue::Decimal { scale: 2, unscaled: -5 }),
        ("'S' 00000005'h' c3a9 'll'", FieldValue::LongStr(LongStr::from_static("héll"))),
        ("'S' 00000000", FieldValue::LongStr(LongStr::default())),
        ("'x' 00000002 00ff", FieldValue::ByteArray(LongStr::new(vec![0x00, 0xff]).unwrap())),
        ("'A' 00000004 'B' 01 'B' 02", FieldValue::Array(array([1, 2]))),
        ("'A' 00000000", FieldValue::Array(FieldArray::new())),
        ("'T' 0000000065920080", FieldValue::Timestamp(1_704_067_200)),
        ("'F' 00000005 02'no' 't' 00", FieldValue::Table(table("no", false))),
        ("'F' 00000000", FieldValue::Table(FieldTable::EMPTY)),
        ("'V'", FieldValue::Void),
    ]
}

#[test]
fn every_type_of_value_decodes_from_its_known_octets() {
    for (notation, value) in known_answers() {
        let table = decode(&field(notation)).unwrap();
        assert_eq!(table.get("key"), Some(value), "{notation}");
    }
}

#[test]
fn every_type_of_value_encodes_to_its_known_octets() {
    for (notation, value) in known_answers() {
        assert_eq!(encode(&table("key", value)), field(notation), "{notation}");
    }
}

/// `L` and `U` are the specification's octets for what RabbitMQ calls `l` and `s`.
#[test]
fn the_specifications_own_octets_are_read_and_rabbitmqs_are_written() {
    for (specification, rabbitmq, value) in [
        ("'L' 8000000000000000", "'l' 8000000000000000", FieldValue::I64(i64::MIN)),
        ("'U' fffe", "'s' fffe", FieldValue::I16(-2)),
    ] {
        let decoded = decode(&field(specification)).unwrap().get("key");
        assert_eq!(decoded, Some(value.clone()));
        assert_eq!(encode(&table("key", value)), field(rabbitmq));
    }
}

/// A table that is passed on is not re-worded: its octets stay as they came.
#[test]
fn a_decoded_table_encodes_to_the_octets_it_was_read_from() {
    let fields = octets("01'a' 't' 02 | 01'b' 'L' 0000000000000001 | 01'b' 'U' 0001 | 00 'V'");
    assert_eq!(encode(&decode(&fields).unwrap()), fields);
}

#[test]
fn an_unknown_type_is_an_error_at_its_offset() {
    for tag in (0..=u8::MAX).filter(|tag| !b"tbBsUuIilLfdDSxATFV".contains(tag)) {
        let fields = [&octets("02'ok' 't' 01 | 03'bad'")[..], &[tag], &[0; 16]].concat();
        let error = decode(&fields).unwrap_err();
        assert_eq!(error.problem(), &Problem::UnknownFieldType { tag });
        assert_eq!(error.offset(), FIELDS_AT + 9);
        assert_eq!(error.reply_code(), ReplyCode::FRAME_ERROR);
    }
}

/// The offset counts from the beginning of the payload, however deep the value lies.
#[test]
fn an_unknown_type_in_a_nested_array_is_found_at_its_offset() {
    let error = decode(&octets("01'a' 'A' 00000008 | 'B' 01 | 'A' 00000001 '?'")).unwrap_err();
    assert_eq!(error.problem(), &Problem::UnknownFieldType { tag: b'?' });
    assert_eq!(error.offset(), FIELDS_AT + 2 + 5 + 2 + 5);
    assert_eq!(
        error.to_string(),
        "content header, octet 32: a table value has the unknown type 0x3f"
    );
}

#[test]
fn every_truncation_of_every_value_is_an_error() {
    for (notation, value) in known_answers() {
        let whole = field(notation);
        for length in 1..whole.len() {
            let error = decode(&whole[..length]).unwrap_err();
            assert!(
                matches!(error.problem(), Problem::Truncated { .. }),
                "{length} octets of {value:?}: {error}"
            );
        }
    }
}

#[test]
fn a_table_shorter_than_its_length_is_truncated() {
    let fields = octets("01'a' 't' 01");
    let error = decode_with_length(fields.len() + 1, &fields).unwrap_err();
    assert_eq!(error.problem(), &Problem::Truncated { needed: 5, left: 4 });
    assert_eq!(error.offset(), FIELDS_AT);
}

#[test]
fn a_length_that_ends_within_a_value_cuts_the_value_off() {
    let fields = octets("01'a' 'I' 00000001");
    let error = decode_with_length(fields.len() - 1, &fields).unwrap_err();
    assert_eq!(error.problem(), &Problem::Truncated { needed: 4, left: 3 });
}

#[test]
fn a_length_that_ends_between_fields_leaves_a_surplus() {
    let fields = octets("01'a' 't' 01 | 01'b' 't' 01");
    let error = decode_with_length(4, &fields).unwrap_err();
    assert_eq!(error.problem(), &Problem::Surplus { surplus: 4 });
}

/// An inner length cannot reach into what follows the array.
#[test]
fn a_nested_length_stays_within_its_parent() {
    let error = decode(&octets("01'a' 'F' 00000008 | 01'b' 'A' 00000002 'V' | 'V'")).unwrap_err();
    assert_eq!(error.problem(), &Problem::Truncated { needed: 2, left: 1 });
}

/// 2³² − 1 octets are announced in a frame of a few: nothing may be reserved for them.
#[test]
fn the_largest_length_is_only_a_truncation() {
    for tag in ['S', 'x', 'A', 'F'] {
        let error = decode(&octets(&format!("01'a' '{tag}' ffffffff 00"))).unwrap_err();
        let needed = usize::try_from(u32::MAX).unwrap();
        assert_eq!(error.problem(), &Problem::Truncated { needed, left: 1 });
    }
}

fn field(value: &str) -> Vec<u8> {
    octets(&format!("03'key' {value}"))
}

fn table(name: &'static str, value: impl Into<FieldValue>) -> FieldTable {
    let mut table = FieldTable::new();
    table.insert(name, value).unwrap();
    table
}

fn array(values: impl IntoIterator<Item = u8>) -> FieldArray {
    let mut array = FieldArray::new();
    for value in values {
        array.push(value).unwrap();
    }
    array
}

//! Tables as values: insert, replace, look up, pass on.

use leveret_codec::{FieldArray, FieldTable, FieldValue, LongStr, ShortStr, TableError};

use super::{decode, encode, octets};

#[test]
fn insert_replaces_the_field_of_that_name() {
    let mut table = FieldTable::new();
    table.insert("a", 1u8).unwrap();
    table.insert("b", true).unwrap();
    table.insert("a", "one").unwrap();
    assert_eq!(encode(&table), octets("01'b' 't' 01 | 01'a' 'S' 00000003'one'"));
}

/// A peer may send a name twice. The first counts, and an insert replaces both.
#[test]
fn insert_replaces_every_field_of_that_name() {
    let mut table = decode(&octets("01'a' 'B' 01 | 01'b' 'V' | 01'a' 'B' 02")).unwrap();
    assert_eq!(table.get("a"), Some(FieldValue::U8(1)));

    table.insert("a", 3u8).unwrap();
    assert_eq!(encode(&table), octets("01'b' 'V' | 01'a' 'B' 03"));
}

#[test]
fn a_table_made_at_once_keeps_every_field_in_order() {
    let decoded = decode(&octets("01'b' 'V' | 01'a' 'B' 01 | 01'b' 'A' 00000001 'V'")).unwrap();
    let made = FieldTable::try_from_iter(decoded.iter()).unwrap();
    assert_eq!((encode(&made), &made), (encode(&decoded), &decoded));
    let Some((_, FieldValue::Array(values))) = decoded.iter().last() else { panic!("an array") };
    assert_eq!(FieldArray::try_from_iter(values.iter()), Ok(values));
}

#[test]
fn what_is_made_at_once_nests_no_deeper_than_other_tables() {
    let mut deepest = FieldTable::new();
    for _ in 1..FieldTable::MAX_DEPTH {
        let mut outer = FieldTable::new();
        outer.insert("t", deepest).unwrap();
        deepest = outer;
    }
    let name = ShortStr::from_static("t");
    let deeper = FieldTable::try_from_iter([(name, FieldValue::Table(deepest.clone()))]);
    assert_eq!(deeper, Err(TableError::TooDeep));
    let deeper = FieldArray::try_from_iter([FieldValue::Table(deepest.clone())]);
    assert_eq!(deeper, Err(TableError::TooDeep));
    assert_eq!(FieldTable::try_from_iter(deepest.iter()), Ok(deepest));
}

/// How a table came to be is no part of its value.
#[test]
fn tables_of_the_same_fields_are_equal() {
    let mut replaced = FieldTable::new();
    replaced.insert("a", FieldTable::new()).unwrap();
    replaced.insert("a", 1u8).unwrap();

    let decoded = decode(&octets("01'a' 'B' 01")).unwrap();
    assert_eq!(encode(&replaced), encode(&decoded));
    assert_eq!(replaced, decoded);
}

#[test]
fn names_hold_255_octets_and_no_more() {
    let mut table = FieldTable::new();
    table.insert("n".repeat(255), FieldValue::Void).unwrap();
    assert_eq!(encode(&table), octets(&format!("ff '{}' 'V'", "n".repeat(255))));

    let error = table.insert("n".repeat(256), FieldValue::Void).unwrap_err();
    assert!(matches!(error, TableError::TooLong(_)), "{error:?}");
    assert_eq!(table.iter().count(), 1, "a refused name changes nothing");
}

#[test]
fn a_table_of_many_fields_keeps_them_all_in_order() {
    // Miri takes a hundred times as long for each.
    let count = if cfg!(miri) { 200 } else { 20_000u32 };
    let fields: Vec<u8> = (0..count)
        .flat_map(|number| {
            [b"\x06", format!("{number:06}").as_bytes(), b"i", &number.to_be_bytes()].concat()
        })
        .collect();
    let table = decode(&fields).unwrap();

    assert_eq!(table.encoded_len(), fields.len());
    assert_eq!(table.iter().count(), usize::try_from(count).unwrap());
    for (number, (name, value)) in (0..).zip(table.iter()) {
        assert_eq!(
            (name, value),
            (format!("{number:06}").try_into().unwrap(), FieldValue::U32(number))
        );
    }
    assert_eq!(table.get(&format!("{:06}", count - 1)), Some(FieldValue::U32(count - 1)));
    assert_eq!(table.get(&format!("{count:06}")), None);
    assert_eq!(encode(&table), fields);
}

#[test]
fn a_table_built_field_by_field_equals_its_decoded_self() {
    let mut table = FieldTable::new();
    for number in 0..if cfg!(miri) { 50 } else { 500i32 } {
        table.insert(format!("field {number}"), number).unwrap();
    }
    assert_eq!(decode(&encode(&table)), Ok(table));
}

#[test]
fn arrays_keep_values_of_every_type_in_order() {
    let mut array = FieldArray::new();
    array.push("text").unwrap();
    array.push(FieldValue::ByteArray(LongStr::from_static("octets"))).unwrap();
    array.push(FieldArray::new()).unwrap();
    array.push(-1i64).unwrap();

    let mut table = FieldTable::new();
    table.insert("array", array.clone()).unwrap();
    let fields = octets(
        "05'array' 'A' 00000022 | 'S' 00000004'text' | 'x' 00000006'octets'
         | 'A' 00000000 | 'l' ffffffffffffffff",
    );
    assert_eq!(encode(&table), fields);
    assert_eq!(decode(&fields).unwrap().get("array"), Some(FieldValue::Array(array)));
}

#[test]
fn an_empty_table_is_only_its_length() {
    assert_eq!(decode(&[]), Ok(FieldTable::EMPTY));
    assert!(FieldTable::new().is_empty());
    assert_eq!(encode(&FieldTable::new()), []);
}

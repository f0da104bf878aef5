//! Tables and arrays in each other: a limit, and nothing that grows with the depth of an attack.

use leveret_codec::{FieldArray, FieldTable, FieldValue, Problem, TableError};

use super::{decode, encode};

const LIMIT: usize = FieldTable::MAX_DEPTH as usize;

/// What lies in what; each is the octets of one level around those of the next.
type Level = fn(&[u8]) -> Vec<u8>;

#[test]
fn nesting_is_accepted_32_deep_and_refused_33_deep() {
    assert_eq!(LIMIT, 32);
    let nestings: [(&str, [Level; 2]); 3] = [
        ("tables", [in_table, in_table]),
        ("arrays", [in_array, in_array]),
        ("both in turn", [in_array, in_table]),
    ];
    for (name, levels) in nestings {
        // The outermost table is a level too.
        let deepest = nested(LIMIT - 1, levels);
        let table = decode(&deepest).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(encode(&table), deepest, "{name}");

        let error = decode(&nested(LIMIT, levels)).unwrap_err();
        assert_eq!(error.problem(), &Problem::TooDeep { limit: FieldTable::MAX_DEPTH }, "{name}");
    }
}

/// Depth is counted per branch, not per table: many shallow ones side by side are no nesting.
#[test]
fn neighbours_do_not_count_as_depth() {
    let branch = nested(LIMIT - 1, [in_table; 2]);
    let fields = branch.repeat(3);
    assert_eq!(encode(&decode(&fields).unwrap()), fields);
}

/// Half a megabyte of openings: with a recursive decoder the stack would end before they do.
#[test]
fn a_hundred_thousand_levels_are_refused_at_the_33rd() {
    for level in [in_array as Level, in_table] {
        // Miri takes a hundred times as long for each.
        let fields = openings(if cfg!(miri) { 1_000 } else { 100_000 }, level);
        let error = decode(&fields).unwrap_err();
        assert_eq!(error.problem(), &Problem::TooDeep { limit: FieldTable::MAX_DEPTH });
        // Each opening is a few octets, so the 33rd lies near the front: nobody went further.
        assert!(error.offset() < 300, "{error}");
    }
}

#[test]
fn insert_refuses_a_value_that_would_nest_too_deeply() {
    let mut value = FieldValue::from(1u8);
    for _ in 0..LIMIT - 1 {
        value = insert_into_empty(value).expect("the table around it is not too deep").into();
    }
    let mut deepest = insert_into_empty(value).unwrap();
    assert_eq!(decode(&encode(&deepest)), Ok(deepest.clone()));

    let before = deepest.clone();
    assert_eq!(deepest.insert("more", deepest.clone()), Err(TableError::TooDeep));
    assert_eq!(deepest, before, "a refused value changes nothing");
    assert_eq!(FieldArray::new().push(deepest), Err(TableError::TooDeep));
    assert_eq!(TableError::TooDeep.to_string(), "tables and arrays nest 32 deep at most");
}

/// A value keeps its depth when it comes off the wire, so it cannot be inserted past the limit.
#[test]
fn a_decoded_value_keeps_its_depth() {
    let deepest = decode(&nested(LIMIT - 1, [in_array; 2])).unwrap();
    assert_eq!(FieldTable::new().insert("a", deepest.clone()), Err(TableError::TooDeep));

    let inner = deepest.get("a").unwrap();
    assert_eq!(insert_into_empty(inner), Ok(deepest));
}

fn insert_into_empty(value: FieldValue) -> Result<FieldTable, TableError> {
    let mut table = FieldTable::new();
    table.insert("a", value).map(|()| table)
}

/// The fields of a table with one field "a" that holds `depth` levels, of both kinds in turn.
fn nested(depth: usize, levels: [Level; 2]) -> Vec<u8> {
    let levels = levels.into_iter().cycle().take(depth);
    let value = levels.fold(vec![b'V'], |value, level| level(&value));
    [b"\x01a", &value[..]].concat()
}

fn in_array(value: &[u8]) -> Vec<u8> {
    [b"A", &length(value.len())[..], value].concat()
}

fn in_table(value: &[u8]) -> Vec<u8> {
    [b"F", &length(value.len() + 2)[..], b"\x01a", value].concat()
}

/// As [`nested`], but built from the outside, so that it takes no quadratic time.
fn openings(levels: usize, level: Level) -> Vec<u8> {
    let opening = level(&[]);
    let (tag, name) = (opening[0], &opening[5..]);
    let mut fields = b"\x01a".to_vec();
    for deeper in (0..levels).rev() {
        fields.push(tag);
        fields.extend(length(name.len() + deeper * opening.len() + 1));
        fields.extend(name);
    }
    fields.push(b'V');
    fields
}

fn length(octets: usize) -> [u8; 4] {
    u32::try_from(octets).unwrap().to_be_bytes()
}

//! Field tables: values survive the wire, octets allocate next to nothing, and no table is too deep
//! to be read, compared, changed, shown and dropped.

use bytes::{Bytes, BytesMut};
use leveret_codec::{FieldTable, FieldValue, Method, connection};

use crate::limits::allocates_at_most;
use crate::script::Script;

/// Either a table made of the octets, or the octets as the fields of a table.
pub fn check(octets: &[u8]) {
    let mut script = Script::new(octets);
    if script.small() & 1 == 0 {
        if let Some(table) = script.value::<FieldTable>() {
            survives(table);
        }
    } else {
        decode(script.rest());
    }
}

fn decode(octets: &[u8]) {
    let fields = Bytes::copy_from_slice(octets);
    // Tables share the octets' memory: a few octets count who shares it.
    let decoded = allocates_at_most(64, || FieldTable::from_fields(fields.clone()));
    match decoded {
        Ok(table) => {
            assert_eq!(table.clone().into_fields(), fields);
            survives(table);
        }
        Err(error) => assert!(error.offset() <= octets.len(), "{error}"),
    }
}

fn survives(table: FieldTable) {
    let method = Method::from(connection::StartOk {
        client_properties: table.clone(),
        ..connection::StartOk::default()
    });
    let mut encoded = BytesMut::new();
    method.encode(&mut encoded);
    assert_eq!(Method::decode(&encoded.freeze()), Ok(method));

    let count = allocates_at_most(64, || table.iter().count());
    assert_eq!(table.types().count(), count, "every field has been read");
    assert_eq!(table.is_empty(), count == 0);
    for (name, value) in table.iter() {
        if let Some(value) = name.as_str().ok().and_then(|name| table.get(name)) {
            assert_eq!(
                value.as_str().is_some(),
                matches!(&value, FieldValue::LongStr(text) if text.as_str().is_ok())
            );
        }
        match value {
            FieldValue::Table(inner) => assert!(inner.iter().count() <= inner.encoded_len()),
            FieldValue::Array(inner) => assert_eq!(inner.iter().count(), inner.types().count()),
            value => assert!(!format!("{value:?}").is_empty()),
        }
    }
    assert!(format!("{table:?}").starts_with('{'));
    change(table);
}

fn change(table: FieldTable) {
    let again = FieldTable::try_from_iter(table.iter()).expect("they were in a table");
    assert_eq!(again.iter().count(), table.iter().count());
    assert_eq!(FieldTable::from_fields(again.clone().into_fields()), Ok(again));
    let mut changed = table.clone();
    changed.insert("added by the test", 7).expect("it is neither deep nor long");
    assert_eq!(changed.get("added by the test"), Some(FieldValue::I32(7)));
    for (name, _) in table.iter().filter(|(name, _)| *name != "added by the test") {
        if let Ok(name) = name.as_str() {
            // Values that are no numbers are the same; NaN is not, not even to itself.
            assert_eq!(table.get(name).is_some(), changed.get(name).is_some());
        }
    }
    changed.remove("added by the test");
    assert_eq!(changed.get("added by the test"), None);
    let mut outer = FieldTable::new();
    let nested = outer.insert("table", table);
    assert_eq!(nested.is_ok(), outer.get("table").is_some());
}

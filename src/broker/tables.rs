//! Field tables as RabbitMQ takes them and passes them on.

use alloc::vec::Vec;

use leveret_codec::{FieldArray, FieldTable, FieldValue, Method};

use crate::message::has_no_number;

/// Whether a value occurs that RabbitMQ cannot read: of the one type that is in the specification
/// and not in RabbitMQ, or a float that Erlang has no value for.
pub(super) fn has_unknown_value(table: &FieldTable) -> bool {
    table.types().any(|octet| octet == b'U') || table.iter().any(|(_, value)| within(&value))
}

fn within(value: &FieldValue) -> bool {
    match value {
        FieldValue::Table(table) => has_unknown_value(table),
        FieldValue::Array(array) => {
            array.types().any(|octet| octet == b'U') || array.iter().any(|value| within(&value))
        }
        other => has_no_number(other),
    }
}

/// The arguments of a method, if it has some.
pub(super) fn arguments(method: &Method) -> Option<&FieldTable> {
    match method {
        Method::ConnectionStartOk(start_ok) => Some(&start_ok.client_properties),
        Method::QueueDeclare(declare) => Some(&declare.arguments),
        Method::QueueBind(bind) => Some(&bind.arguments),
        Method::QueueUnbind(unbind) => Some(&unbind.arguments),
        Method::BasicConsume(consume) => Some(&consume.arguments),
        _ => None,
    }
}

/// The table written anew, each type with the octet that RabbitMQ has for it.
pub(super) fn rewritten(table: &FieldTable, sorted: bool) -> FieldTable {
    let mut fields: Vec<_> = table.iter().collect();
    if sorted {
        fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    }
    let mut new = FieldTable::new();
    for (name, value) in fields {
        // What was a table's can be a table's again.
        let _ = new.insert(name.into_bytes(), rewritten_value(value, sorted));
    }
    new
}

fn rewritten_value(value: FieldValue, sorted: bool) -> FieldValue {
    match value {
        FieldValue::Table(table) => FieldValue::Table(rewritten(&table, sorted)),
        FieldValue::Array(array) => {
            let mut new = FieldArray::new();
            for value in array.iter() {
                let _ = new.push(rewritten_value(value, sorted));
            }
            FieldValue::Array(new)
        }
        other => other,
    }
}

//! Field tables as RabbitMQ takes them and passes them on.

use alloc::collections::BTreeSet;
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

/// The table written anew, each type with the octet that RabbitMQ has for it. Of several fields of
/// one name the last is kept.
pub(super) fn rewritten(table: &FieldTable, sorted: bool) -> FieldTable {
    let mut fields: Vec<_> = table.iter().collect();
    fields.reverse();
    let mut known = BTreeSet::new();
    fields.retain(|(name, _)| known.insert(name.clone()));
    fields.reverse();
    if sorted {
        fields.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    }
    let fields = fields.into_iter().map(|(name, value)| (name, rewritten_value(value, sorted)));
    // What was a table's can be a table's again.
    FieldTable::try_from_iter(fields).unwrap_or_default()
}

fn rewritten_value(value: FieldValue, sorted: bool) -> FieldValue {
    match value {
        FieldValue::Table(table) => FieldValue::Table(rewritten(&table, sorted)),
        FieldValue::Array(array) => {
            let values = array.iter().map(|value| rewritten_value(value, sorted));
            FieldValue::Array(FieldArray::try_from_iter(values).unwrap_or_default())
        }
        other => other,
    }
}

//! Whether a queue can be declared so, or is declared as it is, and RabbitMQ's words where not.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use leveret_codec::{FieldTable, FieldValue, queue as method};

use super::queue::Queue;
use super::raise::{Raise, Raised};

/// Refuses arguments of a new queue that make no sense. Those that this broker does not know, such
/// as `x-max-length`, it takes and ignores.
pub(super) fn check_arguments(arguments: &FieldTable, described: &str) -> Raised {
    for (name, least) in [("x-message-ttl", 0), ("x-expires", 1)] {
        let Some(value) = arguments.get(name) else { continue };
        let problem = match value.as_i64() {
            None => format!("\"expected integer, got {}\"", erlang_type(&value)),
            Some(number) if number < 0 => format!("{{value_negative,{number}}}"),
            Some(number) if number < least => format!("{{value_zero,{number}}}"),
            Some(_) => continue,
        };
        let text = format!("invalid arg '{name}' for {described}: {problem}");
        return Err(Raise::precondition(text));
    }
    for name in ["x-dead-letter-exchange", "x-dead-letter-routing-key"] {
        match arguments.get(name) {
            None | Some(FieldValue::LongStr(_)) => {}
            Some(other) => {
                let found = erlang_type(&other);
                let text = format!("invalid type '{found}' for arg '{name}' in {described}");
                return Err(Raise::precondition(text));
            }
        }
    }
    Ok(())
}

pub(super) fn check_equivalence(
    queue: &Queue,
    declare: &method::Declare,
    described: &str,
) -> Raised {
    let attributes = [
        // An exclusive queue is not durable, whatever its declaration says.
        ("durable", declare.durable && !declare.exclusive, queue.durable),
        ("auto_delete", declare.auto_delete, queue.auto_delete),
    ];
    for (name, received, current) in attributes {
        if received != current {
            return Err(Raise::precondition(format!(
                "inequivalent arg '{name}' for {described}: received '{received}' but current is \
                 '{current}'"
            )));
        }
    }
    let names = |table: &FieldTable| table.iter().map(|(name, _)| name).collect::<Vec<_>>();
    let mut all = names(&queue.arguments);
    all.extend(names(&declare.arguments));
    for name in all {
        let name = name.to_string();
        let (current, received) = (queue.arguments.get(&name), declare.arguments.get(&name));
        let difference = match (received, current) {
            (received, current) if received == current => continue,
            (None, Some(current)) => {
                format!("received none but current is {}", typed(&current))
            }
            (Some(received), None) => {
                format!("received {} but current is none", typed(&received))
            }
            (Some(received), Some(current)) => different(&received, &current),
            (None, None) => continue,
        };
        return Err(Raise::precondition(format!(
            "inequivalent arg '{name}' for {described}: {difference}"
        )));
    }
    Ok(())
}

/// Two values of one type show without it.
fn different(received: &FieldValue, current: &FieldValue) -> String {
    if erlang_type(received) == erlang_type(current) {
        return format!("received '{}' but current is '{}'", plain(received), plain(current));
    }
    format!("received {} but current is {}", typed(received), typed(current))
}

fn typed(value: &FieldValue) -> String {
    format!("the value '{}' of type '{}'", plain(value), erlang_type(value))
}

fn plain(value: &FieldValue) -> String {
    match value {
        FieldValue::LongStr(text) => text.to_string(),
        FieldValue::Bool(value) => value.to_string(),
        other => other.as_i64().map_or_else(|| format!("{other:?}"), |number| number.to_string()),
    }
}

fn erlang_type(value: &FieldValue) -> &'static str {
    match value {
        FieldValue::LongStr(_) => "longstr",
        FieldValue::Bool(_) => "bool",
        FieldValue::I8(_) => "byte",
        FieldValue::U8(_) => "unsignedbyte",
        FieldValue::I16(_) => "short",
        FieldValue::U16(_) => "unsignedshort",
        FieldValue::I32(_) => "signedint",
        FieldValue::U32(_) => "unsignedint",
        FieldValue::I64(_) => "long",
        FieldValue::F32(_) => "float",
        FieldValue::F64(_) => "double",
        FieldValue::Decimal { .. } => "decimal",
        FieldValue::ByteArray(_) => "binary",
        FieldValue::Array(_) => "array",
        FieldValue::Timestamp(_) => "timestamp",
        FieldValue::Table(_) => "table",
        _ => "void",
    }
}

//! A frame as a JSON object.

use leveret_codec::{FieldRef, FieldTable, FieldValue, Frame};
use serde_json::{Map, Value, json};

use super::properties::for_each_property;
use super::stream::Unit;
use super::text::preview;

/// Names are those of Leveret's structs, numbers are numbers. Octets that are no text are
/// `{"hex": "00ff"}`, what is secret is `"***"`.
pub(super) fn json(offset: u64, unit: &Unit) -> Value {
    let frame = match unit {
        Unit::ProtocolHeader(header) => {
            return json!({"offset": offset, "type": "protocol-header", "version": header.version});
        }
        Unit::Frame(frame) => frame,
    };
    match frame {
        Frame::Method { channel, method } => {
            let fields = object(|see| method.for_each_field(see));
            json!({
                "offset": offset, "channel": channel, "type": "method", "method": method.name(),
                "fields": fields,
            })
        }
        Frame::Header { channel, header } => {
            let properties = object(|see| for_each_property(&header.properties, see));
            json!({
                "offset": offset, "channel": channel, "type": "header",
                "body_size": header.body_size, "properties": properties,
            })
        }
        Frame::Body { channel, payload } => json!({
            "offset": offset, "channel": channel, "type": "body", "length": payload.len(),
            "preview": preview(payload),
        }),
        Frame::Heartbeat => json!({"offset": offset, "channel": 0, "type": "heartbeat"}),
    }
}

fn object<'a>(visit: impl FnOnce(&mut dyn FnMut(&'static str, FieldRef<'a>))) -> Value {
    let mut map = Map::new();
    visit(&mut |name, value| {
        map.insert(name.into(), field(value));
    });
    map.into()
}

fn field(field: FieldRef<'_>) -> Value {
    match field {
        FieldRef::Bool(value) => value.into(),
        FieldRef::Number(value) => value.into(),
        FieldRef::ReplyCode(code) => code.0.into(),
        FieldRef::ShortStr(text) => octets(text.as_bytes()),
        FieldRef::LongStr(text) => octets(text.as_ref()),
        FieldRef::Table(value) => table(value),
        FieldRef::Secret => "***".into(),
        other => format!("{other:?}").into(),
    }
}

fn table(table: &FieldTable) -> Value {
    let pairs =
        table.iter().map(|(name, item)| (name.to_string_lossy().into_owned(), value(&item)));
    Value::Object(pairs.collect())
}

fn value(item: &FieldValue) -> Value {
    match item {
        FieldValue::Bool(value) => (*value).into(),
        // What is no number in JSON is text.
        FieldValue::F32(value) if value.is_finite() => (*value).into(),
        FieldValue::F32(value) => value.to_string().into(),
        FieldValue::F64(value) if value.is_finite() => (*value).into(),
        FieldValue::F64(value) => value.to_string().into(),
        FieldValue::Decimal { scale, unscaled } => json!({"unscaled": unscaled, "scale": scale}),
        FieldValue::LongStr(text) => octets(text.as_ref()),
        FieldValue::ByteArray(text) => hex(text.as_ref()),
        FieldValue::Array(values) => values.iter().map(|item| value(&item)).collect(),
        FieldValue::Timestamp(seconds) => (*seconds).into(),
        FieldValue::Table(value) => table(value),
        FieldValue::Void => Value::Null,
        other => other.as_i64().map_or_else(|| format!("{other:?}").into(), Value::from),
    }
}

fn octets(octets: &[u8]) -> Value {
    std::str::from_utf8(octets).map_or_else(|_| hex(octets), Value::from)
}

fn hex(octets: &[u8]) -> Value {
    json!({"hex": octets.iter().map(|octet| format!("{octet:02x}")).collect::<String>()})
}

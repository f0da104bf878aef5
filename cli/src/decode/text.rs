//! [`Line`]: a frame as a line of text.

use std::fmt::{self, Display, Formatter};

use leveret_codec::{FieldArray, FieldRef, FieldTable, FieldValue, Frame};

use super::properties::for_each_property;
use super::stream::Unit;

/// Channel, frame and all that is in it but what is secret; of a body, the beginning.
pub(crate) struct Line<'a>(pub(crate) &'a Unit);

/// The most octets of a body that are shown.
const PREVIEW: usize = 60;

impl Display for Line<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let frame = match self.0 {
            Unit::ProtocolHeader(header) => return write!(f, "protocol header {header}"),
            Unit::Frame(frame) => frame,
        };
        match frame {
            Frame::Method { channel, method } => {
                write!(f, "{channel} {}", method.name())?;
                fields(f, |see| method.for_each_field(see))
            }
            Frame::Header { channel, header } => {
                write!(f, "{channel} header body-size={}", header.body_size)?;
                fields(f, |see| for_each_property(&header.properties, see))
            }
            Frame::Body { channel, payload } => {
                write!(f, "{channel} body of {} octets: {}", payload.len(), preview(payload))
            }
            Frame::Heartbeat => f.write_str("0 heartbeat"),
        }
    }
}

/// The first octets of a body, in quotes.
pub(super) fn preview(payload: &[u8]) -> String {
    let first = payload.get(..PREVIEW).unwrap_or(payload);
    // A character may be cut in two.
    let first = match std::str::from_utf8(first) {
        Err(error) if error.error_len().is_none() && first.len() < payload.len() => {
            first.get(..error.valid_up_to()).unwrap_or(first)
        }
        _ => first,
    };
    let more = if first.len() < payload.len() { "..." } else { "" };
    format!("{}{more}", quoted(first))
}

/// Text as it is, but for what would disturb a terminal; other octets as `\x..`.
fn quoted(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok(text) => format!("{text:?}"),
        Err(_) => format!("\"{}\"", octets.escape_ascii()),
    }
}

fn fields<'a>(
    f: &mut Formatter<'_>,
    visit: impl FnOnce(&mut dyn FnMut(&'static str, FieldRef<'a>)),
) -> fmt::Result {
    let mut result = Ok(());
    visit(&mut |name, value| {
        if result.is_ok() {
            result = write!(f, " {}={}", name.replace('_', "-"), field(value));
        }
    });
    result
}

fn field(field: FieldRef<'_>) -> String {
    match field {
        FieldRef::Bool(value) => value.to_string(),
        FieldRef::Number(value) => value.to_string(),
        FieldRef::ReplyCode(code) => code.0.to_string(),
        FieldRef::ShortStr(text) => quoted(text.as_bytes()),
        FieldRef::LongStr(text) => quoted(text.as_ref()),
        FieldRef::Table(value) => table(value),
        FieldRef::Secret => "***".into(),
        other => format!("{other:?}"),
    }
}

fn table(table: &FieldTable) -> String {
    let pairs = table.iter().map(|(name, item)| {
        let name = name.to_string_lossy();
        format!("{}={}", name.escape_debug(), value(&item))
    });
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
}

fn array(array: &FieldArray) -> String {
    let values = array.iter().map(|item| value(&item));
    format!("[{}]", values.collect::<Vec<_>>().join(", "))
}

fn value(item: &FieldValue) -> String {
    match item {
        FieldValue::Bool(value) => value.to_string(),
        FieldValue::F32(value) => value.to_string(),
        FieldValue::F64(value) => value.to_string(),
        FieldValue::Decimal { scale, unscaled } => format!("{unscaled}e-{scale}"),
        FieldValue::LongStr(text) | FieldValue::ByteArray(text) => quoted(text.as_ref()),
        FieldValue::Array(value) => array(value),
        FieldValue::Timestamp(seconds) => seconds.to_string(),
        FieldValue::Table(value) => table(value),
        FieldValue::Void => "void".into(),
        other => other.as_i64().map_or_else(|| format!("{other:?}"), |number| number.to_string()),
    }
}

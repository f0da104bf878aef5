//! A message's properties as names and text, for people and for the environment of a command.

use leveret::{BasicProperties, FieldTable, FieldValue, ShortStr};

/// Those that are set but for the headers, by the names that AMQP has for them.
pub(crate) fn named(properties: &BasicProperties) -> Vec<(&'static str, String)> {
    let text = |value: &Option<ShortStr>| value.as_ref().map(ToString::to_string);
    let all = [
        ("content-type", text(&properties.content_type)),
        ("content-encoding", text(&properties.content_encoding)),
        ("delivery-mode", properties.delivery_mode.map(|mode| mode.to_string())),
        ("priority", properties.priority.map(|priority| priority.to_string())),
        ("correlation-id", text(&properties.correlation_id)),
        ("reply-to", text(&properties.reply_to)),
        ("expiration", text(&properties.expiration)),
        ("message-id", text(&properties.message_id)),
        ("timestamp", properties.timestamp.map(|seconds| seconds.to_string())),
        ("type", text(&properties.message_type)),
        ("user-id", text(&properties.user_id)),
        ("app-id", text(&properties.app_id)),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Name and value of each header.
pub(crate) fn headers(properties: &BasicProperties) -> impl Iterator<Item = (String, String)> {
    let headers = properties.headers.iter().flat_map(FieldTable::iter);
    headers.map(|(name, value)| (name.to_string(), text(&value)))
}

/// A field as text: lists and tables look as in JSON.
pub(crate) fn text(value: &FieldValue) -> String {
    match value {
        FieldValue::LongStr(text) => text.to_string(),
        other => json(other).to_string(),
    }
}

fn json(value: &FieldValue) -> serde_json::Value {
    match value {
        FieldValue::Bool(value) => (*value).into(),
        FieldValue::F32(value) => (*value).into(),
        FieldValue::F64(value) => (*value).into(),
        FieldValue::LongStr(text) | FieldValue::ByteArray(text) => text.to_string().into(),
        FieldValue::Timestamp(seconds) => (*seconds).into(),
        FieldValue::Array(values) => values.iter().map(|value| json(&value)).collect(),
        FieldValue::Table(table) => {
            table.iter().map(|(name, value)| (name.to_string(), json(&value))).collect()
        }
        other => other.as_i64().map_or(serde_json::Value::Null, Into::into),
    }
}

/// A peer's words, fit for a terminal: none of them moves the cursor or rings the bell.
pub(crate) fn printable(text: &str) -> String {
    let is_harmless = |character: &char| !character.is_control() || *character == '\n';
    text.chars()
        .map(|character| match is_harmless(&character) {
            true => character.to_string(),
            false => character.escape_default().to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use leveret::FieldArray;

    #[test]
    fn what_is_set_has_the_names_of_amqp() {
        let mut properties = BasicProperties {
            content_type: Some(ShortStr::from_static("text/plain")),
            priority: Some(3),
            message_type: Some(ShortStr::from_static("order")),
            ..BasicProperties::default()
        };
        let set = [("content-type", "text/plain"), ("priority", "3"), ("type", "order")];
        assert_eq!(named(&properties), set.map(|(name, value)| (name, value.to_owned())));

        let mut headers = FieldTable::new();
        headers.insert("tenant", "acme").unwrap();
        headers.insert("retries", 3).unwrap();
        properties.headers = Some(headers);
        let headers: Vec<_> = self::headers(&properties).collect();
        let expected = [("tenant", "acme"), ("retries", "3")];
        assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn lists_and_tables_look_as_in_json() {
        let mut table = FieldTable::new();
        table.insert("a", true).unwrap();
        table.insert("b", FieldValue::Void).unwrap();
        let values = [FieldValue::I64(-1), FieldValue::Table(table)];
        let array = FieldArray::try_from_iter(values).unwrap();
        assert_eq!(text(&FieldValue::Array(array)), r#"[-1,{"a":true,"b":null}]"#);
    }

    #[test]
    fn escape_sequences_are_shown_and_not_obeyed() {
        assert_eq!(printable("a\nb\x1b[2Jc\u{9b}1mé"), "a\nb\\u{1b}[2Jc\\u{9b}1mé");
    }
}

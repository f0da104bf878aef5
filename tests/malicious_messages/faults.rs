//! Replies whose fault headers are not what Leveret sends.

use leveret::{BasicProperties, CallError, FieldArray, FieldTable, FieldValue, LongStr, Reply};

use super::attack::Impostor;

fn text(octets: impl Into<Vec<u8>>) -> FieldValue {
    FieldValue::LongStr(LongStr::new(octets.into()).unwrap())
}

async fn replied(
    impostor: &mut Impostor,
    code: Option<FieldValue>,
    message: Option<FieldValue>,
) -> Result<Reply, CallError> {
    let mut headers = FieldTable::new();
    for (name, value) in [("rpc-error-code", code), ("rpc-error", message)] {
        if let Some(value) = value {
            headers.insert(name, value).unwrap();
        }
    }
    let asked = impostor.asked().await;
    let properties = BasicProperties { headers: Some(headers), ..asked.properties() };
    impostor.reply(&asked, properties, b"body").await;
    asked.ends().await
}

/// A code of whatever type is one. What is no text and no number has no words.
#[tokio::test]
async fn codes_and_messages_of_every_type_are_faults() {
    let mut impostor = Impostor::new().await;
    let values = [
        (FieldValue::Bool(true), ""),
        (FieldValue::I8(-1), "-1"),
        (FieldValue::U8(255), "255"),
        (FieldValue::I16(-2), "-2"),
        (FieldValue::U16(65_535), "65535"),
        (FieldValue::I32(-3), "-3"),
        (FieldValue::U32(u32::MAX), "4294967295"),
        (FieldValue::I64(i64::MIN), "-9223372036854775808"),
        (FieldValue::F32(1.5), ""),
        (FieldValue::F64(1.5), ""),
        (FieldValue::Decimal { scale: 255, unscaled: -1 }, ""),
        (FieldValue::ByteArray(LongStr::from_static("octets")), ""),
        (FieldValue::Array(FieldArray::new()), ""),
        (FieldValue::Timestamp(u64::MAX), ""),
        (FieldValue::Table(FieldTable::new()), ""),
        (FieldValue::Void, ""),
        (text(""), ""),
        (text("words"), "words"),
        (text([b'o', 0xff, 0xfe]), "o\u{fffd}\u{fffd}"),
    ];
    for (value, words) in values {
        let error = replied(&mut impostor, Some(value.clone()), Some(value)).await.unwrap_err();
        let CallError::Fault(fault) = error else { panic!("{error:?}") };
        assert_eq!((fault.code(), fault.message(), &**fault.body()), (words, words, &b"body"[..]));
    }
    impostor.goes_on().await;
}

#[tokio::test]
async fn a_code_alone_is_a_fault_and_a_message_alone_is_none() {
    let mut impostor = Impostor::new().await;
    let error = replied(&mut impostor, Some(text("code")), None).await.unwrap_err();
    let CallError::Fault(fault) = error else { panic!("{error:?}") };
    assert_eq!((fault.code(), fault.message()), ("code", ""));
    let reply = replied(&mut impostor, None, Some(text("words"))).await.unwrap();
    assert_eq!(reply.body, "body");
    impostor.goes_on().await;
}

#[tokio::test]
async fn codes_and_messages_of_60_kilobytes_are_faults() {
    let mut impostor = Impostor::new().await;
    let large = "x".repeat(60_000);
    for (code, message) in [(&*large, "words"), ("code", &*large), (&*large, &*large)] {
        let sent = (Some(text(code)), Some(text(message)));
        let error = replied(&mut impostor, sent.0, sent.1).await.unwrap_err();
        let CallError::Fault(fault) = error else { panic!("{error:?}") };
        assert_eq!((fault.code(), fault.message()), (code, message));
    }
    impostor.goes_on().await;
}

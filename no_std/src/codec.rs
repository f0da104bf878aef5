//! Frames, tables and properties, there and back. `None` is a check that failed.

use bytes::{Bytes, BytesMut};
use leveret_codec::{
    BasicProperties, ContentHeader, FieldTable, FieldValue, Frame, ShortStr, basic,
};

const MAX_PAYLOAD: u32 = 4096;

pub(crate) fn a_frame_is_read_as_it_was_written() -> Option<()> {
    let queue = ShortStr::from_static("amq.rabbitmq.reply-to");
    let frame = Frame::method(1, basic::Consume { queue, no_ack: true, ..Default::default() });
    let mut octets = BytesMut::new();
    frame.encode(&mut octets);
    let read = Frame::decode(&mut octets, MAX_PAYLOAD).ok()?;
    (read == Some(frame) && octets.is_empty()).then_some(())
}

pub(crate) fn a_table_keeps_its_fields() -> Option<()> {
    let mut inner = FieldTable::new();
    inner.insert("direct_reply_to", true).ok()?;
    let mut table = FieldTable::new();
    table.insert("product", "leveret").ok()?;
    table.insert("capabilities", inner).ok()?;
    let read = FieldTable::from_fields(table.into_fields()).ok()?;
    let Some(FieldValue::Table(inner)) = read.get("capabilities") else { return None };
    (inner.get("direct_reply_to") == Some(FieldValue::Bool(true))).then_some(())
}

pub(crate) fn a_message_keeps_its_properties() -> Option<()> {
    let mut headers = FieldTable::new();
    headers.insert("tenant", "acme").ok()?;
    let properties = BasicProperties {
        content_type: Some(ShortStr::from_static("application/json")),
        headers: Some(headers),
        delivery_mode: Some(1),
        ..BasicProperties::default()
    };
    let header = ContentHeader { body_size: 17, properties };
    let mut octets = BytesMut::new();
    header.encode(&mut octets);
    (ContentHeader::decode(&octets.freeze()).ok()? == header).then_some(())
}

pub(crate) fn what_is_no_frame_is_refused() -> Option<()> {
    let mut octets = BytesMut::from(&b"\x02\x00\x01\x00\x00\x00\x01\x00\xce"[..]);
    let error = Frame::decode(&mut octets, MAX_PAYLOAD).err()?;
    // Words are made too, by what formats them without std.
    let words = Bytes::from(alloc::format!("{error}"));
    (!words.is_empty()).then_some(())
}

//! Field tables and their octets, as a content header carries them.

mod depth;
mod editing;
#[path = "../octets/mod.rs"]
mod octets;
mod values;

use bytes::{Bytes, BytesMut};
use leveret_codec::{BasicProperties, ContentHeader, DecodeError, FieldTable};
use octets::octets;

/// What precedes the fields of a table in the only frame that has just a table: a content header
/// without a body whose one property is `headers`, then the length of the table.
const FIELDS_AT: usize = 18;

/// Decodes the fields of a table, whose length is put in front.
fn decode(fields: &[u8]) -> Result<FieldTable, DecodeError> {
    decode_with_length(fields.len(), fields)
}

/// Decodes the fields of a table that is announced with a length of its own.
fn decode_with_length(length: usize, fields: &[u8]) -> Result<FieldTable, DecodeError> {
    let length = u32::try_from(length).unwrap().to_be_bytes();
    let payload = [&content_header()[..], &length, fields].concat();
    let header = ContentHeader::decode(&Bytes::from(payload))?;
    Ok(header.properties.headers.expect("the flags announce headers"))
}

/// Encodes a table; gives its fields without the length in front, having checked that.
fn encode(table: &FieldTable) -> Vec<u8> {
    let properties = BasicProperties { headers: Some(table.clone()), ..Default::default() };
    let mut payload = BytesMut::new();
    ContentHeader { body_size: 0, properties }.encode(&mut payload);

    let fields = payload.split_off(FIELDS_AT);
    let length = u32::try_from(fields.len()).unwrap().to_be_bytes();
    assert_eq!(payload, [&content_header()[..], &length].concat());
    fields.to_vec()
}

fn content_header() -> Vec<u8> {
    octets("003c 0000 | 0000000000000000 | 2000")
}

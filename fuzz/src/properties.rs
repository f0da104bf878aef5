//! Content headers and message properties: values survive the wire, octets allocate next to nothing.

use bytes::{Bytes, BytesMut};
use leveret_codec::ContentHeader;

use crate::limits::allocates_at_most;
use crate::script::Script;

/// Either a content header made of the octets, or the octets as a content header.
pub fn check(octets: &[u8]) {
    let mut script = Script::new(octets);
    if script.small() & 1 == 0 {
        if let Some(header) = script.value::<ContentHeader>() {
            let mut encoded = BytesMut::new();
            header.encode(&mut encoded);
            assert_eq!(ContentHeader::decode(&encoded.freeze()), Ok(header));
        }
    } else {
        decode(script.rest());
    }
}

fn decode(octets: &[u8]) {
    let payload = Bytes::copy_from_slice(octets);
    // Strings and tables share the payload's memory: a few octets count who shares it.
    match allocates_at_most(64, || ContentHeader::decode(&payload)) {
        Ok(header) => {
            let mut encoded = BytesMut::new();
            header.encode(&mut encoded);
            assert_eq!(encoded.len(), octets.len(), "{header:?}");
            has_all_but_the_headers(&payload, header);
        }
        Err(error) => {
            assert!(error.offset() <= octets.len(), "{error}");
            if let Ok((header, _)) = ContentHeader::decode_without_headers(&payload) {
                assert!(header.properties.headers.is_none());
            }
        }
    }
}

/// What can be read as a whole can be read without the headers.
fn has_all_but_the_headers(payload: &Bytes, mut header: ContentHeader) {
    let limit = payload.len() + 256;
    let partial = allocates_at_most(limit, || ContentHeader::decode_without_headers(payload));
    let headers = header.properties.headers.take().unwrap_or_default();
    assert_eq!(partial, Ok((header, headers.into_fields())));
}

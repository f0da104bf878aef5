//! Content headers and message properties: values survive the wire, octets allocate next to nothing.

use bytes::{Bytes, BytesMut};
use leveret_codec::{BasicProperties, ContentHeader, DecodeError, LongStr, ShortStr};

use crate::limits::allocates_at_most;
use crate::script::Script;

/// Either a content header made of the octets, or the octets as a content header.
pub fn check(octets: &[u8]) {
    let mut script = Script::new(octets);
    if script.small() & 1 == 0 {
        if let Some(header) = script.value::<ContentHeader>() {
            let mut encoded = BytesMut::new();
            header.encode(&mut encoded);
            assert_eq!(ContentHeader::decode(&encoded.freeze()).as_ref(), Ok(&header));
            let properties = &header.properties;
            for text in [&properties.correlation_id, &properties.content_type] {
                is_the_same_text(text.as_ref().unwrap_or(&ShortStr::EMPTY));
            }
        }
    } else {
        decode(script.rest());
    }
}

fn decode(octets: &[u8]) {
    let payload = Bytes::copy_from_slice(octets);
    // Strings and tables share the payload's memory: a few octets count who shares it.
    let decoded = allocates_at_most(64, || ContentHeader::decode(&payload));
    is_read_the_same_in_place(octets, &decoded);
    match decoded {
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

/// A buffer that is used again is read to the same end, and nothing of it kept: no more is copied than
/// there is.
fn is_read_the_same_in_place(octets: &[u8], decoded: &Result<ContentHeader, DecodeError>) {
    let mut properties = BasicProperties::EMPTY;
    let limit = 2 * octets.len() + 256;
    let filled_in = allocates_at_most(limit, || properties.fill_in(octets));
    match decoded {
        Ok(header) => {
            assert_eq!((filled_in, &properties), (Ok(header.body_size), &header.properties));
        }
        Err(error) => assert_eq!(filled_in.as_ref(), Err(error)),
    }
}

/// What can be read as a whole can be read without the headers.
fn has_all_but_the_headers(payload: &Bytes, mut header: ContentHeader) {
    let limit = payload.len() + 256;
    let partial = allocates_at_most(limit, || ContentHeader::decode_without_headers(payload));
    let headers = header.properties.headers.take().unwrap_or_default();
    assert_eq!(partial, Ok((header, headers.into_fields())));
}

/// However it is made, the string is the same, and it is text if its octets are.
fn is_the_same_text(string: &ShortStr) {
    assert!(string.len() <= ShortStr::MAX_LEN && string.is_empty() == string.as_bytes().is_empty());
    assert_eq!(ShortStr::new(string.clone().into_bytes()).as_ref(), Ok(string));
    assert_eq!((&string.detached(), string.as_bytes()), (string, string.as_ref()));
    let lossy = string.to_string_lossy();
    assert_eq!(string.to_string(), lossy);
    assert!(lossy.starts_with(&ShortStr::truncated(&lossy).to_string()));
    match string.as_str() {
        Ok(text) => {
            assert!(*string == *text && *string == text);
            assert_eq!(ShortStr::try_from(text).as_ref(), Ok(string));
            assert_eq!(
                LongStr::try_from(lossy.into_owned()).map(LongStr::into_bytes),
                Ok(string.clone().into_bytes())
            );
        }
        Err(_) => assert!(lossy.contains(char::REPLACEMENT_CHARACTER)),
    }
    let twice = [string.as_bytes(), string.as_bytes()].concat();
    assert_eq!(ShortStr::new(twice).is_err(), string.len() > ShortStr::MAX_LEN / 2);
}

//! Methods: values survive the wire, octets allocate next to nothing.

use bytes::{Bytes, BytesMut};
use leveret_codec::Method;

use crate::limits::allocates_at_most;
use crate::script::Script;

/// Either a method made of the octets, or the octets as a method.
pub fn check(octets: &[u8]) {
    let mut script = Script::new(octets);
    if script.small() & 1 == 0 {
        if let Some(method) = script.value::<Method>() {
            let mut encoded = BytesMut::new();
            method.encode(&mut encoded);
            assert_eq!(Method::decode(&encoded.freeze()), Ok(method));
        }
    } else {
        decode(script.rest());
    }
}

fn decode(octets: &[u8]) {
    let payload = Bytes::copy_from_slice(octets);
    // Strings and tables share the payload's memory: a few octets count who shares it.
    let decoded = allocates_at_most(64, || Method::decode(&payload));
    match decoded {
        Ok(method) => {
            assert!(format!("{method:?}").len() >= method.name().len() / 2);
            if let Method::ConnectionClose(close) = method {
                let code = close.reply_code;
                assert_eq!(code.to_string() == code.0.to_string(), code.name().is_none());
                assert!(code.name().is_some() || code.level().is_none());
            }
        }
        Err(error) => {
            assert!(error.offset() <= octets.len(), "{error}");
            assert!(allocates_at_most(1024, || error.to_string()).len() < 200);
        }
    }
}

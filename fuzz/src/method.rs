//! Methods: values survive the wire, octets allocate next to nothing.

use bytes::{Bytes, BytesMut};
use leveret_codec::{DecodeError, DeliverRef, Method, ShortStr};

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
    is_read_the_same_in_place(octets, &decoded);
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

/// A buffer that is used again is read to the same end, and nothing of it kept: no more is copied than
/// there is.
fn is_read_the_same_in_place(octets: &[u8], decoded: &Result<Method, DecodeError>) {
    let copied = allocates_at_most(2 * octets.len() + 256, || Method::decode_copied(octets));
    assert_eq!(&copied, decoded);
    match (allocates_at_most(0, || DeliverRef::decode(octets)), decoded) {
        (Ok(Some(read)), Ok(Method::BasicDeliver(deliver))) => {
            let DeliverRef { consumer_tag, delivery_tag, redelivered, exchange, routing_key } =
                read;
            let read = [consumer_tag, exchange, routing_key];
            let expected = [&deliver.consumer_tag, &deliver.exchange, &deliver.routing_key];
            assert_eq!(read, expected.map(ShortStr::as_bytes));
            assert_eq!((delivery_tag, redelivered), (deliver.delivery_tag, deliver.redelivered));
        }
        (Ok(None), Ok(method)) => assert!(!matches!(method, Method::BasicDeliver(_))),
        (Ok(None), Err(_)) => assert!(!octets.starts_with(&[0, 60, 0, 60])),
        (Err(error), Err(expected)) => assert_eq!(error, *expected),
        (read, decoded) => panic!("{read:?}, and not {decoded:?}"),
    }
}

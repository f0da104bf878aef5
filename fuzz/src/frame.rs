//! Frames from octets: nothing is lost, and what was understood can be said again.

use bytes::{Bytes, BytesMut};
use leveret_codec::{AmqpCodec, Frame, FramedError, ProtocolHeader};
use tokio_util::codec::{Decoder, Encoder};

/// The largest payload that is taken.
const MAX_PAYLOAD: u32 = 0x1_0000;

/// Decodes all there is, and each frame of it again.
pub fn check(octets: &[u8]) {
    let whole = Bytes::copy_from_slice(octets);
    let mut rest = BytesMut::from(octets);
    let mut frames = Vec::new();
    let mut taken = 0;
    let end = loop {
        let result = Frame::decode(&mut rest, MAX_PAYLOAD);
        assert_eq!(rest, whole[whole.len() - rest.len()..], "what is left is what was there");
        match result {
            Ok(Some(frame)) => {
                let end = whole.len() - rest.len();
                survives(&frame, &whole[taken..end]);
                taken = end;
                frames.push(frame);
            }
            Ok(None) => break None,
            Err(error) => {
                assert!(error.to_string().starts_with(error.subject()), "{error}");
                assert!(error.to_string().ends_with(&error.problem().to_string()), "{error}");
                assert!(error.reply_code().level().is_some(), "{error}");
                break Some(error);
            }
        }
    };
    framed_agrees(octets, &frames, end.is_some());
}

/// The frame is the same when it has been over the wire, and so are its octets, if they were those
/// that an encoder would choose.
fn survives(frame: &Frame, octets: &[u8]) {
    let mut encoded = BytesMut::new();
    frame.encode(&mut encoded);
    let once = encoded.clone();
    let again = Frame::decode(&mut encoded, u32::MAX);
    assert_eq!(again.as_ref(), Ok(&Some(frame.clone())));
    assert!(encoded.is_empty());

    let mut twice = BytesMut::new();
    for again in again.into_iter().flatten() {
        AmqpCodec::new(0).encode(again, &mut twice).expect("encoding cannot fail");
    }
    assert_eq!(once, twice);
    assert_eq!(plain(frame, &once), plain(frame, octets), "{frame:?}");
}

/// The octets without what AMQP lets a sender choose and a receiver ignore: unused bits, the
/// weight of a content header, and reserved fields.
fn plain(frame: &Frame, octets: &[u8]) -> Vec<u8> {
    let mut octets = octets.to_vec();
    match frame {
        Frame::Header { .. } => {
            octets[9..11].fill(0);
            octets[20] &= !0b11;
        }
        Frame::Method { method, .. } if RELAXED.contains(&method.name()) => {
            octets.truncate(11);
            octets[3..7].fill(0);
        }
        _ => {}
    }
    octets
}

/// Methods with reserved fields or packed bits.
const RELAXED: [&str; 25] = [
    "connection.open",
    "connection.open-ok",
    "channel.open",
    "channel.open-ok",
    "channel.flow",
    "channel.flow-ok",
    "queue.declare",
    "queue.bind",
    "queue.purge",
    "queue.delete",
    "queue.unbind",
    "basic.qos",
    "basic.consume",
    "basic.cancel",
    "basic.publish",
    "basic.deliver",
    "basic.get",
    "basic.get-ok",
    "basic.get-empty",
    "basic.ack",
    "basic.reject",
    "basic.recover-async",
    "basic.recover",
    "basic.nack",
    "confirm.select",
];

/// tokio-util's decoder is the same one, but for the protocol header that may come first.
fn framed_agrees(octets: &[u8], frames: &[Frame], fails: bool) {
    let mut codec = AmqpCodec::new(0);
    codec.set_frame_max(MAX_PAYLOAD + 8);
    let mut rest = BytesMut::from(octets);
    for expected in frames {
        let found = codec.decode(&mut rest);
        assert!(matches!(&found, Ok(Some(found)) if found == expected), "{found:?}");
    }
    let header_possible = frames.is_empty() && ProtocolHeader::could_begin(octets);
    match codec.decode(&mut rest) {
        Ok(frame) => assert_eq!((frame, fails && !header_possible), (None, false)),
        Err(FramedError::Decode(_)) => assert!(fails),
        Err(FramedError::Io(error)) => panic!("{error}"),
    }
}

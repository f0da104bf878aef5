//! Deliveries that are taken from where they lie, and those that are not.

use super::content::{body, deliver, header};
use super::*;
use core::slice::from_ref;
use leveret_codec::PropertiesRef;

const LARGEST: usize = 4088;

/// What of a delivery is found at the front of these frames on a connection with one channel.
fn found(frames: &[Frame]) -> Option<(Bytes, usize)> {
    let mut octets = BytesMut::new();
    frames.iter().for_each(|frame| frame.encode(&mut octets));
    let dialogue = Dialogue::with_channels(1);
    let whole = dialogue.connection.whole_delivery(&octets)?;
    assert_eq!(whole.channel, 1);
    assert_eq!(whole.deliver.consumer_tag, b"a");
    let properties = PropertiesRef::decode(whole.properties).unwrap();
    assert_eq!(properties.correlation_id, Some(&b"7"[..]));
    Some((Bytes::copy_from_slice(whole.body), whole.encoded_len))
}

fn delivery() -> [Frame; 3] {
    [on(1, deliver("a")), header(1, 5), body(1, b"hello")]
}

#[test]
fn a_delivery_is_found_with_its_length() {
    let mut octets = BytesMut::new();
    delivery().iter().for_each(|frame| frame.encode(&mut octets));
    let [method, header, body] = delivery();
    let frames = [method, header, body, Frame::Heartbeat];
    assert_eq!(found(&frames), Some(("hello".into(), octets.len())));
}

#[test]
fn one_without_a_body_ends_with_its_header() {
    let frames = [on(1, deliver("a")), header(1, 0), on(1, deliver("b"))];
    assert_eq!(found(&frames).map(|(body, _)| body), Some(Bytes::new()));
}

#[test]
fn what_is_not_ordinary_is_left() {
    let [method, head, last] = delivery();
    let large: &'static [u8] = &[b'x'; LARGEST + 1];
    let [small, too_large] = [LARGEST, LARGEST + 1]
        .map(|size| [method.clone(), header(1, size as u64), body(1, &large[..size])]);
    assert!(found(&small).is_some());
    assert_eq!(found(&too_large), None, "a frame that may be kept instead of copied");
    for frames in [
        &[][..],
        from_ref(&method),
        &[method.clone(), head.clone()],
        &[head.clone(), last.clone()],
        &[Frame::Heartbeat, method.clone(), head.clone(), last.clone()],
        &[method.clone(), Frame::Heartbeat, head.clone(), last.clone()],
        &[method.clone(), head.clone(), Frame::Heartbeat, last.clone()],
        &[method.clone(), header(2, 5), last.clone()],
        &[method.clone(), head.clone(), body(2, b"hello")],
        &[method.clone(), head.clone(), body(1, b"hell")],
        &[method.clone(), head.clone(), body(1, b"hello!")],
        &[method.clone(), head.clone(), head.clone()],
        &[method.clone(), method.clone(), head.clone(), last.clone()],
        &[on(2, deliver("a")), header(2, 5), body(2, b"hello")],
        &[on(0, deliver("a")), header(0, 5), body(0, b"hello")],
        &[on(1, basic::QosOk {}), head.clone(), last.clone()],
    ] {
        assert_eq!(found(frames), None, "{frames:?}");
    }
}

#[test]
fn what_comes_within_or_behind_something_else_is_left() {
    let mut octets = BytesMut::new();
    delivery().iter().for_each(|frame| frame.encode(&mut octets));
    let mut dialogue = Dialogue::with_channels(1);
    dialogue.broker_sends(on(1, deliver("a")));
    assert!(dialogue.connection.whole_delivery(&octets).is_none(), "a header is due");
    dialogue.broker_sends(header(1, 0));
    assert!(dialogue.connection.whole_delivery(&octets).is_none(), "another is to be told first");
    assert!(dialogue.connection.poll_event().is_some());
    assert!(dialogue.connection.whole_delivery(&octets).is_some());
    dialogue.connection.close_channel(1).unwrap();
    assert!(dialogue.connection.whole_delivery(&octets).is_none(), "it will be dropped");
}

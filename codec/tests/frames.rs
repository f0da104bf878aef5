//! Frames in a stream: where one ends, and what is none.

#[path = "octets/mod.rs"]
mod octets;

use bytes::{Bytes, BytesMut};
use leveret_codec::{
    BasicProperties, ContentHeader, DecodeError, Frame, Method, Problem, ProtocolHeader, RawFrame,
    ReplyCode, ShortStr, basic, encode_body,
};
use octets::octets;

const LIMIT: u32 = 4096 - 8;

/// A request as it goes over the wire: every kind of frame, on two channels.
fn stream() -> (Vec<u8>, Vec<Frame>) {
    let octets = octets(
        "01 0001 0000000e | 003c 0028 | 0000 | 00 | 05'tasks' | 01 | ce
         02 0001 00000011 | 003c 0000 | 0000000000000004 | 0400 | 02'c1' | ce
         08 0000 00000000 | ce
         03 0001 00000003 | ce ce ce | ce
         01 ffff 00000004 | 0014 0029 | ce
         03 0001 00000001 | '!' | ce
         03 0001 00000000 | ce",
    );
    let publish =
        basic::Publish { routing_key: short("tasks"), mandatory: true, ..Default::default() };
    let properties =
        BasicProperties { correlation_id: Some(short("c1")), ..BasicProperties::default() };
    let frames = vec![
        Frame::method(1, publish),
        Frame::Header { channel: 1, header: ContentHeader { body_size: 4, properties } },
        Frame::Heartbeat,
        // A body may hold the octet that ends a frame.
        Frame::Body { channel: 1, payload: Bytes::from_static(b"\xce\xce\xce") },
        Frame::method(0xffff, leveret_codec::channel::CloseOk {}),
        Frame::Body { channel: 1, payload: Bytes::from_static(b"!") },
        // RabbitMQ takes an empty body frame, so such a thing can come.
        Frame::Body { channel: 1, payload: Bytes::new() },
    ];
    (octets, frames)
}

#[test]
fn frames_decode_from_their_known_octets() {
    let (octets, frames) = stream();
    assert_eq!(decode_pieces([&octets[..]]), frames);
}

#[test]
fn frames_encode_to_their_known_octets() {
    let (octets, frames) = stream();
    let mut out = BytesMut::new();
    for frame in &frames {
        frame.encode(&mut out);
    }
    assert_eq!(out, octets);
}

#[test]
fn a_stream_cut_anywhere_gives_the_same_frames() {
    let (octets, frames) = stream();
    // Miri takes a hundred times as long for each.
    let step = if cfg!(miri) { 11 } else { 1 };
    for first in (0..=octets.len()).step_by(step) {
        for second in (first..=octets.len()).step_by(step) {
            let pieces = [&octets[..first], &octets[first..second], &octets[second..]];
            assert_eq!(decode_pieces(pieces), frames, "cut at {first} and {second}");
        }
    }
}

#[test]
fn a_stream_octet_by_octet_gives_the_same_frames() {
    let (octets, frames) = stream();
    assert_eq!(decode_pieces(octets.chunks(1)), frames);
}

#[test]
fn an_incomplete_frame_is_left_in_the_buffer() {
    let (octets, _) = stream();
    for length in 0..22 {
        let mut buffer = BytesMut::from(&octets[..length]);
        assert_eq!(Frame::decode(&mut buffer, LIMIT), Ok(None));
        assert_eq!(buffer, octets[..length]);
    }
}

/// Six octets could still announce a small frame; the seventh decides, without any payload.
#[test]
fn an_oversized_frame_is_refused_on_seven_octets() {
    let announced = octets("03 0001 00000ff9");
    assert_eq!(decode(&announced[..6]), Ok(None));
    let error = decode(&announced).unwrap_err();
    assert_eq!(error.problem(), &Problem::FrameTooLarge { size: 4089, limit: 4088 });
    assert_eq!(error.reply_code(), ReplyCode::FRAME_ERROR);
    assert_eq!(
        error.to_string(),
        "frame, octet 3: a payload of 4089 octets is announced, the limit is 4088"
    );

    let largest = [&octets("03 0001 00000ff8")[..], &[0; 4088], &[0xce]].concat();
    let payload = Bytes::from(vec![0; 4088]);
    assert_eq!(decode(&largest), Ok(Some(Frame::Body { channel: 1, payload })));
}

#[test]
fn the_largest_size_is_refused_without_a_limit_too() {
    let mut buffer = BytesMut::from(&octets("03 0001 ffffffff 00")[..]);
    assert_eq!(RawFrame::decode(&mut buffer, |_| u32::MAX), Ok(None));
    assert!(buffer.capacity() < 1024, "nothing is reserved for what is only announced");
}

#[test]
fn a_frame_that_does_not_end_in_ce_is_an_error() {
    let error = decode(&octets("03 0001 00000002 'hi' 'c'")).unwrap_err();
    assert_eq!(error.problem(), &Problem::BadFrameEnd { octet: b'c' });
    assert_eq!(error.offset(), 9);
    assert_eq!(error.reply_code(), ReplyCode::FRAME_ERROR);
}

#[test]
fn an_unknown_type_is_refused_on_its_first_octet() {
    for octet in (0..=u8::MAX).filter(|octet| ![1, 2, 3, 8].contains(octet)) {
        let error = decode(&[octet]).unwrap_err();
        assert_eq!(error.problem(), &Problem::UnknownFrameType { octet });
        assert_eq!((error.subject(), error.offset()), ("frame", 0));
        assert_eq!(error.reply_code(), ReplyCode::FRAME_ERROR);
    }
}

#[test]
fn a_heartbeat_has_neither_payload_nor_channel() {
    assert_eq!(decode(&octets("08 0000 00000000 ce")), Ok(Some(Frame::Heartbeat)));
    for notation in ["08 0000 00000001", "08 0001 00000000"] {
        let error = decode(&octets(notation)).unwrap_err();
        assert_eq!(error.problem(), &Problem::BadHeartbeat, "{notation}");
        assert_eq!(error.reply_code(), ReplyCode::FRAME_ERROR);
    }
}

#[test]
fn a_payload_that_does_not_decode_names_what_it_was() {
    let error = decode(&octets("01 0001 00000003 | 003c 00 | ce")).unwrap_err();
    assert_eq!(error.subject(), "method");
    let error = decode(&octets("02 0001 00000003 | 003c 00 | ce")).unwrap_err();
    assert_eq!(error.subject(), "content header");
}

/// A method is nothing but its payload to a frame.
#[test]
fn a_raw_frame_hands_its_payload_on() {
    let mut buffer = BytesMut::from(&octets("01 0001 00000004 | 003c 000b | ce")[..]);
    let raw = RawFrame::decode(&mut buffer, |_| LIMIT).unwrap().unwrap();
    assert_eq!(Method::decode(&raw.payload), Ok(basic::QosOk {}.into()));
    assert_eq!(Frame::try_from(raw), Ok(Frame::method(1, basic::QosOk {})));
}

#[test]
fn a_body_is_split_into_frames_no_larger_than_the_limit() {
    for (length, sizes) in
        [(0, &[][..]), (1, &[1]), (10, &[10]), (11, &[10, 1]), (30, &[10, 10, 10])]
    {
        let body: Vec<u8> = (0..length).collect();
        let mut out = BytesMut::new();
        encode_body(7, &body, 10, &mut out);

        let mut payloads = Vec::new();
        while let Some(frame) = RawFrame::decode(&mut out, |_| 10).unwrap() {
            assert_eq!(frame.channel, 7);
            payloads.push(frame.payload);
        }
        assert!(out.is_empty());
        assert_eq!(payloads.iter().map(Bytes::len).collect::<Vec<_>>(), sizes);
        assert_eq!(payloads.concat(), body);
    }
}

#[test]
fn the_protocol_header_is_eight_octets() {
    let mut out = BytesMut::new();
    ProtocolHeader::AMQP_0_9_1.encode(&mut out);
    assert_eq!(out, octets("'AMQP' 00 00 09 01"));
    assert_eq!(ProtocolHeader::decode(&out), Some(ProtocolHeader::AMQP_0_9_1));
    assert_eq!(ProtocolHeader::AMQP_0_9_1.to_string(), "AMQP 0 0 9 1");

    for length in 0..8 {
        assert_eq!(ProtocolHeader::decode(&out[..length]), None);
        assert_eq!(ProtocolHeader::could_begin(&out[..length]), length > 0);
    }
    assert!(!ProtocolHeader::could_begin(b"AMQX"));
}

/// Decodes what comes, piece by piece, as a connection does. Nothing may be left over.
fn decode_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Frame> {
    let (mut buffer, mut frames) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        while let Some(frame) = Frame::decode(&mut buffer, LIMIT).unwrap() {
            frames.push(frame);
        }
    }
    assert!(buffer.is_empty());
    frames
}

fn decode(octets: &[u8]) -> Result<Option<Frame>, DecodeError> {
    Frame::decode(&mut BytesMut::from(octets), LIMIT)
}

fn short(text: &'static str) -> ShortStr {
    ShortStr::from_static(text)
}

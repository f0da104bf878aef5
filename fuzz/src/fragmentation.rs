//! Reads end where they like: that changes neither frames nor events nor errors.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use leveret::Instant;
use leveret::connection::{Config, Connection, Event};
use leveret_codec::{DecodeError, Frame, Method, basic};

use crate::peer;
use crate::script::Script;

/// The octets in one read, and in many.
pub fn check(octets: &[u8]) {
    let mut script = Script::new(octets);
    let greeted = script.small() & 1 == 0;
    let cuts = script.octets();
    let octets = script.rest();
    let pieces = pieces(octets, cuts);
    assert_eq!(frames(&[octets]), frames(&pieces));
    assert_eq!(converse(greeted, &[octets]), converse(greeted, &pieces));
}

/// Each cut is the length of a piece; when there are no more, octets come one by one.
fn pieces<'a>(mut octets: &'a [u8], cuts: &[u8]) -> Vec<&'a [u8]> {
    let lengths = cuts.iter().map(|cut| usize::from(*cut)).chain(std::iter::repeat(1));
    let mut pieces = Vec::new();
    for length in lengths {
        if octets.is_empty() {
            break;
        }
        let (piece, rest) = octets.split_at(length.min(octets.len()));
        pieces.push(piece);
        octets = rest;
    }
    pieces
}

fn frames(pieces: &[&[u8]]) -> (Vec<Frame>, Option<DecodeError>) {
    let mut input = BytesMut::new();
    let mut frames = Vec::new();
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            match Frame::decode(&mut input, 4096) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}

/// What a connection sends and says, from its beginning on or with two channels open.
fn converse(greeted: bool, pieces: &[&[u8]]) -> (Bytes, Vec<Event>) {
    let now = Instant::from_start(Duration::from_secs(1000));
    let config = Config {
        frame_max: 4096,
        max_body_size: 0x1_0000,
        max_received_frame: 0x4000,
        ..Config::default()
    };
    let mut connection = Connection::new(config, now);
    let mut input = BytesMut::new();
    if greeted {
        connection.handle_input(now, &mut peer::handshake(4096, 5, 0));
        for expected in 1..=2 {
            let channel = connection.open_channel().expect("the connection is open");
            assert_eq!(channel, expected);
            let open_ok = peer::answer(channel, &leveret_codec::channel::Open {}.into());
            connection.handle_input(now, &mut peer::encoded(open_ok));
        }
        let consume = Method::from(basic::Consume::default());
        connection.send(1, consume).expect("the channel is open");
    }
    for piece in pieces {
        input.extend_from_slice(piece);
        connection.handle_input(now, &mut input);
    }
    connection.handle_eof();
    let mut output = BytesMut::new();
    connection.poll_transmit(now, &mut output);
    let events = std::iter::from_fn(|| connection.poll_event()).collect();
    (output.freeze(), events)
}

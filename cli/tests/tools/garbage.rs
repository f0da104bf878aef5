//! What leveret decode says where frames end and other octets begin.

use std::fs;
use std::path::Path;

use bytes::{Buf, BytesMut};
use leveret_codec::{Frame, ProtocolHeader};

use super::decode::{capture, xxd};
use super::program::{run, run_with};

/// Of the protocol header and each frame of a client's capture, where it begins.
fn starts(octets: &[u8]) -> Vec<usize> {
    let mut rest = BytesMut::from(octets);
    let (mut starts, mut at) = (vec![0], 8);
    rest.advance(8);
    while !rest.is_empty() {
        let before = rest.len();
        starts.push(at);
        Frame::decode(&mut rest, u32::MAX).unwrap().unwrap();
        at += before - rest.len();
    }
    starts
}

#[tokio::test]
async fn what_came_before_is_printed_and_offset_and_reason_are_named() {
    let octets = fs::read(capture("4.3", "3-client")).unwrap();
    let starts = starts(&octets);
    let whole = run_with(&["decode"], &octets).await.stdout;
    for (frames, start) in starts.iter().enumerate() {
        let garbage = [&octets[..*start], b"HTTP/1.1"].concat();
        let said = run_with(&["decode"], &garbage).await;
        let before: String = whole.split_inclusive('\n').take(frames).collect();
        assert_eq!((said.code, said.stdout), (Some(1), before));
        // With nothing before it, it is octets all the same: it is no hex.
        let expected = format!(
            "leveret: offset {start} (0x{start:x}): frame, octet 0: 0x48 is no frame type\n"
        );
        assert_eq!(said.stderr, expected);
    }
}

#[tokio::test]
async fn the_offset_is_that_of_the_octet_at_fault() {
    let ack =
        b"\x01\x00\x01\x00\x00\x00\x0d\x00\x3c\x00\x50\x00\x00\x00\x00\x00\x00\x00\x07\x00\xce";
    let heartbeat = b"\x08\x00\x00\x00\x00\x00\x00\xce";
    let changed = |at: usize, octet: u8| {
        let mut octets = ack.to_vec();
        octets[at] = octet;
        [heartbeat.as_slice(), &octets].concat()
    };
    let cases = [
        (changed(20, 0), 28, "frame, octet 20: the frame ends in 0x00 instead of 0xce"),
        (changed(10, 99), 19, "method, octet 4: there is no method 60/99 here"),
        (changed(6, 0x0c), 27, "frame, octet 19: the frame ends in 0x00 instead of 0xce"),
        // basic.consume-ok: a tag of 0 octets, and 8 that nobody asked for.
        (changed(10, 21), 20, "basic.consume-ok, octet 5: 8 octets too many"),
    ];
    for (octets, offset, reason) in cases {
        let said = run_with(&["decode"], &octets).await;
        assert_eq!((said.code, said.stdout.as_str()), (Some(1), "0 heartbeat\n"), "{reason}");
        assert_eq!(said.stderr, format!("leveret: offset {offset} (0x{offset:x}): {reason}\n"));
    }
}

#[tokio::test]
async fn octets_that_are_cut_off_are_told_of() {
    let octets = fs::read(capture("4.3", "3-client")).unwrap();
    let starts = starts(&octets);
    let second = starts[2];
    for (length, reason) in [
        (3, "offset 0 (0x0): the protocol header is cut off: 3 octets of 8 are there".to_owned()),
        (
            second + 5,
            format!(
                "offset {second} (0x{second:x}): the frame is cut off: 5 octets of its first seven are there"
            ),
        ),
        (
            second + 15,
            format!(
                "offset {second} (0x{second:x}): the frame is cut off: 15 octets of 20 are there"
            ),
        ),
    ] {
        let said = run_with(&["decode"], &octets[..length]).await;
        assert_eq!((said.code, said.stderr), (Some(1), format!("leveret: {reason}\n")));
        assert_eq!(said.stdout.lines().count(), if length > second { 2 } else { 0 });
    }
    // Half a login shows nothing of itself.
    let said = run_with(&["decode"], &octets[..second - 20]).await;
    assert!(!said.stderr.contains("guest") && said.code == Some(1), "{said:?}");
}

#[tokio::test]
async fn hex_that_ends_in_something_else_is_decoded_up_to_there() {
    for (text, reason) in [
        ("0800000000\n0000ce\nhello", "line 3 is no hex"),
        ("08000000000000ce0", "the last octet has only one hex digit"),
    ] {
        let said = run_with(&["decode"], text.as_bytes()).await;
        assert_eq!((said.code, said.stdout.as_str()), (Some(1), "0 heartbeat\n"), "{text}");
        assert_eq!(said.stderr, format!("leveret: {reason}\n"));
    }
    let octets = fs::read(capture("4.3", "3-client")).unwrap();
    let lines: Vec<String> = xxd(&octets).lines().map(str::to_owned).collect();
    for (lines, reason) in [
        ([&lines[..2], &lines[3..]].concat(), "line 3 does not follow on the row before it"),
        ([&lines[..3], &lines[1..]].concat(), "line 4 comes again"),
        ([&lines[..3], &["nothing".to_owned()]].concat(), "line 4 is no row of a hex dump"),
    ] {
        let said = run_with(&["decode"], lines.join("\n").as_bytes()).await;
        assert!(said.stdout.starts_with("protocol header"), "{said:?}");
        // What there is of the next frame is cut off, too, and that comes first.
        assert_eq!(said.code, Some(1));
        assert!(said.stderr.contains(reason), "{reason} is not in {}", said.stderr);
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_is_named() {
    let said = run(&["decode", "/nowhere/at-all"]).await;
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("/nowhere/at-all: No such file"), "{}", said.stderr);
}

/// As many lines as the codec finds frames, and an error where it does.
#[tokio::test]
async fn what_was_fuzzed_is_decoded_as_the_codec_does() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/frame");
    let (mut good, mut bad) = (0, 0);
    for entry in fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        let mut rest = BytesMut::from(&fs::read(&path).unwrap()[..]);
        // Others may be text, which is looked at for hex first.
        if !matches!(rest.first(), Some(1 | 2 | 3 | 8 | b'A')) {
            continue;
        }
        let mut frames = 0;
        let whole = loop {
            if ProtocolHeader::decode(&rest).is_some() {
                rest.advance(8);
            } else {
                match Frame::decode(&mut rest, u32::MAX) {
                    Ok(Some(_)) => {}
                    Ok(None) => break rest.is_empty(),
                    Err(_) => break false,
                }
            }
            frames += 1;
        };
        let said = run(&["decode", path.to_str().unwrap()]).await;
        assert_eq!(said.stdout.lines().count(), frames, "{}: {said:?}", path.display());
        assert_eq!(said.code, Some(if whole { 0 } else { 1 }), "{}: {said:?}", path.display());
        if whole { good += 1 } else { bad += 1 }
    }
    assert!(good > 5 && bad > 5, "{good} and {bad}");
}

//! The files of the recording, frame by frame.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::{Buf, Bytes, BytesMut};
use leveret_codec::{Frame, ProtocolHeader, RawFrame};

/// The payload limit of the frame-max that both sides agreed on.
const LIMIT: u32 = 131_072 - 8;

/// A frame and the octets that it was.
pub(crate) struct Recorded {
    pub(crate) octets: Bytes,
    pub(crate) frame: Frame,
}

pub(crate) fn frames(version: &str, name: &str) -> Vec<Frame> {
    let file = directory(version).join(format!("{name}.bin"));
    read(&file).into_iter().map(|recorded| recorded.frame).collect()
}

/// Reads a file to its last octet. A client's begins with the protocol header.
pub(crate) fn read(file: &Path) -> Vec<Recorded> {
    let mut rest = BytesMut::from(&fs::read(file).unwrap()[..]);
    if file.to_string_lossy().ends_with("-client.bin") {
        assert_eq!(ProtocolHeader::decode(&rest), Some(ProtocolHeader::AMQP_0_9_1));
        rest.advance(8);
    }
    let mut recorded = Vec::new();
    let mut whole = rest.clone().freeze();
    while let Some(raw) = RawFrame::decode(&mut rest, |_| LIMIT).unwrap() {
        let octets = whole.split_to(whole.len() - rest.len());
        recorded.push(Recorded { octets, frame: raw.try_into().unwrap() });
    }
    assert!(rest.is_empty(), "{} octets are left of {}", rest.len(), file.display());
    recorded
}

pub(crate) fn files(version: &str) -> Vec<PathBuf> {
    fs::read_dir(directory(version))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "bin"))
        .collect()
}

fn directory(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/captures/rabbitmq-{version}"))
}

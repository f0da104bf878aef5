//! Makes seeds for the corpora of captured conversations between RabbitMQ and a client that is not
//! Leveret, and of scripts that lead the engines to where they work:
//!
//! ```sh
//! cargo run -p leveret-fuzz --example seeds -- FOLDER
//! ```
//!
//! Each target gets a folder in there. A fuzzer takes it from here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use bytes::{Buf, BytesMut};
use leveret_codec::{Frame, Method, ProtocolHeader};

fn main() -> io::Result<()> {
    let folder = std::env::args_os().nth(1).expect("the folder to write to");
    let seeds = Seeds { folder: folder.into() };
    for version in ["3.10", "4.3"] {
        for connection in 1..=3 {
            let server = frames(version, connection, "server")?;
            let client = frames(version, connection, "client")?;
            seeds.octets(&server)?;
            seeds.octets(&client)?;
            seeds.server_script(&server)?;
            seeds.client_script(&client)?;
        }
    }
    seeds.engines()?;
    seeds.uris()
}

/// The frames of a captured direction, as octets, without the large bodies.
fn frames(version: &str, connection: u8, side: &str) -> io::Result<Vec<Vec<u8>>> {
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../codec/tests/captures");
    let file = captures.join(format!("rabbitmq-{version}/{connection}-{side}.bin"));
    let mut rest = BytesMut::from(&fs::read(file)?[..]);
    if side == "client" {
        assert!(ProtocolHeader::decode(&rest).is_some());
        rest.advance(8);
    }
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let before = rest.clone();
        let frame = Frame::decode(&mut rest, u32::MAX).expect("a capture").expect("whole frames");
        if !matches!(&frame, Frame::Body { payload, .. } if payload.len() > 100) {
            frames.push(before[..before.len() - rest.len()].to_vec());
        }
    }
    Ok(frames)
}

struct Seeds {
    folder: PathBuf,
}

impl Seeds {
    fn write(&self, target: &str, octets: &[u8]) -> io::Result<()> {
        let folder = self.folder.join(target);
        fs::create_dir_all(&folder)?;
        let number = fs::read_dir(&folder)?.count();
        fs::write(folder.join(format!("seed-{number:03}")), octets)
    }

    /// Each kind of frame once.
    fn octets(&self, frames: &[Vec<u8>]) -> io::Result<()> {
        let mut kinds = BTreeSet::new();
        let first = frames.iter().filter(|octets| {
            let ids = if octets[0] == 1 { octets[7..11].to_vec() } else { Vec::new() };
            kinds.insert((octets[0], ids))
        });
        let first: Vec<_> = first.collect();
        for octets in &first {
            let payload = &octets[7..octets.len() - 1];
            self.write("differential", &[&[1], &octets[..]].concat())?;
            match octets[0] {
                1 => {
                    self.write("method", &[&[1], payload].concat())?;
                    if let Ok(Method::ConnectionStart(start)) =
                        Method::decode(&payload.to_vec().into())
                    {
                        let fields = start.server_properties.into_fields();
                        self.write("table", &[&[1], &fields[..]].concat())?;
                    }
                }
                2 => self.write("properties", &[&[1], payload].concat())?,
                _ => {}
            }
        }
        for conversation in first.chunks(6) {
            self.write(
                "frame",
                &conversation.iter().copied().flatten().copied().collect::<Vec<_>>(),
            )?;
        }
        Ok(())
    }

    /// The broker's side, for what a client is made of. Its client has to open a channel meanwhile.
    fn server_script(&self, frames: &[Vec<u8>]) -> io::Result<()> {
        let all = frames.concat();
        self.write("fragmentation", &[&[1, 0, 4, 3, 7, 100, 9], &all[..]].concat())?;
        let later: Vec<u8> = frames[3..].concat();
        self.write("fragmentation", &[&[0, 0, 3, 1, 20, 90], &later[..]].concat())?;
        let mut script = vec![2];
        for octets in &frames[..3] {
            script.extend(step(0, octets));
        }
        script.push(9);
        for octets in &frames[3..] {
            script.extend(step(0, octets));
        }
        self.write("connection", &script)?;
        let spoken: Vec<u8> = frames.iter().flat_map(|octets| step(0, octets)).collect();
        self.write("requester", &[&[1], &spoken[..]].concat())?;
        self.write("responder", &[&[1], &spoken[..]].concat())
    }

    /// The client's side, for the broker.
    fn client_script(&self, frames: &[Vec<u8>]) -> io::Result<()> {
        for version in 0..3 {
            let mut script = vec![version];
            script.extend(step(0, b"AMQP\x00\x00\x09\x01"));
            for octets in frames {
                script.extend(step(0, octets));
            }
            self.write("broker", &script)?;
        }
        Ok(())
    }

    /// Calls, answers and faults, by the numbers of the targets' steps.
    fn engines(&self) -> io::Result<()> {
        const CALL: [u8; 11] = [3, 1, 3, 232, 0, 0, 0, 3, 97, 98, 99];
        const OWN_CHANNEL: [u8; 8] = [3, 0, 3, 232, 0, 0, 0, 0];
        const REPLY: [u8; 9] = [7, 0, 0, 0, 0, 0, 2, 111, 107];
        for end in [&REPLY[..], &[9, 0, 0, 0], &[10, 1, 0], &[12, 5], &[14, 0], &[15], &[5, 0]] {
            self.write("requester", &[&[6], &CALL[..], &[6, 0], end, &[6, 0]].concat())?;
            let own = [&[6], &OWN_CHANNEL[..], &[2, 2, 6, 0], end, &[2, 6, 0]].concat();
            self.write("requester", &own)?;
        }
        const DELIVER: [u8; 9] = [3, 0, 0, 4, 255, 255, 255, 0, 0];
        for end in
            [&[6, 0, 2, 0, 0, 0, 0][..], &[6, 0, 0], &[6, 0, 1], &[10, 1, 2], &[9, 1], &[15, 1, 2]]
        {
            let script =
                [&[6], &DELIVER[..], &DELIVER[..], end, &[12, 9, 2, 2, 2], &DELIVER[..], end];
            self.write("responder", &script.concat())?;
        }
        // A server in the first client, a caller in the second; and then the rest of what they say.
        let log_in = [3, 3 | 1 << 6, 3 | 2 << 6];
        let serve = [4, 4, 0, 0, 0, 4, 10, 12, 0, 0];
        let call = [4 | 1 << 6, 13, 0, 9 | 1 << 6, 0b0001_0110, 0, 0, 0, 2];
        let reply = [9, 0, 0, 0, 0, 1, 4, 16, 0];
        self.dying_messages()?;
        for kind in 0..24 {
            for bits in [0x00, 0xff, 0x2c] {
                let usual = [4, kind, bits, 0, 0];
                let script =
                    [&[kind], &log_in[..], &serve, &call, &usual, &reply, &usual, &[12, 20]];
                self.write("broker", &script.concat())?;
            }
        }
        Ok(())
    }

    /// Messages that expire, are refused, and go to another queue; and headers without a bottom.
    fn dying_messages(&self) -> io::Result<()> {
        let queues = [3, 4, 4, 0x84, 4, 4, 0, 0, 0];
        let publish = [9, 0x10, 0, 0, 0, 1];
        let look = [12, 1, 4, 15, 0x10];
        let refuse = [4, 15, 4, 4, 19, 0, 4, 15, 4, 4, 18, 0];
        let deep = (0..40).fold(vec![1, b'a', b'V'], |inner, _| {
            let length = u32::try_from(inner.len()).expect("a seed is short").to_be_bytes();
            [&[1, b't', b'F'], &length[..], &inner].concat()
        });
        let length = u32::try_from(deep.len()).expect("a seed is short").to_be_bytes();
        let properties = [&[0xa0, 0, 3, b'a', b'/', b'b'], &length[..], &deep].concat();
        let unread = [step(15, &properties), vec![0, 4], b"body".to_vec()].concat();
        for version in 0..3 {
            for end in [&look[..], &refuse] {
                for message in [&publish[..], &unread] {
                    self.write(
                        "broker",
                        &[&[version], &queues[..], message, message, end, &look].concat(),
                    )?;
                }
            }
        }
        Ok(())
    }

    fn uris(&self) -> io::Result<()> {
        for uri in [
            "amqp://",
            "amqps://user:password@host:5671/vhost?heartbeat=30",
            "amqp://alice:s%40crets@[::1]/orders?heartbeat=30&connection_timeout=1000",
            "amqp://host/%2f?channel_max=10&frame_max=8192&auth_mechanism=PLAIN",
            "amqp://host?auth_mechanism=external&auth_mechanism=amqplain",
            "amqp://us%C3%A9r@h%C3%B6st/",
            "amqp://user:@127.0.0.1:1/a%2fb",
            "AMQP://localhost:65535",
            "amqp://host:0",
            "amqp://a@b@c",
            "amqp://host?cacertfile=/etc/ca.pem",
            "amqp://host/a/b#c",
            "http://host",
        ] {
            self.write("uri", uri.as_bytes())?;
        }
        Ok(())
    }
}

/// A step with octets behind it.
fn step(number: u8, octets: &[u8]) -> Vec<u8> {
    let length = u16::try_from(octets.len()).expect("large bodies are left out");
    [&[number], &length.to_be_bytes()[..], octets].concat()
}

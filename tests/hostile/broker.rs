//! Hostile clients against the broker inside the process. A real call on the same broker shows
//! afterwards that it still serves others.

mod floods;
mod frames;
mod growth;
mod handshake;
mod keeping;
mod messages;
mod rogue;
mod tables;

use std::fmt;

use leveret::ReplyCode;
use leveret::broker::Broker;
use leveret_codec::connection;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::arena::{Outcome, attack_in_ways, call_through};
use crate::support::wire::{CAPABILITIES, Handshake, Wire, read_to_end};

/// What a client may be told of what it did.
#[derive(Debug, Clone, Copy)]
pub(super) enum Verdict {
    /// connection.close with a code and words that name it.
    Told(ReplyCode, &'static str),
    /// The end of the socket, without a word: as RabbitMQ does where it did not foresee something.
    Silence,
}

/// A client that has behaved up to an open channel 1 sends each of these, on a connection of its own
/// each time.
pub(super) fn attack_broker(
    name: impl fmt::Display,
    attacks: impl IntoIterator<Item = (Vec<u8>, Verdict)>,
) {
    let attacks: Vec<_> = attacks.into_iter().collect();
    attack_in_ways(attacks.len(), name, "broker", async {
        let broker = Broker::start().await.unwrap();
        let mut outcome = None;
        for (octets, verdict) in &attacks {
            let mut wire = open_channel(&broker).await;
            wire.send_octets(octets).await;
            outcome = Some(expect(wire, *verdict).await);
        }
        call_through(&broker).await;
        outcome.expect("there is an attack")
    });
}

/// What the broker says to the client before the end.
pub(super) async fn expect(mut wire: Wire, verdict: Verdict) -> Outcome {
    match verdict {
        Verdict::Told(code, names) => {
            let close: connection::Close = wire.expect(0).await;
            let text = close.reply_text.to_string();
            assert_eq!(close.reply_code, code, "{text}");
            assert!(text.contains(names), "{text}");
            wire.send(0, connection::CloseOk {}).await;
            wire.expect_end().await;
            Outcome::told(code, text)
        }
        Verdict::Silence => {
            wire.expect_end().await;
            Outcome::said("(hangs up)")
        }
    }
}

pub(super) async fn tcp(broker: &Broker) -> TcpStream {
    let stream = TcpStream::connect(broker.address()).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

pub(super) fn login() -> Handshake {
    Handshake {
        capabilities: &CAPABILITIES,
        user: "guest".to_owned(),
        password: "guest".to_owned(),
        virtual_host: "/".to_owned(),
        tune: |connection::Tune { channel_max, frame_max, heartbeat }| connection::TuneOk {
            channel_max,
            frame_max,
            heartbeat,
        },
    }
}

pub(super) async fn open_channel(broker: &Broker) -> Wire {
    let mut wire = login().open(tcp(broker).await).await;
    wire.open_channel(1).await;
    wire
}

/// What comes back for octets of any kind on a new socket, until the broker hangs up.
pub(super) async fn answer_to(broker: &Broker, octets: &[u8]) -> Vec<u8> {
    let mut stream = tcp(broker).await;
    stream.write_all(octets).await.unwrap();
    read_to_end(stream).await
}

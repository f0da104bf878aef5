//! A broker made by a test: it says what the test has it say, to the first who connects.
//!
//! Each of the functions that take a stream leads the dialogue up to what its name says was heard
//! last, so that a test goes on from where the broker is to be at fault.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::net::SocketAddr;
use std::time::Duration;

use leveret_codec::{
    BasicProperties, FieldTable, Frame, LongStr, Method, ShortStr, basic, channel, connection,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::support::wire::Wire;

/// Whoever finds this in a message has found a leak.
pub(crate) const PASSWORD: &str = "open-sesame";

/// The longest that a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    dialogue: JoinHandle<()>,
}

impl Fake {
    pub(crate) async fn new<F, D>(dialogue: F) -> Self
    where
        F: FnOnce(TcpStream) -> D + Send + 'static,
        D: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let dialogue = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            dialogue(stream).await;
        });
        Self { address, dialogue }
    }

    pub(crate) fn url(&self) -> String {
        format!("amqp://alice:{PASSWORD}@{}", self.address)
    }

    /// The dialogue has gone as it was written, to its end.
    pub(crate) async fn finish(self) {
        patiently("the end of the dialogue", self.dialogue).await.unwrap();
    }
}

// ---------------------------------------------------------------------- how far it has come

/// The protocol header.
pub(crate) async fn until_header(mut stream: TcpStream) -> TcpStream {
    let mut header = [0; 8];
    patiently("a header", stream.read_exact(&mut header)).await.unwrap();
    assert_eq!(&header, b"AMQP\x00\x00\x09\x01");
    stream
}

/// The login, which shows that there is a password to be kept.
pub(crate) async fn until_start_ok(stream: TcpStream) -> Wire {
    let mut wire = Wire::new(until_header(stream).await);
    wire.send(0, start()).await;
    let Method::ConnectionStartOk(start_ok) = hear(&mut wire, 0, "connection.start-ok").await
    else {
        unreachable!()
    };
    let response = format!("\0alice\0{PASSWORD}");
    assert_eq!(start_ok.response.0.as_bytes(), response.as_bytes());
    wire
}

pub(crate) async fn until_open(stream: TcpStream) -> Wire {
    let mut wire = until_start_ok(stream).await;
    wire.send(0, tune()).await;
    hear(&mut wire, 0, "connection.tune-ok").await;
    hear(&mut wire, 0, "connection.open").await;
    wire
}

pub(crate) async fn until_channel_open(stream: TcpStream) -> Wire {
    let mut wire = until_open(stream).await;
    wire.send(0, connection::OpenOk {}).await;
    hear(&mut wire, 1, "channel.open").await;
    wire
}

pub(crate) async fn until_consume(stream: TcpStream) -> Wire {
    let mut wire = until_channel_open(stream).await;
    wire.send(1, channel::OpenOk {}).await;
    hear(&mut wire, 1, "basic.consume").await;
    wire
}

/// The client is ready for calls.
pub(crate) async fn subscribed(stream: TcpStream) -> Wire {
    let mut wire = until_consume(stream).await;
    wire.send(1, consume_ok()).await;
    wire
}

// ---------------------------------------------------------------------- what is said

pub(crate) fn start() -> connection::Start {
    start_with_capability("direct_reply_to")
}

pub(crate) fn start_with_capability(name: &'static str) -> connection::Start {
    let mut capabilities = FieldTable::new();
    capabilities.insert(name, true).unwrap();
    let mut server_properties = FieldTable::new();
    server_properties.insert("product", "Fake").unwrap();
    server_properties.insert("capabilities", capabilities).unwrap();
    connection::Start {
        version_major: 0,
        version_minor: 9,
        server_properties,
        mechanisms: LongStr::from_static("AMQPLAIN PLAIN"),
        locales: LongStr::from_static("en_US"),
    }
}

pub(crate) fn tune() -> connection::Tune {
    connection::Tune { channel_max: 2047, frame_max: 4096, heartbeat: 60 }
}

pub(crate) fn consume_ok() -> basic::ConsumeOk {
    basic::ConsumeOk { consumer_tag: ShortStr::from_static("replies") }
}

/// All of it, and then the end.
pub(crate) async fn say_and_hang_up(mut stream: TcpStream, octets: &[u8]) {
    patiently("sending", stream.write_all(octets)).await.unwrap();
    patiently("hanging up", stream.shutdown()).await.unwrap();
}

// ---------------------------------------------------------------------- what is heard

/// The next method, which is the one of this name.
pub(crate) async fn hear(wire: &mut Wire, channel: u16, name: &str) -> Method {
    let (found, method) = wire.method().await;
    assert_eq!((found, method.name()), (channel, name));
    method
}

/// A request on channel 1 with a body of at most one frame.
pub(crate) async fn hear_request(wire: &mut Wire) -> BasicProperties {
    hear(wire, 1, "basic.publish").await;
    let Frame::Header { channel: 1, header } = wire.frame().await else {
        panic!("a content header was expected")
    };
    if header.body_size > 0 {
        let frame = wire.frame().await;
        assert!(matches!(frame, Frame::Body { channel: 1, .. }), "a body was expected: {frame:?}");
    }
    header.properties
}

/// The client says goodbye, and nothing else.
pub(crate) async fn hear_goodbye(mut wire: Wire) {
    hear(&mut wire, 0, "connection.close").await;
    wire.send(0, connection::CloseOk {}).await;
    wire.expect_end().await;
}

/// Waits, but not for ever.
async fn patiently<T>(what: &str, future: impl Future<Output = T>) -> T {
    let limited = tokio::time::timeout(PATIENCE, future).await;
    limited.unwrap_or_else(|_| panic!("{what}: nothing within {PATIENCE:?}"))
}

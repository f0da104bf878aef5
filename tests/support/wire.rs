//! [`Wire`]: AMQP by hand. A test writes what a peer would send and names what it expects back.
//!
//! Whatever comes instead fails the test with both in the message. Every wait has a limit far above
//! what a broker needs, so a test may fail late but cannot hang.

#![allow(dead_code, reason = "each test binary uses a part of it")]

mod content;
mod expected;
mod handshake;

use std::future::Future;
use std::io::ErrorKind;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::{SinkExt, StreamExt};
use leveret_codec::{
    AmqpCodec, FieldTable, FieldValue, Frame, FramedError, Method, ReplyCode, channel, connection,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::codec::Framed;

pub(crate) use content::{Content, content_frames, nested};
pub(crate) use expected::Expected;
pub(crate) use handshake::{CAPABILITIES, Handshake};

/// The longest that a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(10);

/// One connection, of which the test is one end.
pub(crate) struct Wire {
    frames: Framed<TcpStream, AmqpCodec>,
    /// What the broker said of itself; empty until [`Handshake`] has read it.
    server_properties: FieldTable,
    /// The largest payload of a frame that may be sent.
    payload_max: u32,
}

impl Wire {
    /// `stream` with nothing said. Frames of any size are read.
    pub(crate) fn new(stream: TcpStream) -> Self {
        let frames = Framed::new(stream, AmqpCodec::new(u32::MAX));
        Self { frames, server_properties: FieldTable::EMPTY, payload_max: 4096 - 8 }
    }

    pub(crate) fn server_property(&self, name: &str) -> Option<String> {
        self.server_properties.get(name)?.as_str().map(str::to_owned)
    }

    pub(crate) fn server_has_capability(&self, name: &str) -> bool {
        match self.server_properties.get("capabilities") {
            Some(FieldValue::Table(capabilities)) => {
                capabilities.get(name) == Some(FieldValue::Bool(true))
            }
            _ => false,
        }
    }

    pub(crate) async fn open_channel(&mut self, number: u16) {
        self.call::<channel::OpenOk>(number, channel::Open {}).await;
    }

    /// Sends a method and awaits the answer to it.
    pub(crate) async fn call<M: Expected>(&mut self, channel: u16, method: impl Into<Method>) -> M {
        self.send(channel, method).await;
        self.expect(channel).await
    }

    pub(crate) async fn send(&mut self, channel: u16, method: impl Into<Method>) {
        self.send_frame(Frame::method(channel, method)).await;
    }

    pub(crate) async fn send_frame(&mut self, frame: Frame) {
        patiently("sending", self.frames.send(frame)).await.unwrap();
    }

    /// Sends octets that need not be frames.
    pub(crate) async fn send_octets(&mut self, octets: &[u8]) {
        patiently("sending", self.frames.get_mut().write_all(octets)).await.unwrap();
    }

    /// Sends frames in one write, so that the broker has them together.
    pub(crate) async fn send_together(&mut self, frames: impl IntoIterator<Item = Frame>) {
        let mut octets = BytesMut::new();
        frames.into_iter().for_each(|frame| frame.encode(&mut octets));
        self.send_octets(&octets).await;
    }

    /// The next frame that is no heartbeat.
    pub(crate) async fn frame(&mut self) -> Frame {
        loop {
            match self.frame_or_heartbeat().await {
                Frame::Heartbeat => {}
                frame => return frame,
            }
        }
    }

    pub(crate) async fn frame_or_heartbeat(&mut self) -> Frame {
        match patiently("a frame", self.frames.next()).await {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => panic!("a frame was expected: {error}"),
            None => panic!("a frame was expected, and the connection has ended"),
        }
    }

    /// The next method on any channel.
    pub(crate) async fn method(&mut self) -> (u16, Method) {
        match self.frame().await {
            Frame::Method { channel, method } => (channel, method),
            other => panic!("a method was expected: {other:?}"),
        }
    }

    /// The next frame, which is method `M` on `channel`.
    pub(crate) async fn expect<M: Expected>(&mut self, channel: u16) -> M {
        let (found, method) = self.method().await;
        assert_eq!(found, channel, "{} was expected there: {method:?}", M::NAME);
        M::try_from_method(method)
            .unwrap_or_else(|other| panic!("{} was expected: {other:?}", M::NAME))
    }

    /// The next frame closes `channel`, and the test agrees. `failed` is the class and the method
    /// that the broker blames.
    pub(crate) async fn expect_channel_close(
        &mut self,
        channel: u16,
        code: ReplyCode,
        text: &str,
        failed: (u16, u16),
    ) {
        let close: channel::Close = self.expect(channel).await;
        let found =
            (close.reply_code, &*close.reply_text.to_string(), (close.class_id, close.method_id));
        assert_eq!(found, (code, text, failed));
        self.send(channel, channel::CloseOk {}).await;
    }

    /// The next frame closes the connection, the test agrees, and the broker hangs up.
    pub(crate) async fn expect_connection_close(
        mut self,
        code: ReplyCode,
        text: &str,
        failed: (u16, u16),
    ) {
        let close: connection::Close = self.expect(0).await;
        let found =
            (close.reply_code, &*close.reply_text.to_string(), (close.class_id, close.method_id));
        assert_eq!(found, (code, text, failed));
        // RabbitMQ may have hung up already: it does not wait for an answer to every fault.
        let _ = self.frames.send(Frame::method(0, connection::CloseOk {})).await;
        self.expect_end().await;
    }

    /// The broker hangs up without another frame. A reset is an end too: RabbitMQ does not linger.
    pub(crate) async fn expect_end(mut self) {
        loop {
            match patiently("the end", self.frames.next()).await {
                None => return,
                Some(Ok(Frame::Heartbeat)) => {}
                Some(Err(FramedError::Io(error))) if error.kind() == ErrorKind::ConnectionReset => {
                    return;
                }
                Some(other) => panic!("the end was expected: {other:?}"),
            }
        }
    }

    /// The broker has done all that came before on `channel`, and sent nothing meanwhile.
    pub(crate) async fn expect_silence(&mut self, channel: u16) {
        let active = true;
        self.call::<channel::FlowOk>(channel, channel::Flow { active }).await;
    }

    /// The broker sends nothing for a while. It may be late, so this shows less than it seems.
    pub(crate) async fn expect_nothing_for(&mut self, time: Duration) {
        if let Ok(frame) = tokio::time::timeout(time, self.frame()).await {
            panic!("nothing was expected: {frame:?}");
        }
    }

    /// Closes the connection in good order. Hanging up is then left to who closed.
    pub(crate) async fn close(mut self) {
        let close =
            connection::Close { reply_code: ReplyCode::REPLY_SUCCESS, ..Default::default() };
        self.call::<connection::CloseOk>(0, close).await;
    }

    /// Ends the connection without a word of AMQP.
    pub(crate) fn hang_up(self) {}

    pub(crate) fn into_stream(self) -> TcpStream {
        self.frames.into_inner()
    }
}

/// Everything that comes until the end.
pub(crate) async fn read_to_end(mut stream: TcpStream) -> Vec<u8> {
    let mut octets = Vec::new();
    match patiently("the end", stream.read_to_end(&mut octets)).await {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
        _ => octets,
    }
}

/// Waits, but not for ever.
pub(crate) async fn patiently<T>(what: &str, future: impl Future<Output = T>) -> T {
    let limited = tokio::time::timeout(PATIENCE, future).await;
    limited.unwrap_or_else(|_| panic!("{what}: nothing within {PATIENCE:?}"))
}

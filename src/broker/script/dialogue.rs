//! [`Dialogue`]: one connection, step by step.

use std::time::Duration;
use std::{fmt, io};

use bytes::BytesMut;
use leveret_codec::{Frame, Method, ProtocolHeader};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{Expected, ScriptError};
use crate::broker::observe::{Direction, ObservedFrame};

/// One connection, of which the script is the broker's end.
pub struct Dialogue {
    stream: Box<dyn Stream>,
    /// What has come and is no whole frame yet.
    input: BytesMut,
    patience: Duration,
    /// What was said, a line each.
    said: Vec<String>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// The longest that a step waits, unless told otherwise.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The largest frame that is read.
const MAX_PAYLOAD: u32 = 64 << 20;

impl Dialogue {
    /// A dialogue over any stream, such as [`tokio::io::duplex`]. Nothing has been said.
    pub fn new(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        let (input, said) = (BytesMut::new(), Vec::new());
        Self { stream: Box::new(stream), input, patience: PATIENCE, said }
    }

    /// How long each step may take: 10 seconds unless set.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    // ------------------------------------------------------------------ what is said

    /// Sends a method.
    ///
    /// # Errors
    /// [`ScriptError`] if the other end is gone, or does not read.
    pub async fn send(
        &mut self,
        channel: u16,
        method: impl Into<Method>,
    ) -> Result<(), ScriptError> {
        self.send_frame(Frame::method(channel, method)).await
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// [`ScriptError`] if the other end is gone, or does not read.
    pub async fn send_frame(&mut self, frame: Frame) -> Result<(), ScriptError> {
        let mut octets = BytesMut::new();
        frame.encode(&mut octets);
        self.write(&octets).await?;
        self.note(Direction::ToClient, frame);
        Ok(())
    }

    /// Sends octets, which need not be frames.
    ///
    /// # Errors
    /// [`ScriptError`] if the other end is gone, or does not read.
    pub async fn send_bytes(&mut self, octets: impl AsRef<[u8]>) -> Result<(), ScriptError> {
        let octets = octets.as_ref();
        self.write(octets).await?;
        self.said.push(format!("client <- {} octets", octets.len()));
        Ok(())
    }

    async fn write(&mut self, octets: &[u8]) -> Result<(), ScriptError> {
        let written = tokio::time::timeout(self.patience, self.stream.write_all(octets)).await;
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.error("somebody who reads", error.to_string())),
            Err(_) => Err(self.error("somebody who reads", "it does not".into())),
        }
    }

    // ------------------------------------------------------------------ what is heard

    /// The AMQP 0-9-1 protocol header.
    ///
    /// # Errors
    /// [`ScriptError`] if something else comes, or nothing in time.
    pub async fn expect_protocol_header(&mut self) -> Result<(), ScriptError> {
        let what = "the protocol header AMQP 0 0 9 1";
        while self.input.len() < 8 {
            if !self.read(what).await? {
                return Err(self.error(what, "the end".into()));
            }
        }
        let octets = self.input.split_to(8);
        if ProtocolHeader::decode(&octets) != Some(ProtocolHeader::AMQP_0_9_1) {
            return Err(self.error(what, format!("\"{}\"", octets.escape_ascii())));
        }
        self.said.push("client -> protocol header".into());
        Ok(())
    }

    /// These octets, which need not be frames.
    ///
    /// # Errors
    /// [`ScriptError`] if others come, or not all of them in time.
    pub async fn expect_bytes(&mut self, octets: impl AsRef<[u8]>) -> Result<(), ScriptError> {
        let octets = octets.as_ref();
        let what = format!("{} certain octets", octets.len());
        while self.input.len() < octets.len() {
            if !self.read(&what).await? {
                return Err(self.error(&what, "the end".into()));
            }
        }
        let found = self.input.split_to(octets.len());
        if let Some(at) = found.iter().zip(octets).position(|(found, expected)| found != expected) {
            return Err(self.error(&what, format!("others, from octet {at} on")));
        }
        self.said.push(format!("client -> {} octets", octets.len()));
        Ok(())
    }

    /// The next frame, which is method `M` on this channel. Heartbeats do not count.
    ///
    /// # Errors
    /// [`ScriptError`] if something else comes, or nothing in time.
    pub async fn expect<M: Expected>(&mut self, channel: u16) -> Result<M, ScriptError> {
        let what = format!("{} on channel {channel}", M::NAME);
        match self.next(&what).await? {
            Frame::Method { channel: found, method } if found == channel => {
                let shown = Frame::Method { channel, method: method.clone() };
                M::try_from_method(method).map_err(|_| self.unexpected(&what, shown))
            }
            other => Err(self.unexpected(&what, other)),
        }
    }

    /// The next frame that is no heartbeat.
    ///
    /// # Errors
    /// [`ScriptError`] if none comes in time.
    pub async fn frame(&mut self) -> Result<Frame, ScriptError> {
        self.next("a frame").await
    }

    /// A heartbeat, which other steps pass over.
    ///
    /// # Errors
    /// [`ScriptError`] if another frame comes, or nothing in time.
    pub async fn expect_heartbeat(&mut self) -> Result<(), ScriptError> {
        match self.next_or_end("a heartbeat").await? {
            Some(Frame::Heartbeat) => Ok(()),
            Some(other) => Err(self.unexpected("a heartbeat", other)),
            None => Err(self.error("a heartbeat", "the end".into())),
        }
    }

    /// The other end hangs up, and says nothing before.
    ///
    /// # Errors
    /// [`ScriptError`] if something comes, or no end in time.
    pub async fn expect_end(&mut self) -> Result<(), ScriptError> {
        loop {
            match self.next_or_end("the end").await? {
                None => return Ok(()),
                Some(Frame::Heartbeat) => {}
                Some(other) => return Err(self.unexpected("the end", other)),
            }
        }
    }

    pub(super) async fn next(&mut self, what: &str) -> Result<Frame, ScriptError> {
        loop {
            match self.next_or_end(what).await? {
                Some(Frame::Heartbeat) => {}
                Some(frame) => return Ok(frame),
                None => return Err(self.error(what, "the end".into())),
            }
        }
    }

    async fn next_or_end(&mut self, what: &str) -> Result<Option<Frame>, ScriptError> {
        loop {
            match Frame::decode(&mut self.input, MAX_PAYLOAD) {
                Ok(Some(frame)) => {
                    self.note(Direction::FromClient, frame.clone());
                    return Ok(Some(frame));
                }
                Ok(None) => {}
                Err(error) => {
                    return Err(self.error(what, format!("octets that are no frame: {error}")));
                }
            }
            if !self.read(what).await? {
                self.said.push("client -> the end".into());
                return Ok(None);
            }
        }
    }

    /// Reads some octets. `false`: there are no more. A reset is an end, too.
    async fn read(&mut self, what: &str) -> Result<bool, ScriptError> {
        let read = tokio::time::timeout(self.patience, self.stream.read_buf(&mut self.input)).await;
        match read {
            Ok(Ok(octets)) => Ok(octets > 0),
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => Ok(false),
            Ok(Err(error)) => Err(self.error(what, error.to_string())),
            Err(_) => {
                let problem = format!("nothing within {:?}", self.patience);
                Err(self.error(what, problem))
            }
        }
    }

    // ------------------------------------------------------------------ the end

    /// Hangs up: nothing more is said, and nothing more is read.
    ///
    /// # Errors
    /// [`ScriptError`] if the other end was gone before.
    pub async fn hang_up(mut self) -> Result<(), ScriptError> {
        self.stop_sending().await
    }

    /// Closes one half of the socket: nothing more is said, and what comes is read as before.
    ///
    /// # Errors
    /// [`ScriptError`] if the other end was gone before.
    pub async fn stop_sending(&mut self) -> Result<(), ScriptError> {
        let shut = tokio::time::timeout(self.patience, self.stream.shutdown()).await;
        match shut {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.error("somebody to hang up on", error.to_string())),
            Err(_) => Err(self.error("somebody to hang up on", "nothing".into())),
        }
    }

    fn note(&mut self, direction: Direction, frame: Frame) {
        self.said.push(ObservedFrame { direction, frame }.to_string());
    }

    pub(super) fn unexpected(&self, what: &str, came: Frame) -> ScriptError {
        let came = ObservedFrame { direction: Direction::FromClient, frame: came }.to_string();
        self.error(what, came)
    }

    fn error(&self, what: &str, came: String) -> ScriptError {
        ScriptError::new(what, came, self.said.clone())
    }
}

impl fmt::Debug for Dialogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialogue").field("said", &self.said).finish_non_exhaustive()
    }
}

//! [`Session`]: the broker's end of one connection, from octets to commands.
//!
//! ```text
//!              header            start-ok            tune-ok          open
//!   ExpectHeader ──▶ ExpectStartOk ──▶ ExpectTuneOk ──────▶ ExpectOpen ──▶ Running
//!                          └──────────────┴─── error ──────────┴─────────────┤
//!                                                                            ▼
//!                                        Closed ◀── close-ok, timeout ── ExpectCloseOk
//! ```

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use core::time::Duration;

use bytes::{Bytes, BytesMut};
use leveret_codec::{
    ContentHeader, DecodeError, FRAME_OVERHEAD, Frame, FrameKind, Method, Problem, ProtocolHeader,
    RawFrame, ReplyCode, connection as method, encode_body,
};

use super::assembly::{decode_method, unexpected};
use super::channel::{Channel, Content};
use super::deep_headers;
use super::heartbeat::Heartbeat;
use super::raise::{Raise, Raised, erlang_binary, reply_text};
use super::settings::Settings;
use crate::Instant;

/// Named by what is awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    ExpectHeader,
    ExpectStartOk,
    ExpectTuneOk,
    ExpectOpen,
    Running,
    /// We have sent close, and drop everything but the answer.
    ExpectCloseOk,
    Closed,
}

/// A method with its content, as a whole.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) channel: u16,
    pub(super) method: Method,
    pub(super) content: Option<Content>,
}

#[derive(Debug)]
pub(super) struct Session {
    pub(super) state: State,
    pub(super) transmit: BytesMut,
    pub(super) frame_max: u32,
    pub(super) channel_max: u16,
    pub(super) heartbeat: Heartbeat,
    pub(super) deadline: Option<Instant>,
    pub(super) user: String,
    pub(super) virtual_host: String,
    pub(super) hears_of_cancel: bool,
    pub(super) hears_of_blocked: bool,
    pub(super) hears_of_refusal: bool,
    /// It has published while an alarm is on, and is read no more until that is over.
    pub(super) blocked: bool,
    /// It is read again, and its task has not noticed yet.
    pub(super) resumed: bool,
    pub(super) channels: BTreeMap<u16, Channel>,
}

/// Octets that may wait for a client to read them while it is read itself. Beyond, what it asks
/// waits in its socket.
const MAX_UNREAD_ANSWERS: usize = 4 << 20;

/// Octets of payload beyond frame-max that are let through.
const TOLERANCE: u32 = 8;

impl Session {
    pub(super) fn new(settings: &Settings, now: Instant) -> Self {
        Self {
            state: State::ExpectHeader,
            transmit: BytesMut::new(),
            frame_max: settings.version.min_frame_max(),
            channel_max: settings.channel_max,
            heartbeat: Heartbeat::new(0, now),
            deadline: Some(now.after(Duration::from_secs(10))),
            user: String::new(),
            virtual_host: String::new(),
            hears_of_cancel: false,
            hears_of_blocked: false,
            hears_of_refusal: false,
            blocked: false,
            resumed: false,
            channels: BTreeMap::new(),
        }
    }

    /// Whether it does not read what it is sent.
    pub(super) fn is_deaf(&self) -> bool {
        self.transmit.len() > MAX_UNREAD_ANSWERS
    }

    // ------------------------------------------------------------------ output

    pub(super) fn send(&mut self, channel: u16, method: impl Into<Method>) {
        Frame::method(channel, method).encode(&mut self.transmit);
    }

    pub(super) fn send_content(
        &mut self,
        channel: u16,
        method: impl Into<Method>,
        content: &Content,
    ) {
        self.send(channel, method);
        let Content { properties, deep_headers, body, .. } = content;
        let body_size = u64::try_from(body.len()).unwrap_or(u64::MAX);
        let header = ContentHeader { body_size, properties: properties.clone() };
        match deep_headers {
            Some(headers) => deep_headers::write(channel, &header, headers, &mut self.transmit),
            None => Frame::Header { channel, header }.encode(&mut self.transmit),
        }
        let payload = self.frame_max.saturating_sub(FRAME_OVERHEAD);
        encode_body(channel, body, payload, &mut self.transmit);
    }

    /// Sends `connection.close` and awaits the answer.
    pub(super) fn close(&mut self, now: Instant, code: ReplyCode, text: &str, ids: (u16, u16)) {
        let (class_id, method_id) = ids;
        let reply_text = reply_text(code, text);
        self.send(0, method::Close { reply_code: code, reply_text, class_id, method_id });
        self.state = State::ExpectCloseOk;
        // The answer is read even in an alarm.
        self.resumed = core::mem::take(&mut self.blocked);
        self.deadline = Some(now.after(Duration::from_secs(30)));
        self.heartbeat = Heartbeat::new(0, now);
    }

    // ------------------------------------------------------------------ input

    /// The next command that the octets make, if they do. Frames of the connection itself are
    /// commands on channel 0.
    pub(super) fn next(
        &mut self,
        settings: &Settings,
        input: &mut BytesMut,
    ) -> Raised<Option<Command>> {
        if self.state == State::ExpectHeader && !self.protocol_header(settings, input)? {
            return Ok(None);
        }
        loop {
            let max_payload = match self.state {
                State::ExpectStartOk | State::ExpectTuneOk => self.frame_max,
                _ => self.frame_max.saturating_sub(FRAME_OVERHEAD).saturating_add(TOLERANCE),
            };
            let frame = match RawFrame::decode(input, |_| max_payload) {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok(None),
                Err(error) => return Err(self.to_strangers(self.bad_frame(&error, input))),
            };
            let command = self.frame(settings, frame).map_err(|raise| self.to_strangers(raise))?;
            if command.is_some() {
                return Ok(command);
            }
        }
    }

    /// Whether it is there, as a whole.
    fn protocol_header(&mut self, settings: &Settings, input: &mut BytesMut) -> Raised<bool> {
        if input.len() < 8 {
            return Ok(false);
        }
        let octets = input.split_to(8);
        match ProtocolHeader::decode(&octets) {
            Some(ProtocolHeader::AMQP_0_9_1 | ProtocolHeader { version: [1, 1, 0, 9] }) => {
                self.state = State::ExpectStartOk;
                self.send(0, settings.start());
                Ok(true)
            }
            other => {
                let version = other.map_or([3, 1, 0, 0], |header| header.version);
                ProtocolHeader { version: settings.version.refusal(version) }
                    .encode(&mut self.transmit);
                Err(Raise::Silence)
            }
        }
    }

    fn frame(&mut self, settings: &Settings, frame: RawFrame) -> Raised<Option<Command>> {
        let RawFrame { kind, channel, payload } = frame;
        match (kind, channel, self.state) {
            (FrameKind::Heartbeat, ..) => Ok(None),
            (FrameKind::Method, 0, _) => {
                let method = decode_method(&payload)?;
                Ok(Some(Command { channel: 0, method, content: None }))
            }
            (_, _, State::ExpectCloseOk) => Ok(None),
            (_, 0, _) | (.., State::ExpectOpen) => {
                let text = format!(
                    "type {}, all octets = {}",
                    kind as u8,
                    erlang_binary(payload.get(..16).unwrap_or(&payload))
                );
                Err(Raise::frame(ReplyCode::UNEXPECTED_FRAME, text))
            }
            (.., State::Running) => self.channel_frame(settings, kind, channel, &payload),
            _ => Err(Raise::Silence),
        }
    }

    fn channel_frame(
        &mut self,
        settings: &Settings,
        kind: FrameKind,
        number: u16,
        payload: &Bytes,
    ) -> Raised<Option<Command>> {
        let Some(channel) = self.channels.get_mut(&number) else {
            if kind != FrameKind::Method {
                return Err(unexpected("expected method frame, got non method frame instead"));
            }
            let method = decode_method(payload)?;
            return Ok(Some(Command { channel: number, method, content: None }));
        };
        channel.assembly.frame(settings, kind, payload).map(|whole| {
            whole.map(|(method, content)| Command { channel: number, method, content })
        })
    }

    /// Whoever has not come as far as tune-ok is told nothing, least of all what was in a login.
    fn to_strangers(&self, raise: Raise) -> Raise {
        match self.state {
            State::ExpectStartOk | State::ExpectTuneOk => Raise::Silence,
            _ => raise,
        }
    }

    fn bad_frame(&self, error: &DecodeError, input: &BytesMut) -> Raise {
        let kind = input.first().copied().unwrap_or_default();
        let (octets, reason) = match error.problem() {
            Problem::FrameTooLarge { size, .. } => {
                let limit = self.frame_max.saturating_sub(FRAME_OVERHEAD);
                ("<<>>".into(), format!("{{frame_too_large,{size},{limit}}}"))
            }
            Problem::BadFrameEnd { octet } => {
                let payload = input.get(7..error.offset()).unwrap_or_default();
                (erlang_binary(payload), format!("{{invalid_frame_end_marker,{octet}}}"))
            }
            _ => (String::from("<<>>"), String::from("unknown_frame")),
        };
        Raise::frame(
            ReplyCode::FRAME_ERROR,
            format!("type {kind}, all octets = {octets}: {reason}"),
        )
    }
}

//! [`Connection`]: the client's end of an AMQP 0-9-1 connection, as a state machine without IO.
//!
//! ```text
//!                      start                 tune                  open-ok
//!   ExpectStart ─────────────▶ ExpectTune ─────────▶ ExpectOpenOk ─────────▶ Open
//!        │        send start-ok │  ▲ │  send tune-ok       │                  │
//!        │                      └──┘ │  and open           │                  │
//!        │                    secure │                     │  our close, or   │
//!        │                           ▼                     ▼  the peer's fault▼
//!        │                   ┌───────┴─────────────────────┴───────┐ ExpectCloseOk
//!        │  end of transport │ close received: send close-ok       │       │
//!        └───────────────────┴──────────────▶ Closed ◀─────────────┴───────┘
//!                                                     close-ok, end of transport, timeout
//! ```
//!
//! Bytes and time go in, bytes and events come out. `handle_*` is input and returns nothing: a
//! failure is one final [`Event::Closed`]. Verbs such as [`publish`](Connection::publish) are the
//! user's commands; they fail only if the user is at fault.

mod channel;
mod config;
mod error;
mod event;
mod frames;
mod handshake;
mod heartbeat;
mod quote;
mod recycled;
mod unreadable;
mod violation;
mod whole;

use alloc::collections::VecDeque;
use core::fmt;

use bytes::{Bytes, BytesMut};
use leveret_codec::{
    BasicProperties, FRAME_OVERHEAD, FieldTable, FieldValue, Frame, Method, ProtocolHeader,
    ReplyCode, Secret, ShortStr, basic, channel as channel_method, connection as method,
    encode_body, encode_header,
};

use self::channel::Channels;
use self::heartbeat::Heartbeat;
use self::unreadable::Oversized;
use crate::Instant;
use crate::time::earlier;

pub use self::channel::{Content, Envelope, Origin};
pub use self::config::{Config, Credentials};
pub(crate) use self::error::said;
pub use self::error::{ConnectionError, NotAmqp};
pub use self::event::{Event, Misuse};
pub use self::unreadable::Unreadable;
pub use self::violation::Violation;
#[doc(hidden)]
pub use self::whole::Whole;

/// The client's end of a connection. See the [module](self) for its states.
pub struct Connection {
    config: Config,
    state: State,
    /// When the handshake or our close has taken too long.
    deadline: Option<Instant>,
    heartbeat: Heartbeat,
    channel_max: u16,
    frame_max: u32,
    server_properties: FieldTable,
    channels: Channels,
    /// What [`update_secret`](Self::update_secret) sent last.
    renewed: Option<Secret>,
    /// A content header that is read past.
    oversized: Option<Oversized>,
    /// The broker has asked for the credentials a second time.
    challenged: bool,
    /// The peer has sent what is no frame.
    is_out_of_step: bool,
    /// What came instead of a first frame, while it is too little to tell what it is.
    greeting: Bytes,
    transmit: BytesMut,
    /// Octets handed out to be sent since the beginning.
    transmitted: u64,
    /// Octets of it that answer the peer, and were not asked for by our user.
    answers: usize,
    events: VecDeque<Event>,
    /// The final event has been made.
    ended: bool,
}

/// Named by what is awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    ExpectStart,
    ExpectTune,
    ExpectOpenOk,
    Open,
    /// We have sent close. Everything but close-ok, and a close that crossed ours, is dropped.
    ExpectCloseOk,
    Closed,
}

impl Connection {
    /// A connection whose transport is up; the protocol header is the first thing it transmits.
    pub fn new(config: Config, now: Instant) -> Self {
        let mut transmit = BytesMut::new();
        ProtocolHeader::AMQP_0_9_1.encode(&mut transmit);
        Self {
            state: State::ExpectStart,
            deadline: Some(now.after(config.handshake_timeout)),
            heartbeat: Heartbeat::new(0, now),
            channel_max: config.channel_max,
            frame_max: config.frame_max,
            server_properties: FieldTable::EMPTY,
            channels: Channels::default(),
            renewed: None,
            oversized: None,
            challenged: false,
            is_out_of_step: false,
            greeting: Bytes::new(),
            transmit,
            transmitted: 0,
            answers: 0,
            events: VecDeque::new(),
            ended: false,
            config,
        }
    }

    // ------------------------------------------------------------------ output

    /// Moves what is to be sent to the end of `out`.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut BytesMut) {
        if self.transmit.is_empty() {
            return;
        }
        self.heartbeat.sent(now);
        self.answers = 0;
        let length = u64::try_from(self.transmit.len()).unwrap_or(u64::MAX);
        self.transmitted = self.transmitted.saturating_add(length);
        if out.is_empty() {
            core::mem::swap(out, &mut self.transmit);
        } else {
            out.extend_from_slice(&self.transmit);
            self.transmit.clear();
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if nothing else happens first.
    pub fn poll_timeout(&self) -> Option<Instant> {
        earlier(self.deadline, self.heartbeat.timeout())
    }

    /// The next event. The last one is [`Event::Closed`].
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front();
        if let Some(Event::ChannelClosed { channel, .. }) = event {
            self.channels.free(channel);
        }
        event
    }

    /// Whether nothing more will be read. What is to be sent should be, before the transport is
    /// closed.
    pub fn is_finished(&self) -> bool {
        self.state == State::Closed
    }

    /// Octets that wait for [`poll_transmit`](Self::poll_transmit).
    pub fn transmit_len(&self) -> usize {
        self.transmit.len()
    }

    /// Octets that [`poll_transmit`](Self::poll_transmit) has handed out since the beginning.
    pub fn transmitted(&self) -> u64 {
        self.transmitted
    }

    // ------------------------------------------------------------------ what is known

    /// What it was made with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What the broker said of itself.
    pub fn server_properties(&self) -> &FieldTable {
        &self.server_properties
    }

    /// Whether the broker announced the capability, such as `direct_reply_to`.
    pub fn server_can(&self, capability: &str) -> bool {
        match self.server_properties.get("capabilities") {
            Some(FieldValue::Table(can)) => can.get(capability) == Some(FieldValue::Bool(true)),
            _ => false,
        }
    }

    /// The negotiated largest frame in octets, header and end included.
    pub fn frame_max(&self) -> u32 {
        self.frame_max
    }

    /// The negotiated number of channels.
    pub fn channel_max(&self) -> u16 {
        self.channel_max
    }

    /// Whether the channel is open: neither side has closed it.
    pub fn is_channel_open(&self, channel: u16) -> bool {
        self.state == State::Open && self.channels.is_open(channel)
    }

    /// Whether another channel can be opened.
    pub fn has_free_channel(&self) -> bool {
        self.state == State::Open && self.channels.has_free(self.channel_max)
    }

    /// Whether content may be sent on the channel: it is open and the broker has not paused it.
    pub fn may_publish(&self, channel: u16) -> bool {
        self.state == State::Open && self.channels.takes_content(channel)
    }

    // ------------------------------------------------------------------ commands

    /// Opens a channel on the lowest free number. [`Event::ChannelOpened`] follows.
    ///
    /// # Errors
    /// [`Misuse`] if the connection is not open or has no channel left.
    pub fn open_channel(&mut self) -> Result<u16, Misuse> {
        self.expect_open()?;
        let channel = self
            .channels
            .allocate(self.channel_max)
            .ok_or(Misuse::NoFreeChannel(self.channel_max))?;
        self.transmit_method(channel, channel_method::Open {});
        Ok(channel)
    }

    /// Closes a channel. [`Event::ChannelClosed`] follows, and nothing from that channel before.
    ///
    /// # Errors
    /// [`Misuse`] if the channel is not open.
    pub fn close_channel(&mut self, channel: u16) -> Result<(), Misuse> {
        self.expect_channel(channel)?;
        if let Some(slot) = self.channels.get_mut(channel) {
            slot.state = channel::State::Closing;
        }
        let close = channel_method::Close {
            reply_code: ReplyCode::REPLY_SUCCESS,
            ..channel_method::Close::default()
        };
        self.transmit_method(channel, close);
        Ok(())
    }

    /// Sends a method without content.
    ///
    /// # Errors
    /// [`Misuse`] if the channel is not open or the method too large for a frame.
    pub fn send(&mut self, channel: u16, method: impl Into<Method>) -> Result<(), Misuse> {
        self.expect_channel(channel)?;
        let frame = Frame::method(channel, method);
        self.transmit_within_frame_max(|out| frame.encode(out))
    }

    /// Sends a message: method, content header, and the body in frames of at most frame-max.
    ///
    /// # Errors
    /// [`Misuse`] if the channel is not open or the properties too large for a frame.
    pub fn publish(
        &mut self,
        channel: u16,
        publish: &basic::Publish,
        properties: &BasicProperties,
        body: &[u8],
    ) -> Result<(), Misuse> {
        self.expect_channel(channel)?;
        let start = self.transmit.len();
        publish.encode_frame(channel, &mut self.transmit);
        let body_size = u64::try_from(body.len()).unwrap_or(u64::MAX);
        self.transmit_within_frame_max(|out| encode_header(channel, body_size, properties, out))
            .inspect_err(|_| self.transmit.truncate(start))?;
        self.transmit_body(channel, body);
        Ok(())
    }

    /// Sends a message whose method and content header `write` appends: a whole frame each, within
    /// frame-max.
    #[inline]
    pub(crate) fn publish_with(
        &mut self,
        channel: u16,
        body: &[u8],
        write: impl FnOnce(&mut BytesMut),
    ) -> Result<(), Misuse> {
        self.expect_channel(channel)?;
        write(&mut self.transmit);
        self.transmit_body(channel, body);
        Ok(())
    }

    /// Renews the credentials before they expire. [`Event::SecretUpdated`] follows.
    ///
    /// # Errors
    /// [`Misuse`] if the connection is not open or the secret too large for a frame.
    pub fn update_secret(&mut self, new_secret: Secret, reason: ShortStr) -> Result<(), Misuse> {
        self.expect_open()?;
        let renewed = Some(new_secret.clone());
        let method = method::UpdateSecret { new_secret, reason };
        let frame = Frame::method(0, method);
        self.transmit_within_frame_max(|out| frame.encode(out))?;
        self.renewed = renewed;
        Ok(())
    }

    /// Ends the connection in good order: [`Event::Closed`] with `Ok` follows. Before the
    /// connection is open it ends at once, without a word; a second time changes nothing.
    pub fn close(&mut self, now: Instant) {
        match self.state {
            State::Open => {
                self.transmit_close(now, ReplyCode::REPLY_SUCCESS, ShortStr::from_static("bye"));
            }
            State::ExpectStart | State::ExpectTune | State::ExpectOpenOk => self.finish(Ok(())),
            State::ExpectCloseOk | State::Closed => {}
        }
    }

    /// The peer did, in what only the user of this connection understands, what the protocol
    /// forbids: tells it so and ends.
    pub fn fail(&mut self, now: Instant, violation: Violation) {
        if matches!(self.state, State::ExpectCloseOk | State::Closed) {
            return;
        }
        self.transmit_close(now, violation.code, violation.reply_text());
        let Violation { code, text } = violation;
        self.end(Err(ConnectionError::ProtocolViolation { code, text }));
    }

    // ------------------------------------------------------------------ inside

    fn expect_open(&self) -> Result<(), Misuse> {
        if self.state == State::Open { Ok(()) } else { Err(Misuse::NotOpen) }
    }

    fn expect_channel(&self, channel: u16) -> Result<(), Misuse> {
        self.expect_open()?;
        if self.channels.is_open(channel) { Ok(()) } else { Err(Misuse::ChannelNotOpen(channel)) }
    }

    fn transmit_body(&mut self, channel: u16, body: &[u8]) {
        let max_payload = self.frame_max.saturating_sub(FRAME_OVERHEAD);
        encode_body(channel, body, max_payload, &mut self.transmit);
    }

    fn transmit_method(&mut self, channel: u16, method: impl Into<Method>) {
        Frame::method(channel, method).encode(&mut self.transmit);
    }

    fn transmit_within_frame_max(
        &mut self,
        encode: impl FnOnce(&mut BytesMut),
    ) -> Result<(), Misuse> {
        let start = self.transmit.len();
        encode(&mut self.transmit);
        let size = self.transmit.len().saturating_sub(start);
        if size > usize::try_from(self.frame_max).unwrap_or(usize::MAX) {
            self.transmit.truncate(start);
            return Err(Misuse::FrameTooLarge { size, frame_max: self.frame_max });
        }
        Ok(())
    }

    fn transmit_close(&mut self, now: Instant, reply_code: ReplyCode, reply_text: ShortStr) {
        self.transmit_method(
            0,
            method::Close { reply_code, reply_text, ..method::Close::default() },
        );
        self.state = State::ExpectCloseOk;
        self.deadline = Some(now.after(self.config.close_timeout));
        self.heartbeat = Heartbeat::new(0, now);
    }

    /// The transport is of no more use. If we sent close for a failure, that was told before.
    fn finish(&mut self, result: Result<(), ConnectionError>) {
        self.state = State::Closed;
        self.deadline = None;
        self.heartbeat = Heartbeat::new(0, Instant::default());
        self.end(result);
    }

    fn end(&mut self, result: Result<(), ConnectionError>) {
        if !core::mem::replace(&mut self.ended, true) {
            self.events.push_back(Event::Closed(result));
        }
    }
}

/// Not derived: what waits to be sent may hold a password.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("state", &self.state)
            .field("channel_max", &self.channel_max)
            .field("frame_max", &self.frame_max)
            .field("transmit_len", &self.transmit.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

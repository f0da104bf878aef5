//! What comes in: octets, the end of the transport, and time.

use alloc::format;
use alloc::string::{String, ToString};

use bytes::{Buf, Bytes, BytesMut};
use leveret_codec::{
    ContentHeader, DecodeError, DeliverRef, FRAME_OVERHEAD, FrameKind, FrameRef, Method,
    ProtocolHeader, RawFrame, ReplyCode, channel as channel_method, connection as method,
};

use super::channel::{COPY_BELOW, Channel, Content, State as ChannelState};
use super::{Connection, ConnectionError, Event, NotAmqp, State, Unreadable, Violation};
use crate::{Instant, Properties};

impl Connection {
    /// Takes every whole frame off the front of `input`. The rest is to be left there until more
    /// has come.
    pub fn handle_input(&mut self, now: Instant, input: &mut BytesMut) {
        self.received(now);
        self.handle_frames(now, input, |_| false);
    }

    /// Something has come in.
    pub(crate) fn received(&mut self, now: Instant) {
        self.heartbeat.received(now);
    }

    /// Does the same up to the end of the first message, if that is the first thing to be told: what
    /// lies behind it is not looked at then. Whether it is so.
    pub(crate) fn handle_input_to_content(&mut self, now: Instant, input: &mut BytesMut) -> bool {
        self.handle_frames(now, input, Self::has_content);
        self.has_content()
    }

    fn has_content(&self) -> bool {
        matches!(self.events.front(), Some(Event::Content { .. }))
    }

    fn handle_frames(&mut self, now: Instant, input: &mut BytesMut, is_enough: fn(&Self) -> bool) {
        loop {
            self.handle_whole_frames(now, input, is_enough);
            if is_enough(self) {
                return;
            }
            let frame = match self.state {
                State::Closed => return input.clear(),
                State::ExpectStart => match self.first_frame(input) {
                    Ok(frame) => Ok(frame),
                    Err(error) => {
                        self.finish(Err(NotAmqp::recognise(input, error).into()));
                        continue;
                    }
                },
                _ if self.is_out_of_step => return self.look_for_close_ok(input),
                _ => self.next_frame(input).inspect_err(|_| self.is_out_of_step = true),
            };
            let handled = match frame {
                Ok(Some(RawFrame { kind, channel, payload })) => {
                    let shared = (payload.len() >= COPY_BELOW).then(|| payload.clone());
                    self.handle_frame(now, FrameRef { kind, channel, payload: &payload }, shared)
                }
                Ok(None) => return,
                Err(violation) => Err(violation),
            };
            if let Err(violation) = handled {
                self.fail(now, violation);
            }
        }
    }

    /// The usual case, in one pass over the buffer: frames that are there as a whole and that nobody
    /// keeps. The rest is left.
    fn handle_whole_frames(
        &mut self,
        now: Instant,
        input: &mut BytesMut,
        is_enough: fn(&Self) -> bool,
    ) {
        let mut rest = &**input;
        while self.state == State::Open && self.oversized.is_none() && !is_enough(self) {
            // What is larger is left with all that is too large.
            match FrameRef::decode(rest, |_| SMALL) {
                Ok(Some(frame)) => {
                    rest = rest.get(frame.encoded_len()..).unwrap_or_default();
                    if let Err(violation) = self.handle_frame(now, frame, None) {
                        self.fail(now, violation);
                    }
                }
                _ => break,
            }
        }
        let taken = input.len().saturating_sub(rest.len());
        input.advance(taken);
    }

    /// The peer has closed its side of the transport.
    pub fn handle_eof(&mut self) {
        self.handle_transport_error("the peer closed the socket".to_string());
    }

    /// The transport has failed. While the connection closes, that is as good as the end: a
    /// broker that closes first often resets the socket.
    pub fn handle_transport_error(&mut self, reason: String) {
        let result = match self.state {
            State::Closed => return,
            State::ExpectCloseOk => Ok(()),
            State::Open => {
                // A peer that has only stopped to send must not get what we call lost.
                self.transmit.clear();
                Err(ConnectionError::Lost { reason })
            }
            State::ExpectStart | State::ExpectTune | State::ExpectOpenOk => Err(self
                .strange_greeting()
                .unwrap_or(ConnectionError::SilentClose { stage: self.stage() })),
        };
        self.finish(result);
    }

    /// The transport has ended, and knows the peer's reason: what TLS calls an alert. One that refuses
    /// our certificate comes when TLS is done for us, and the AMQP handshake under way.
    pub fn handle_transport_refusal(&mut self, reason: String) {
        match self.state {
            State::ExpectStart | State::ExpectTune | State::ExpectOpenOk => {
                self.finish(Err(ConnectionError::TransportRefused { reason }));
            }
            State::Closed | State::ExpectCloseOk | State::Open => {
                self.handle_transport_error(reason);
            }
        }
    }

    /// Time has come to [`poll_timeout`](Self::poll_timeout), or passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            let result = match self.state {
                State::ExpectCloseOk => Ok(()),
                _ => Err(self
                    .strange_greeting()
                    .unwrap_or(ConnectionError::HandshakeTimeout { stage: self.stage() })),
            };
            return self.finish(result);
        }
        if let Some(silence) = self.heartbeat.silence(now) {
            self.transmit.clear();
            return self
                .finish(Err(ConnectionError::HeartbeatTimeout { seconds: silence.as_secs() }));
        }
        if self.heartbeat.is_due(now) {
            leveret_codec::Frame::Heartbeat.encode(&mut self.transmit);
            // Counted now: the driver may not come for it before the next timeout.
            self.heartbeat.sent(now);
        }
    }

    /// What was going on, for errors of a handshake that stopped.
    fn stage(&self) -> &'static str {
        match self.state {
            State::ExpectStart => "before its greeting (connection.start)",
            State::ExpectTune => "after the login (connection.start-ok)",
            _ => "while the virtual host was opened (connection.open)",
        }
    }

    /// Methods and headers may be larger than frame-max, within our own limit.
    pub(super) fn max_payload(&self, kind: FrameKind) -> u32 {
        let frame = match kind {
            FrameKind::Body | FrameKind::Heartbeat => self.frame_max,
            FrameKind::Method | FrameKind::Header => {
                self.frame_max.max(self.config.max_received_frame)
            }
        };
        frame.saturating_sub(FRAME_OVERHEAD)
    }

    /// A peer that does not speak AMQP 0-9-1 shows with its first octets, given eight of them.
    fn first_frame(&mut self, input: &mut BytesMut) -> Result<Option<RawFrame>, DecodeError> {
        if ProtocolHeader::could_begin(input) {
            if let Some(header) = ProtocolHeader::decode(input) {
                return Err(DecodeError::version_refused(header));
            }
            self.greeting = Bytes::copy_from_slice(input);
            return Ok(None);
        }
        let frame = RawFrame::decode(input, |kind| self.max_payload(kind));
        if frame.is_err() && input.remaining() < 8 && self.greeting.len() < input.remaining() {
            self.greeting = Bytes::copy_from_slice(input);
            return Ok(None);
        }
        frame
    }

    /// What the first octets are, now that no more of them will come.
    fn strange_greeting(&mut self) -> Option<ConnectionError> {
        if self.state != State::ExpectStart || self.greeting.is_empty() {
            return None;
        }
        let error = self.first_frame(&mut BytesMut::from(&*self.greeting)).err()?;
        Some(NotAmqp::recognise(&self.greeting, error).into())
    }

    /// `shared` is the payload, if it is so large that it may be kept without being copied.
    fn handle_frame(
        &mut self,
        now: Instant,
        frame: FrameRef<'_>,
        shared: Option<Bytes>,
    ) -> Result<(), Violation> {
        let FrameRef { kind, channel, payload } = frame;
        if self.state == State::ExpectCloseOk {
            self.handle_while_closing(kind, channel, payload);
            return Ok(());
        }
        match (kind, channel) {
            (FrameKind::Heartbeat, _) => Ok(()),
            (FrameKind::Method, 0) => {
                self.handle_connection_method(now, Method::decode_copied(payload)?)
            }
            (FrameKind::Header | FrameKind::Body, 0) => {
                Err(Violation::new(ReplyCode::UNEXPECTED_FRAME, "content on channel 0"))
            }
            _ if self.state != State::Open => {
                let text = format!("a frame on channel {channel} during the handshake");
                Err(Violation::new(ReplyCode::UNEXPECTED_FRAME, text))
            }
            (FrameKind::Method, _) => self.handle_channel_method(channel, payload),
            (FrameKind::Header, _) => {
                let (ceiling, max_body_size) = (self.body_ceiling(), self.config.max_body_size);
                self.handle_content(channel, |channel| {
                    let read = |properties: &mut _| read_header(payload, properties, max_body_size);
                    channel.header(read, ceiling)
                })
            }
            (FrameKind::Body, _) => self.handle_content(channel, |it| it.body(payload, shared)),
        }
    }

    /// Where the next frame begins is not known any more. The answer to our close is known by its
    /// octets, and nothing else is of interest.
    fn look_for_close_ok(&mut self, input: &mut BytesMut) {
        if input.windows(CLOSE_OK.len()).any(|octets| octets == CLOSE_OK) {
            self.finish(Ok(()));
            return input.clear();
        }
        // What comes may go on with it.
        while !input.is_empty() && !CLOSE_OK.starts_with(input) {
            let longest = input.len().saturating_sub(CLOSE_OK.len());
            input.advance(longest.max(1));
        }
    }

    /// We have sent close: only its answer counts, or a close that crossed it.
    fn handle_while_closing(&mut self, kind: FrameKind, channel: u16, payload: &[u8]) {
        if kind != FrameKind::Method || channel != 0 {
            return;
        }
        match Method::decode_copied(payload) {
            Ok(Method::ConnectionCloseOk(_)) => self.finish(Ok(())),
            // Who closes without end, and does not read that we agree, is left alone.
            Ok(Method::ConnectionClose(_)) if self.answer(0, method::CloseOk {}).is_err() => {
                self.finish(Ok(()));
            }
            _ => {}
        }
    }

    fn handle_connection_method(&mut self, now: Instant, method: Method) -> Result<(), Violation> {
        match (self.state, method) {
            (_, Method::ConnectionClose(close)) => {
                self.transmit_method(0, method::CloseOk {});
                self.finish(Err(self.closed_by_peer(&close)));
                Ok(())
            }
            (State::Open, Method::ConnectionBlocked(blocked)) => {
                let reason = self.quote(&blocked.reason);
                self.events.push_back(Event::Blocked { reason });
                Ok(())
            }
            (State::Open, Method::ConnectionUnblocked(_)) => {
                self.events.push_back(Event::Unblocked);
                Ok(())
            }
            (State::Open, Method::ConnectionUpdateSecretOk(_)) => {
                self.events.push_back(Event::SecretUpdated);
                Ok(())
            }
            (State::Open, method) => Err(Violation::out_of_order(&method)),
            (_, method) => self.handle_handshake(now, method),
        }
    }

    fn handle_channel_method(&mut self, number: u16, payload: &[u8]) -> Result<(), Violation> {
        let Some(channel) = self.channels.get_mut(number) else {
            return Err(Violation::channel_not_open(number));
        };
        if channel.state == ChannelState::Open
            && let Some(deliver) = DeliverRef::decode(payload)?
        {
            channel.expect_method()?;
            channel.begin_delivery(deliver);
            return Ok(());
        }
        let method = Method::decode_copied(payload)?;
        match (channel.state, method) {
            // A close may come at any moment, even within content, which is then dropped.
            (ChannelState::Closing, Method::ChannelClose(_)) => {
                self.answer(number, channel_method::CloseOk {})?;
            }
            (_, Method::ChannelClose(close)) => {
                channel.state = ChannelState::Closed;
                self.answer(number, channel_method::CloseOk {})?;
                self.events.push_back(Event::ChannelClosed { channel: number, close: Some(close) });
            }
            (ChannelState::Closing, Method::ChannelCloseOk(_)) => {
                channel.state = ChannelState::Closed;
                self.events.push_back(Event::ChannelClosed { channel: number, close: None });
            }
            (ChannelState::Closing, _) => {}
            (ChannelState::Opening, Method::ChannelOpenOk(_)) => {
                channel.state = ChannelState::Open;
                self.events.push_back(Event::ChannelOpened { channel: number });
            }
            (ChannelState::Open, Method::ChannelFlow(flow)) => {
                channel.expect_method()?;
                channel.flow = flow.active;
                let active = flow.active;
                self.answer(number, channel_method::FlowOk { active })?;
                self.events.push_back(Event::Flow { channel: number, active });
            }
            (ChannelState::Open, method) if is_for_clients(&method) => {
                channel.expect_method()?;
                if method.carries_content() {
                    channel.begin_content(method);
                } else {
                    self.events.push_back(Event::Method { channel: number, method });
                }
            }
            (_, method) => return Err(Violation::out_of_order(&method)),
        }
        Ok(())
    }

    /// Takes one more piece of a message, which may be at its end then.
    pub(super) fn handle_content(
        &mut self,
        number: u16,
        advance: impl FnOnce(&mut Channel) -> Result<Option<Content>, Violation>,
    ) -> Result<(), Violation> {
        let Some(channel) = self.channels.get_mut(number) else {
            return Err(Violation::channel_not_open(number));
        };
        if channel.state == ChannelState::Closing {
            return Ok(());
        }
        if let Some(content) = advance(channel)? {
            self.events.push_back(Event::Content { channel: number, content });
        }
        Ok(())
    }

    /// Sends what the peer has a right to, unless it has stopped to read and only asks.
    fn answer(&mut self, channel: u16, method: impl Into<Method>) -> Result<(), Violation> {
        if self.answers > MAX_UNREAD_ANSWERS {
            let text = "the peer asks, and does not read the answers";
            return Err(Violation::new(ReplyCode::RESOURCE_ERROR, text));
        }
        let before = self.transmit.len();
        self.transmit_method(channel, method);
        let answer = self.transmit.len().saturating_sub(before);
        self.answers = self.answers.saturating_add(answer);
        Ok(())
    }

    fn closed_by_peer(&self, close: &method::Close) -> ConnectionError {
        let text = self.quote(&close.reply_text);
        match (self.state, close.reply_code) {
            (State::ExpectTune, ReplyCode::ACCESS_REFUSED) => {
                ConnectionError::LoginRefused { text }
            }
            (State::ExpectOpenOk, _) if (close.class_id, close.method_id) == (10, 40) => {
                let virtual_host = self.config.virtual_host.to_string();
                ConnectionError::VirtualHostRefused { virtual_host, text }
            }
            (_, code) => ConnectionError::ClosedByPeer {
                code,
                text,
                class_id: close.class_id,
                method_id: close.method_id,
            },
        }
    }
}

/// Payloads up to this are in every limit, since no frame-max is below 4096.
pub(super) const SMALL: u32 = 4096 - FRAME_OVERHEAD;

/// The frame of `connection.close-ok`.
const CLOSE_OK: [u8; 12] = [1, 0, 0, 0, 0, 0, 4, 0, 10, 0, 51, 0xce];

/// Octets of answers that may wait to be sent when one more is due. The driver takes them whenever
/// the socket has taken all that went before.
const MAX_UNREAD_ANSWERS: usize = 1 << 20;

/// Reads a content header, and says so if its message is not to be taken.
///
/// A broker passes on what publishers send: headers that it can read, and a body as large as it
/// lets them. Anyone else's fault than the broker's is no reason to end the connection, or one such
/// message would end that of every server it is delivered to.
fn read_header(
    payload: &[u8],
    properties: &mut Properties,
    max_body_size: u64,
) -> Result<(u64, Option<Unreadable>), DecodeError> {
    let (size, unreadable) = match properties.fill_in(payload) {
        Ok(size) => (size, None),
        Err(error) => {
            match ContentHeader::decode_without_headers(&Bytes::copy_from_slice(payload)) {
                Ok((header, _)) => {
                    *properties = header.properties.into();
                    (header.body_size, Some(Unreadable::Headers(error)))
                }
                Err(_) => return Err(error),
            }
        }
    };
    let too_large =
        (size > max_body_size).then_some(Unreadable::BodyTooLarge { size, limit: max_body_size });
    Ok((size, unreadable.or(too_large)))
}

/// Methods that a broker may send on a channel that is open, besides `basic.deliver`.
fn is_for_clients(method: &Method) -> bool {
    matches!(
        method,
        Method::QueueDeclareOk(_)
            | Method::QueueBindOk(_)
            | Method::QueuePurgeOk(_)
            | Method::QueueDeleteOk(_)
            | Method::QueueUnbindOk(_)
            | Method::BasicQosOk(_)
            | Method::BasicConsumeOk(_)
            | Method::BasicCancel(_)
            | Method::BasicCancelOk(_)
            | Method::BasicReturn(_)
            | Method::BasicGetOk(_)
            | Method::BasicGetEmpty(_)
            | Method::BasicAck(_)
            | Method::BasicNack(_)
            | Method::BasicRecoverOk(_)
            | Method::ConfirmSelectOk(_)
    )
}

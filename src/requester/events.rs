//! What the connection tells the requester.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::task::Waker;

use bytes::BytesMut;
use leveret_codec::{Method, ReplyCode, basic, channel as channel_method};

use super::calls::{Call, Phase};
use super::resolving::ended_error;
use super::side_channels::SideChannels;
use super::{CallId, Requester, Subscription, sending};
use crate::connection::{Connection, Event, Misuse, Origin, Violation, Whole};
use crate::engine::{Engine, SILENT};
use crate::message::REPLY_TO;
use crate::observers::Observers;
use crate::reconnect::Link;
use crate::time::earlier;
use crate::{CallError, ConnectionState, Instant, SessionError};

impl Engine for Requester {
    type Work = core::convert::Infallible;

    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn connection_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }

    fn handle_event(&mut self, now: Instant, event: Event) -> Result<(), Violation> {
        match event {
            Event::Method { channel, method: Method::BasicConsumeOk(consume_ok) } => {
                return self.handle_consume_ok(now, channel, consume_ok);
            }
            // Read together with what made us close the channel, or with the broker's close, of
            // which the next event tells.
            Event::Method { channel, .. } if !self.connection.is_channel_open(channel) => {}
            Event::Content { channel, content } if !self.connection.is_channel_open(channel) => {
                if matches!(content.origin, Origin::Delivery { .. }) {
                    self.stats.late_replies = self.stats.late_replies.saturating_add(1);
                }
            }
            Event::Opened => self.handle_opened(now),
            Event::ChannelOpened { channel } => self.handle_channel_opened(now, channel),
            Event::ChannelClosed { channel, close: Some(close) } => {
                self.handle_channel_closed(now, channel, &close);
            }
            Event::Method { method, .. } => return Err(Violation::unasked(method.name())),
            Event::Content { channel, content } => return self.handle_content(channel, content),
            Event::Blocked { reason } => self.blocked = Some(reason),
            // One that ends no alarm is nothing to begin anything for.
            Event::Unblocked => {
                if self.blocked.take().is_some() {
                    self.start_waiting(now);
                }
            }
            Event::Flow { active: true, .. } => self.start_waiting(now),
            Event::Flow { .. }
            | Event::ChannelClosed { .. }
            | Event::SecretUpdated
            | Event::Closed(_) => {}
        }
        Ok(())
    }

    fn take_delivery(&mut self, _now: Instant, delivery: &Whole<'_>) -> bool {
        self.take_reply(delivery).is_some()
    }

    fn link(&mut self) -> &mut Link {
        &mut self.link
    }

    /// What was sent has ended, and the rest waits for the next connection.
    fn disconnect(&mut self, _now: Instant, cause: &SessionError) {
        self.subscription = Subscription::None;
        self.subscription_deadline = None;
        self.side_channels = SideChannels::default();
        self.blocked = None;
        self.proven_size = sending::SMALL_BODY;
        self.broker_limit = u64::MAX;
        let error = |written| CallError::Disconnected { written, cause: cause.clone() };
        self.fail_pending(false, error);
        self.wait_again();
        self.observers.change(&mut self.wake);
    }

    fn end(&mut self, _now: Instant, result: Result<(), SessionError>) {
        let ended = self.ended.get_or_insert(result).clone();
        self.link.end();
        self.subscription = Subscription::None;
        self.subscription_deadline = None;
        self.fail_pending(true, |written| ended_error(&ended, written));
        self.waiting.clear();
        self.without_channel.clear();
        self.observers.change(&mut self.wake);
    }

    fn connection_state(&self) -> ConnectionState {
        self.link.connection_state(self.ended.as_ref(), self.blocked.as_deref())
    }

    fn is_finished(&self) -> bool {
        self.ended.is_some() && self.connection.is_finished()
    }

    fn notify(&mut self) {
        self.observers.change(&mut self.wake);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.handle_connection_timeout(now);
        if self.subscription_deadline.is_some_and(|deadline| deadline <= now) {
            self.handle_transport_error(now, SILENT.to_string());
        }
        while let Some(id) = self.deadlines.pop_expired(now, &self.calls) {
            let written = self.is_sent(id);
            let Some(Call { timeout, .. }) = self.calls.get_mut(id) else { continue };
            let (timeout, cause) = (*timeout, self.link.cause().cloned());
            self.resolve(id, Err(CallError::Timeout { timeout, written, cause }));
        }
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut BytesMut) {
        // Others may have ended, and made room.
        self.start_waiting(now);
        self.connection.poll_transmit(now, out);
        // There is room for more in front of the socket.
        self.start_waiting(now);
        self.close_when_drained(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let of_link = self.link.poll_timeout(self.is_disconnected());
        let of_replies = earlier(self.subscription_deadline, self.deadlines.next());
        earlier(earlier(self.connection.poll_timeout(), of_link), of_replies)
    }

    fn take_wakers(&mut self, wake: &mut Vec<Waker>) {
        wake.append(&mut self.wake);
    }

    fn observers(&mut self) -> &mut Observers {
        &mut self.observers
    }
}

impl Requester {
    fn handle_opened(&mut self, now: Instant) {
        if !self.connection.server_can("direct_reply_to") {
            let product = self.connection.server_properties().get("product");
            let product = product.as_ref().and_then(|product| product.as_str());
            let product = self.connection.quote(product.unwrap_or("of no name"));
            return self.fail(now, SessionError::NoDirectReplyTo { product });
        }
        self.subscribe(now);
    }

    /// Begins to open the channel for replies and requests.
    fn subscribe(&mut self, now: Instant) {
        match self.connection.open_channel() {
            Ok(channel) => {
                self.subscription = Subscription::Opening { channel };
                let limit = self.link.connect_timeout();
                self.subscription_deadline = self.link.is_ready().then(|| now.after(limit));
            }
            Err(misuse) => self.refused(now, misuse),
        }
    }

    /// A command of our own was refused. Where the connection or the channel has ended meanwhile,
    /// the event that says so follows.
    fn refused(&mut self, now: Instant, misuse: Misuse) {
        if !matches!(misuse, Misuse::NotOpen | Misuse::ChannelNotOpen(_)) {
            self.fail(now, misuse.into());
        }
    }

    fn handle_channel_opened(&mut self, now: Instant, opened: u16) {
        match self.subscription {
            Subscription::Opening { channel } if channel == opened => {
                self.subscription = Subscription::Consuming { channel };
            }
            _ if self.side_channels.get(opened).is_some() => {}
            // Its call has gone while it was being opened.
            _ => return self.abandon_channel(opened),
        }
        // The broker makes the consumer tag: LavinMQ's reply addresses are made of it, and two
        // clients of the same tag would take each other's replies.
        let consume = basic::Consume { queue: REPLY_TO, no_ack: true, ..basic::Consume::default() };
        if let Err(misuse) = self.connection.send(opened, consume) {
            self.refused(now, misuse);
        }
    }

    /// Closes a channel that belongs to nobody any more. One that is still being opened is closed
    /// when it is open.
    pub(super) fn abandon_channel(&mut self, channel: u16) {
        let _ = self.connection.close_channel(channel);
    }

    fn handle_consume_ok(
        &mut self,
        now: Instant,
        on: u16,
        consume_ok: basic::ConsumeOk,
    ) -> Result<(), Violation> {
        match self.subscription {
            Subscription::Consuming { channel } if channel == on => {
                let consumer_tag = consume_ok.consumer_tag.detached();
                self.subscription = Subscription::Ready { channel, consumer_tag };
                self.subscription_deadline = None;
                self.link.ready(now);
                self.observers.change(&mut self.wake);
                self.start_waiting(now);
                return Ok(());
            }
            _ => {}
        }
        match self.side_channels.consuming(on) {
            Some(call) => {
                self.start_beside(now, call, on);
                Ok(())
            }
            // Its call has gone, and the channel with it.
            None if !self.connection.is_channel_open(on) => Ok(()),
            None => {
                let text = "basic.consume-ok that nobody asked for";
                Err(Violation::new(ReplyCode::COMMAND_INVALID, text))
            }
        }
    }

    /// The broker has closed a channel, and with it ended the consumer there. Calls on other
    /// channels go on.
    fn handle_channel_closed(&mut self, now: Instant, closed: u16, close: &channel_method::Close) {
        if let Some(beside) = self.side_channels.remove(closed) {
            match beside.call {
                // It was closed before the request went out, and not over that.
                Some(id) if beside.is_consuming && !beside.is_own && !self.is_sent(id) => {
                    self.wait_for_another(id);
                }
                Some(id) => {
                    let error = self.side_channel_error(id, close);
                    self.resolve(id, Err(error));
                }
                None => {}
            }
            return self.start_waiting(now);
        }
        match self.subscription {
            Subscription::Ready { channel, .. } if channel == closed => {
                for id in self.calls.ids() {
                    let sent = self.calls.get_mut(id).map(|call| &call.phase);
                    if matches!(sent, Some(Phase::Sent { channel, .. }) if *channel == closed) {
                        let error = self.channel_error(id, close);
                        self.resolve(id, Err(error));
                    }
                }
                self.subscribe(now);
            }
            Subscription::Opening { channel } | Subscription::Consuming { channel }
                if channel == closed =>
            {
                let (code, text) = (close.reply_code, self.connection.quote(&close.reply_text));
                self.fail(now, SessionError::ReplyConsumerRefused { code, text });
            }
            _ => {}
        }
    }

    /// On a channel with one request on it, that is the one that the broker speaks of.
    fn side_channel_error(&mut self, id: CallId, close: &channel_method::Close) -> CallError {
        const PUBLISH: (u16, u16) = (60, 40);
        let is_refusal = (close.class_id, close.method_id) == PUBLISH && self.is_sent(id);
        match self.channel_error(id, close) {
            CallError::ChannelClosed { code, text, .. } if is_refusal => {
                CallError::Refused { code, text }
            }
            error => error,
        }
    }

    /// The broker does not say which request it closed the channel over. A body too large is the
    /// one case where its text tells.
    fn channel_error(&mut self, id: CallId, close: &channel_method::Close) -> CallError {
        let written = self.is_transmitted(id);
        let (code, text) = (close.reply_code, self.connection.quote(&close.reply_text));
        let phase = self.calls.get_mut(id).map(|call| &call.phase);
        match (message_too_large(&close.reply_text.to_string()), phase) {
            (Some((size, limit)), Some(Phase::Sent { body_size, .. }))
                if *body_size == size && code == ReplyCode::PRECONDITION_FAILED =>
            {
                self.broker_limit = self.broker_limit.min(limit);
                CallError::BodyTooLarge { size, limit }
            }
            _ => CallError::ChannelClosed { code, text, written },
        }
    }
}

/// RabbitMQ's "message size N is larger than configured max size M".
fn message_too_large(text: &str) -> Option<(u64, u64)> {
    let (_, rest) = text.split_once("message size ")?;
    let (size, rest) = rest.split_once(" is larger than ")?;
    let limit = rest.rsplit(' ').next()?;
    Some((size.parse().ok()?, limit.parse().ok()?))
}

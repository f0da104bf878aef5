//! From a call that waits to a request on the wire.

use alloc::vec::Vec;
use core::time::Duration;

use leveret_codec::{ShortStr, basic};

use super::calls::{Call, CallId, Outgoing, Phase};
use super::{OwnChannel, Requester, Subscription};
use crate::Instant;
use crate::connection::Misuse;
use crate::message::REPLY_TO;

impl Requester {
    /// Whether a call may go on its way.
    pub(super) fn may_start(&self) -> bool {
        match self.subscription {
            Subscription::Ready { channel, .. } => self.may_publish(channel),
            _ => false,
        }
    }

    /// Whether the broker takes content on the channel, and the socket what was sent before.
    fn may_publish(&self, channel: u16) -> bool {
        self.blocked.is_none()
            && self.connection.may_publish(channel)
            && self.connection.transmit_len() < MAX_UNSENT
    }

    /// Sends the call's request, or first opens a channel for it.
    pub(super) fn start(&mut self, now: Instant, id: CallId) {
        let Some(Call { phase: Phase::Waiting(outgoing), .. }) = self.calls.get_mut(id) else {
            return;
        };
        if outgoing.own_channel {
            match self.connection.open_channel() {
                Ok(channel) => {
                    let own = OwnChannel { call: id, consuming: false };
                    self.own_channels.insert(channel, own);
                }
                Err(Misuse::NotOpen) => {}
                Err(misuse) => self.resolve(id, Err(misuse.into())),
            }
        } else if let Subscription::Ready { channel, .. } = self.subscription {
            self.publish(now, id, channel);
        }
    }

    /// The call's consumer is there, on a channel of its own: the request may go, or else is held
    /// back.
    pub(super) fn start_own(&mut self, now: Instant, id: CallId, channel: u16) {
        if self.may_publish(channel) {
            self.held_back.remove(&channel);
            self.publish(now, id, channel);
        } else {
            self.held_back.insert(channel);
        }
    }

    fn publish(&mut self, now: Instant, id: CallId, channel: u16) {
        let correlation_id = self.calls.correlation_id(id);
        let Some(call) = self.calls.get_mut(id) else { return };
        let Phase::Waiting(outgoing) = &mut call.phase else { return };
        let Outgoing { exchange, routing_key, mut properties, body, .. } =
            core::mem::take(outgoing);
        properties.reply_to = Some(REPLY_TO);
        properties.message_id.get_or_insert_with(|| correlation_id.clone());
        properties.correlation_id = Some(correlation_id);
        properties.delivery_mode.get_or_insert(TRANSIENT);
        properties.expiration.get_or_insert_with(|| expiration(call.deadline.since(now)));
        let publish = basic::Publish { exchange, routing_key, mandatory: true, immediate: false };
        match self.connection.publish(channel, publish, properties, &body) {
            Ok(()) => {
                let body_size = u64::try_from(body.len()).unwrap_or(u64::MAX);
                let length = u64::try_from(self.connection.transmit_len()).unwrap_or(u64::MAX);
                let end = self.transmitted.saturating_add(length);
                call.phase = Phase::Sent { channel, body_size, end };
            }
            Err(misuse) => self.resolve(id, Err(misuse.into())),
        }
    }

    pub(super) fn start_waiting(&mut self, now: Instant) {
        while self.may_start()
            && let Some(id) = self.waiting.pop_front()
        {
            self.start(now, id);
        }
        let held_back = self.held_back.iter();
        let own =
            held_back.filter_map(|number| Some((*number, self.own_channels.get(number)?.call)));
        let own: Vec<(u16, CallId)> = own.collect();
        for (channel, call) in own {
            self.start_own(now, call, channel);
        }
    }

    /// Keeps the queue no longer than twice what really waits.
    pub(super) fn forget_ended_waiting(&mut self) {
        if self.waiting.len() > self.calls.len().saturating_mul(2) {
            let calls = &mut self.calls;
            self.waiting.retain(|id| calls.get_mut(*id).is_some());
        }
    }
}

/// Octets that may wait for the socket when one more request is written. Calls beyond it wait, so
/// that one that gives up meanwhile was never sent.
const MAX_UNSENT: usize = 1 << 20;

/// `delivery-mode` of a message that a queue need not write to disk.
const TRANSIENT: u8 = 1;

/// The time a request may wait in a queue, in milliseconds: as long as its caller waits. It is at
/// least 1, since 0 would mean "only if a consumer is idle this moment".
fn expiration(remaining: Duration) -> ShortStr {
    let milliseconds = remaining.as_millis().clamp(1, MAX_EXPIRATION);
    ShortStr::new(alloc::format!("{milliseconds}")).unwrap_or_default()
}

/// RabbitMQ refuses more than ten years.
const MAX_EXPIRATION: u128 = 10 * 365 * 24 * 60 * 60 * 1000;

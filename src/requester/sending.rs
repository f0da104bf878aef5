//! From a call that waits to a request on the wire.

use core::time::Duration;

use leveret_codec::{ShortStr, basic};

use super::calls::{Call, CallId, Outgoing, Phase};
use super::{Requester, Subscription};
use crate::Instant;
use crate::message::REPLY_TO;

impl Requester {
    pub(super) fn may_start(&mut self) -> bool {
        match self.subscription {
            Subscription::Ready { channel, .. } => {
                self.blocked.is_none() && self.connection.may_publish(channel)
            }
            _ => false,
        }
    }

    /// Sends the call's request, or first opens a channel for it.
    pub(super) fn start(&mut self, now: Instant, id: CallId) {
        let Some(Call { phase: Phase::Waiting(outgoing), .. }) = self.calls.get_mut(id) else {
            return;
        };
        if outgoing.own_channel {
            match self.connection.open_channel() {
                Ok(channel) => _ = self.own_channels.insert(channel, id),
                Err(misuse) => self.resolve(id, Err(misuse.into())),
            }
        } else if let Subscription::Ready { channel, .. } = self.subscription {
            self.publish(now, id, channel);
        }
    }

    /// The call's consumer is there, on this channel: the request may go.
    pub(super) fn publish(&mut self, now: Instant, id: CallId, channel: u16) {
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
                let length = u64::try_from(self.connection.transmit_len()).unwrap_or(u64::MAX);
                call.phase = Phase::Sent {
                    channel,
                    body_size: u64::try_from(body.len()).unwrap_or(u64::MAX),
                    end: self.transmitted.saturating_add(length),
                };
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
    }

    /// Keeps the queue no longer than twice what really waits.
    pub(super) fn forget_ended_waiting(&mut self) {
        if self.waiting.len() > self.calls.len().saturating_mul(2) {
            let calls = &mut self.calls;
            self.waiting.retain(|id| calls.get_mut(*id).is_some());
        }
    }
}

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

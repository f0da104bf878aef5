//! What arrives for calls: replies, and requests that come back.

use alloc::string::ToString;

use bytes::Bytes;
use leveret_codec::{Method, PropertiesRef, ReplyCode, basic};

use super::calls::{Call, Phase};
use super::{CallId, Requester, Subscription};
use crate::connection::{Content, Envelope, Origin, Unreadable, Violation, Whole};
use crate::properties::Received;
use crate::{CallError, Fault, Reply};

impl Requester {
    /// A reply to a call on the shared channel, as most deliveries are. `None`: it is another, and
    /// nothing has been done.
    pub(super) fn take_reply(&mut self, delivery: &Whole<'_>) -> Option<()> {
        let Subscription::Ready { channel, consumer_tag } = &self.subscription else { return None };
        let is_subscribed = *channel == delivery.channel
            && consumer_tag.as_bytes() == delivery.deliver.consumer_tag;
        let properties = PropertiesRef::decode(delivery.properties).ok()?;
        // Those of a fault.
        if !is_subscribed || properties.headers.is_some() {
            return None;
        }
        let id = self.calls.find(properties.correlation_id?)?;
        let call = self.calls.get_mut(id)?;
        let Phase::Sent { channel: on, .. } = call.phase else { return None };
        if on != delivery.channel {
            return None;
        }
        let properties = Received::copied(delivery.properties).into();
        call.phase =
            Phase::Done(Ok(Reply { body: Bytes::copy_from_slice(delivery.body), properties }));
        self.wake.extend(call.waker.take());
        self.in_flight = self.in_flight.saturating_sub(1);
        self.stats.replies = self.stats.replies.saturating_add(1);
        Some(())
    }

    pub(super) fn handle_content(
        &mut self,
        channel: u16,
        content: Content,
    ) -> Result<(), Violation> {
        let Content { origin, properties, body } = content;
        let beside = self.side_channels.get(channel);
        let own = beside.filter(|beside| beside.is_own).and_then(|beside| beside.call);
        let correlation_id = properties.correlation_id.as_ref();
        let id = own.or_else(|| self.calls.find(correlation_id?.as_bytes()));
        match origin {
            Origin::Delivery { envelope, .. } => {
                if beside.is_none() && !self.is_subscribed(channel, &envelope) {
                    let text = "basic.deliver for a consumer that does not exist";
                    return Err(Violation::new(ReplyCode::COMMAND_INVALID, text));
                }
                self.handle_reply(id, body.map(|body| Reply { body, properties }));
            }
            Origin::Other(method) => match *method {
                Method::BasicReturn(returned) => {
                    let id = id.filter(|id| self.is_sent(*id));
                    if let Some(id) = id {
                        self.take_as_proof(id);
                        self.resolve(id, Err(unroutable(&returned)));
                    }
                }
                method => return Err(Violation::unasked(method.name())),
            },
        }
        Ok(())
    }

    /// The broker has taken the request: it takes bodies of this size.
    fn take_as_proof(&mut self, id: CallId) {
        if let Some(Call { phase: Phase::Sent { body_size, .. }, .. }) = self.calls.get_mut(id) {
            self.proven_size = self.proven_size.max(*body_size);
        }
    }

    fn is_subscribed(&self, on: u16, envelope: &Envelope) -> bool {
        matches!(
            &self.subscription,
            Subscription::Ready { channel, consumer_tag }
                if *channel == on && *consumer_tag == envelope.consumer_tag
        )
    }

    /// A reply answers a call that was sent. Any other is late, a duplicate, or not for us.
    fn handle_reply(&mut self, id: Option<CallId>, reply: Result<Reply, Unreadable>) {
        if reply.is_err() {
            self.stats.unreadable_replies = self.stats.unreadable_replies.saturating_add(1);
        }
        match id {
            Some(id) if self.is_sent(id) => {
                self.take_as_proof(id);
                let fault = reply.as_ref().ok().and_then(Fault::from_reply);
                let result = match fault {
                    Some(fault) => Err(CallError::Fault(fault)),
                    None => reply.map_err(CallError::UnreadableReply),
                };
                self.resolve(id, result);
            }
            // Counted, and more is not known of it.
            _ if reply.is_err() => {}
            Some(_) => self.stats.late_replies = self.stats.late_replies.saturating_add(1),
            None => self.stats.unknown_replies = self.stats.unknown_replies.saturating_add(1),
        }
    }
}

fn unroutable(returned: &basic::Return) -> CallError {
    CallError::Unroutable {
        code: returned.reply_code,
        exchange: returned.exchange.to_string(),
        routing_key: returned.routing_key.to_string(),
    }
}

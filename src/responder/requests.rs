//! Requests that arrive, from where they lie or piece by piece.

use alloc::sync::Arc;

use bytes::Bytes;
use leveret_codec::{DeliverRef, PropertiesRef, ReplyCode, ShortStr};

use super::destination::Destination;
use super::queue::State;
use super::{Arrived, Pending, Queue, Responder};
use crate::connection::{Content, Origin, Violation, Whole};
use crate::message::time_to_live;
use crate::properties::Received;
use crate::{Instant, Request};

impl Responder {
    pub(super) fn handle_content(
        &mut self,
        now: Instant,
        channel: u16,
        content: Content,
    ) -> Result<(), Violation> {
        let Content { origin, properties, body } = content;
        let (delivery_tag, redelivered, envelope) = match origin {
            Origin::Delivery { delivery_tag, redelivered, envelope } => {
                (delivery_tag, redelivered, envelope)
            }
            Origin::Other(method) => return Err(Violation::unasked(method.name())),
        };
        let found = consumed(&mut self.queues, channel, envelope.consumer_tag.as_bytes());
        let Some((index, queue)) = found else {
            let text = "basic.deliver for a consumer that does not exist";
            return Err(Violation::new(ReplyCode::COMMAND_INVALID, text));
        };
        queue.within_prefetch()?;
        let Ok(body) = body else {
            // It would be the same to every other server. A dead-letter exchange can keep it.
            self.stats.unreadable = self.stats.unreadable.saturating_add(1);
            queue.reject(delivery_tag, &mut self.connection);
            return Ok(());
        };
        let expiration = properties.expiration.as_ref().map(ShortStr::as_bytes);
        let time_to_live = expiration.and_then(time_to_live);
        let address = properties.reply_to.as_ref().map(ShortStr::as_bytes);
        let correlation_id = properties.correlation_id.as_ref().map(ShortStr::as_bytes);
        let destination = address
            .filter(|address| !address.is_empty())
            .map(|address| Destination::new(address, correlation_id));
        let request = Request {
            body,
            properties,
            exchange: envelope.exchange.clone(),
            routing_key: envelope.routing_key.clone(),
            redelivered,
            time_left: time_to_live,
        };
        self.arrive(now, index, delivery_tag, request, destination);
        Ok(())
    }

    /// A request that is nothing out of the ordinary. `None`: it is, and nothing has been done.
    pub(super) fn take_request(&mut self, now: Instant, delivery: &Whole<'_>) -> Option<()> {
        let DeliverRef { consumer_tag, delivery_tag, redelivered, exchange, routing_key } =
            delivery.deliver;
        let (index, queue) = consumed(&mut self.queues, delivery.channel, consumer_tag)?;
        queue.within_prefetch().ok()?;
        let properties = PropertiesRef::decode(delivery.properties).ok()?;
        if properties.headers.is_some() {
            return None;
        }
        let (received, destination) = match properties.reply_to {
            Some(address) if !address.is_empty() => {
                let (octets, id) = (delivery.properties, properties.correlation_id);
                let shared = Arc::<[u8]>::from(octets);
                let received = Received::shared(Arc::clone(&shared));
                (received, Some(Destination::within(octets, shared, address, id)))
            }
            _ => (Received::copied(delivery.properties), None),
        };
        let request = Request {
            body: Bytes::copy_from_slice(delivery.body),
            properties: received.into(),
            exchange: ShortStr::copied(exchange).ok()?,
            routing_key: ShortStr::copied(routing_key).ok()?,
            redelivered,
            time_left: properties.expiration.and_then(time_to_live),
        };
        self.arrive(now, index, delivery_tag, request, destination);
        Some(())
    }

    /// A request is there for a handler to take.
    fn arrive(
        &mut self,
        now: Instant,
        index: usize,
        delivery_tag: u64,
        mut request: Request,
        destination: Option<Destination>,
    ) {
        let Some(queue) = self.queues.get_mut(index) else { return };
        queue.deliver(delivery_tag);
        self.stats.requests = self.stats.requests.saturating_add(1);
        let redelivered = request.redelivered;
        self.stats.redelivered = self.stats.redelivered.saturating_add(redelivered.into());
        // 0 is no time to wait here: it asks for a consumer that is idle, and here is one.
        request.time_left = request.time_left.filter(|time| !time.is_zero());
        let deadline = request.time_left.map(|time| now.after(time));
        let (generation, consumer) = (queue.generation, queue.consumer);
        let pending =
            Pending { queue: index, generation, consumer, delivery_tag, redelivered, destination };
        self.arrived.push_back(Arrived { queue: index, request, deadline, pending });
    }
}

/// The queue that the consumer of a delivery belongs to, and which of them it is.
fn consumed<'a>(
    queues: &'a mut [Queue],
    channel: u16,
    consumer_tag: &[u8],
) -> Option<(usize, &'a mut Queue)> {
    let is_its_own = |queue: &Queue| {
        queue.channel == channel
            && matches!(queue.state, State::Serving | State::Cancelling)
            && queue.consumer_tag.as_bytes() == consumer_tag
    };
    queues.iter_mut().enumerate().find(|(_, queue)| is_its_own(queue))
}

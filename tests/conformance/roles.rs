//! A requester, a responder and what they do all the time.

use leveret_codec::{BasicProperties, FieldTable, ShortStr, basic, confirm, queue};

use crate::support::broker::{Broker, unique};
use crate::support::wire::{Content, Wire};

/// The name that stands for direct replies.
pub(crate) const REPLY_TO: ShortStr = ShortStr::from_static("amq.rabbitmq.reply-to");

/// Requester and responder on connections of their own, each on its channel 1.
pub(crate) struct Pair {
    pub(crate) requester: Wire,
    pub(crate) responder: Wire,
    /// The queue that the responder consumes, without acknowledgements.
    pub(crate) queue: ShortStr,
    /// The tag of the requester's reply consumer.
    pub(crate) tag: ShortStr,
}

impl Pair {
    pub(crate) async fn new(broker: &Broker) -> Self {
        let (mut requester, mut responder) = (broker.channel().await, broker.channel().await);
        let queue = declare(&mut responder, 1, "pair").await;
        consume_without_ack(&mut responder, 1, &queue).await;
        let tag = consume_replies(&mut requester, 1).await;
        Self { requester, responder, queue, tag }
    }

    /// Sends a request; gives the address under which the responder saw it.
    pub(crate) async fn request(&mut self, correlation_id: &'static str) -> ShortStr {
        let properties = request_properties(correlation_id);
        self.requester.publish(1, &self.queue, properties, b"request").await;
        let (_, request) = self.responder.expect_delivery(1).await;
        assert_eq!(request.properties.correlation_id, short(correlation_id));
        request.properties.reply_to.expect("a request has a reply-to")
    }

    pub(crate) async fn reply(&mut self, address: &ShortStr, body: &str) {
        self.responder.publish(1, address, BasicProperties::default(), body.as_bytes()).await;
    }

    /// The next thing that the requester gets is this reply.
    pub(crate) async fn expect_reply(&mut self, body: &str) -> basic::Deliver {
        let (deliver, Content { body: found, .. }) = self.requester.expect_delivery(1).await;
        assert_eq!(String::from_utf8_lossy(&found), body);
        assert_eq!(deliver.consumer_tag, self.tag);
        deliver
    }

    /// What the responder published before has taken effect on the requester, which got nothing:
    /// one channel's replies arrive in order, so this one would have come after the others.
    pub(crate) async fn expect_nothing_but_a_reply_to(&mut self, address: &ShortStr) {
        self.reply(address, "and nothing before").await;
        self.expect_reply("and nothing before").await;
    }
}

/// Begins to consume direct replies; gives the consumer's tag.
pub(crate) async fn consume_replies(wire: &mut Wire, channel: u16) -> ShortStr {
    let consume = basic::Consume { queue: REPLY_TO, no_ack: true, ..Default::default() };
    wire.call::<basic::ConsumeOk>(channel, consume).await.consumer_tag
}

/// Makes a queue that goes by itself when nobody has used it for a minute.
pub(crate) async fn declare(wire: &mut Wire, channel: u16, purpose: &str) -> ShortStr {
    let queue = unique(purpose);
    let mut arguments = FieldTable::new();
    arguments.insert("x-expires", 60_000).unwrap();
    let declare =
        queue::Declare { queue: queue.clone(), durable: true, arguments, ..Default::default() };
    let declared: queue::DeclareOk = wire.call(channel, declare).await;
    assert_eq!(declared, queue::DeclareOk { queue, message_count: 0, consumer_count: 0 });
    declared.queue
}

/// Messages in a queue that are ready for delivery.
pub(crate) async fn ready(wire: &mut Wire, channel: u16, queue: &ShortStr) -> u32 {
    let declare = queue::Declare { queue: queue.clone(), passive: true, ..Default::default() };
    wire.call::<queue::DeclareOk>(channel, declare).await.message_count
}

/// Begins to consume a queue with acknowledgements; gives the consumer's tag.
pub(crate) async fn consume(wire: &mut Wire, channel: u16, queue: &ShortStr) -> ShortStr {
    let consume = basic::Consume { queue: queue.clone(), ..Default::default() };
    wire.call::<basic::ConsumeOk>(channel, consume).await.consumer_tag
}

pub(crate) async fn consume_without_ack(wire: &mut Wire, channel: u16, queue: &ShortStr) {
    let consume = basic::Consume { queue: queue.clone(), no_ack: true, ..Default::default() };
    wire.call::<basic::ConsumeOk>(channel, consume).await;
}

/// From now on the broker acknowledges what is published on the channel.
pub(crate) async fn confirm(wire: &mut Wire, channel: u16) {
    wire.call::<confirm::SelectOk>(channel, confirm::Select { nowait: false }).await;
}

/// The broker acknowledges one publish.
pub(crate) async fn expect_confirmation(wire: &mut Wire, channel: u16, delivery_tag: u64) {
    let ack: basic::Ack = wire.expect(channel).await;
    assert_eq!(ack, basic::Ack { delivery_tag, multiple: false });
}

/// Publishes what a channel in confirm mode has not published before, and awaits that it is taken.
pub(crate) async fn publish_confirmed(
    wire: &mut Wire,
    channel: u16,
    delivery_tag: u64,
    queue: &ShortStr,
    body: &[u8],
) {
    wire.publish(channel, queue, BasicProperties::default(), body).await;
    expect_confirmation(wire, channel, delivery_tag).await;
}

pub(crate) fn request_properties(correlation_id: &'static str) -> BasicProperties {
    BasicProperties {
        correlation_id: short(correlation_id),
        reply_to: Some(REPLY_TO),
        ..BasicProperties::default()
    }
}

pub(crate) fn short(text: &'static str) -> Option<ShortStr> {
    Some(ShortStr::from_static(text))
}

/// `queue 'Q' in vhost 'V'`, as the broker's texts name a queue.
pub(crate) fn queue_in_vhost(broker: &Broker, queue: &ShortStr) -> String {
    format!("queue '{queue}' in vhost '{}'", broker.virtual_host)
}

//! Direct Reply-to: the consumer of replies, the addresses that lead to it, and the many names
//! that do not.
//!
//! An address is `amq.rabbitmq.reply-to.` and two words of base64 with a dot between: an Erlang
//! process id, which is the channel's, and a key, which is the consumer's.

use alloc::format;
use alloc::vec::Vec;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use leveret_codec::{BasicProperties, ReplyCode, ShortStr, basic, queue as queue_method};

use super::channel::{Message, ReplyConsumer};
use super::node::{Node, SessionId};
use super::raise::{Raise, Raised, queue_in};
use crate::message::REPLY_TO;

const PREFIX: &[u8] = b"amq.rabbitmq.reply-to.";

/// Whether the name begins as addresses do.
pub(super) fn is_address(name: &ShortStr) -> bool {
    name.len() > PREFIX.len() && name.as_bytes().starts_with(PREFIX)
}

/// Whether the name could be an address of this broker, in use or not.
fn is_well_formed(name: &ShortStr) -> bool {
    let Some(words) = name.as_bytes().strip_prefix(PREFIX) else { return false };
    let mut words = words.splitn(2, |octet| *octet == b'.');
    let (Some(pid), Some(key)) = (words.next(), words.next()) else { return false };
    BASE64_STANDARD.decode(pid).is_ok_and(|pid| pid.starts_with(ERLANG_PID))
        && BASE64_STANDARD.decode(key).is_ok()
}

/// Whether RabbitMQ up to 4.0 fails to take the name apart, and with it the channel that publishes to
/// it: two words, of which the first is to be a process, or octets that are no text. What has another
/// number of words it leaves alone.
pub(super) fn is_beyond_parsing(name: &ShortStr) -> bool {
    let Some(words) = name.as_bytes().strip_prefix(PREFIX) else { return false };
    if core::str::from_utf8(words).is_err() {
        return true;
    }
    let words: Vec<_> =
        words.split(|octet| *octet == b'.').filter(|word| !word.is_empty()).collect();
    let [pid, _key] = *words else { return false };
    !BASE64_STANDARD.decode(pid).is_ok_and(|pid| pid.starts_with(NEW_PID))
}

/// External term format: version, and the tag NEW_PID_EXT.
const NEW_PID: &[u8] = b"\x83X";

/// Both, and the name of the node as an atom.
const ERLANG_PID: &[u8] = b"\x83Xv\x00\x0ereply@27796420";

impl Node {
    pub(super) fn consume_replies(
        &mut self,
        id: SessionId,
        number: u16,
        consume: basic::Consume,
    ) -> Raised {
        let channel = self.channel(id, number)?;
        if !consume.no_ack {
            return Err(Raise::precondition("reply consumer cannot acknowledge"));
        }
        if channel.reply_consumer.is_some() {
            return Err(Raise::precondition("reply consumer already set"));
        }
        let tag = consume.consumer_tag;
        if channel.consumers.contains_key(&tag) {
            let text = format!("attempt to reuse consumer tag '{tag}'");
            return Err(Raise::connection(ReplyCode::NOT_ALLOWED, text));
        }
        let serial = channel.serial;
        let tag = if tag.is_empty() { self.random.name("amq.ctag-") } else { tag.detached() };
        let address = self.new_address(serial);
        self.addresses.insert(address.clone(), (id, number));
        self.channel(id, number)?.reply_consumer =
            Some(ReplyConsumer { tag: tag.clone(), address });
        self.answer(id, number, consume.nowait, basic::ConsumeOk { consumer_tag: tag })
    }

    fn new_address(&mut self, serial: u32) -> ShortStr {
        let mut pid = Vec::from(ERLANG_PID);
        pid.extend(serial.to_be_bytes());
        pid.extend([0; 4]);
        pid.extend(0x668e_1b23_u32.to_be_bytes());
        let key = self.random.octets();
        let (pid, key) = (BASE64_STANDARD.encode(pid), BASE64_STANDARD.encode(key));
        ShortStr::truncated(&format!("amq.rabbitmq.reply-to.{pid}.{key}"))
    }

    /// Puts the channel's address in place of the name that stands for it. Whether that was there.
    pub(super) fn rewrite_reply_to(
        &mut self,
        id: SessionId,
        number: u16,
        properties: &mut BasicProperties,
    ) -> Raised<bool> {
        if properties.reply_to.as_ref() != Some(&REPLY_TO) {
            return Ok(false);
        }
        let Some(consumer) = &self.channel(id, number)?.reply_consumer else {
            return Err(Raise::precondition("fast reply consumer does not exist"));
        };
        properties.reply_to = Some(consumer.address.clone());
        Ok(true)
    }

    /// Delivers a message to the consumer of an address. Whether the name counts as a queue, for
    /// `mandatory`.
    pub(super) fn reply(&mut self, address: &ShortStr, message: &Message) -> bool {
        let volatile = self.settings.version.has_volatile_queues();
        let consumer = self.addresses.get(address).copied();
        if let Some((id, number)) = consumer
            && let Some(session) = self.sessions.get_mut(&id)
            && let Some(channel) = session.channels.get_mut(&number)
            && let Some(consumer) = &channel.reply_consumer
        {
            let consumer_tag = consumer.tag.clone();
            // Up to 4.1 a reply has the next tag and does not use it up.
            let delivery_tag = match volatile {
                true => channel.next_delivery_tag(),
                false => channel.delivery_tag.saturating_add(1),
            };
            let deliver = basic::Deliver {
                consumer_tag,
                delivery_tag,
                redelivered: false,
                exchange: message.exchange.clone(),
                routing_key: message.routing_key.clone(),
            };
            session.send_content(number, deliver, &message.content);
        }
        volatile && is_well_formed(address)
    }

    pub(super) fn declare_address(
        &mut self,
        id: SessionId,
        number: u16,
        address: ShortStr,
        nowait: bool,
    ) -> Raised {
        let volatile = self.settings.version.has_volatile_queues();
        match self.addresses.get(&address) {
            // A channel that asks for itself: up to 4.1.4 it waits for its own answer and dies.
            Some(owner) if *owner == (id, number) && !volatile => return Err(Raise::crash()),
            Some(owner) if *owner != (id, number) => {
                let ok =
                    queue_method::DeclareOk { queue: address, message_count: 0, consumer_count: 1 };
                return self.answer(id, number, nowait, ok);
            }
            _ if volatile && !is_well_formed(&address) => return Err(Raise::crash()),
            _ => {}
        }
        let described = queue_in(&self.host_name(id), &address);
        Err(Raise::not_found(format!("no {described}")))
    }

    /// An address in place of a queue's name, in consume and get.
    pub(super) fn refuse_address(
        &self,
        id: SessionId,
        number: u16,
        address: &ShortStr,
        get: bool,
    ) -> Raised {
        let described = queue_in(&self.host_name(id), address);
        let owner = self.addresses.get(address);
        if !self.settings.version.has_volatile_queues() || owner.is_none() {
            return Err(Raise::not_found(format!("no {described}")));
        }
        if get {
            let text = format!("basic.get not supported by volatile {described}");
            return Err(Raise::connection(ReplyCode::NOT_IMPLEMENTED, text));
        }
        Err(Raise::precondition(if owner == Some(&(id, number)) {
            format!("multiple consumers are unsupported for {described}")
        } else {
            format!("only creator channel may consume from {described}")
        }))
    }
}

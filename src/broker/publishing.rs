//! `basic.publish`: checks in RabbitMQ's order, routing, returns and confirms; and the methods of
//! a channel as a whole.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::time::Duration;

use leveret_codec::{
    BasicProperties, FieldValue, Method, ReplyCode, ShortStr, basic, channel as channel_method,
    confirm, connection as connection_method,
};

use super::channel::{Content, Message};
use super::consuming::Fate;
use super::direct_reply::{is_address, is_beyond_parsing};
use super::node::{Node, SessionId};
use super::raise::{Raise, Raised};
use super::tables;
use crate::Instant;
use crate::message::is_delivery_mode;

impl Node {
    /// Any method on an open channel.
    pub(super) fn channel_method(
        &mut self,
        id: SessionId,
        now: Instant,
        number: u16,
        method: Method,
        content: Option<Content>,
    ) -> Raised {
        match method {
            Method::ChannelOpen(_) => {
                let text = "second 'channel.open' seen";
                Err(Raise::connection(ReplyCode::CHANNEL_ERROR, text))
            }
            Method::ChannelFlow(flow) if !flow.active => Err(not_implemented("active=false")),
            Method::ChannelFlow(_) => {
                self.answer(id, number, false, channel_method::FlowOk { active: true })
            }
            Method::BasicPublish(publish) => {
                self.publish(id, now, number, &publish, content.unwrap_or_default())
            }
            Method::BasicQos(qos) => self.qos(id, number, &qos),
            Method::BasicConsume(consume) => self.consume(id, now, number, consume),
            Method::BasicCancel(cancel) => self.cancel(id, now, number, cancel),
            Method::BasicGet(get) => self.get(id, now, number, &get),
            Method::BasicAck(basic::Ack { delivery_tag, multiple }) => {
                self.settle(id, now, number, delivery_tag, multiple, Fate::Acknowledged)
            }
            Method::BasicReject(basic::Reject { delivery_tag, requeue }) => {
                self.settle(id, now, number, delivery_tag, false, fate(requeue))
            }
            Method::BasicNack(basic::Nack { delivery_tag, multiple, requeue }) => {
                self.settle(id, now, number, delivery_tag, multiple, fate(requeue))
            }
            Method::BasicRecover(basic::Recover { requeue: false })
            | Method::BasicRecoverAsync(basic::RecoverAsync { requeue: false }) => {
                Err(not_implemented("requeue=false"))
            }
            Method::BasicRecoverAsync(_) => self.recover(id, now, number),
            Method::BasicRecover(_) => {
                self.recover(id, now, number)?;
                self.answer(id, number, false, basic::RecoverOk {})
            }
            Method::ConfirmSelect(select) => {
                self.channel(id, number)?.confirms.get_or_insert(0);
                self.answer(id, number, select.nowait, confirm::SelectOk {})
            }
            method => self.queue_method(id, now, number, method),
        }
    }

    fn qos(&mut self, id: SessionId, number: u16, qos: &basic::Qos) -> Raised {
        if qos.prefetch_size != 0 {
            return Err(not_implemented(&format!("prefetch_size!=0 ({})", qos.prefetch_size)));
        }
        let shared = qos.global && self.settings.version.shares_prefetch();
        let channel = self.channel(id, number)?;
        match shared {
            true => channel.shared_prefetch = qos.prefetch_count,
            false => channel.prefetch = qos.prefetch_count,
        }
        self.answer(id, number, false, basic::QosOk {})
    }

    fn publish(
        &mut self,
        id: SessionId,
        now: Instant,
        number: u16,
        publish: &basic::Publish,
        mut content: Content,
    ) -> Raised {
        if publish.immediate {
            return Err(not_implemented("immediate=true"));
        }
        let (size, limit) = (content.body_size, self.settings.max_message_size);
        if size > limit {
            return Err(Raise::precondition(format!(
                "message size {size} is larger than configured max size {limit}"
            )));
        }
        self.permit_exchange(id, &publish.exchange)?;
        if !is_exchange(&publish.exchange) {
            let (exchange, host) = (&publish.exchange, self.host_name(id));
            let text = format!("no exchange '{exchange}' in vhost '{host}'");
            return Err(Raise::not_found(text));
        }
        let properties = &mut content.properties;
        let rewritten = self.rewrite_reply_to(id, number, properties)?;
        let user = self.session(id)?.user.clone();
        check_user(properties, &user)?;
        let time_to_live = time_to_live(properties)?;

        let sorted = self.settings.version.rewrites_headers();
        if let Some(mode) = properties.delivery_mode.filter(|mode| !is_delivery_mode(*mode))
            && self.settings.version.checks_delivery_mode()
        {
            let text = format!("invalid message: {{delivery_mode_unknown,{mode}}}");
            return Err(Raise::precondition(text));
        }
        if let Some(headers) = properties.headers.as_mut().filter(|_| rewritten || sorted) {
            *headers = tables::rewritten(headers, sorted);
        }
        let mut targets = targets(&publish.routing_key, properties);
        if !publish.exchange.is_empty() {
            // Nothing can be bound to the others.
            targets.clear();
        }
        if self.settings.version.parses_reply_addresses() && targets.iter().any(is_beyond_parsing) {
            return Err(Raise::crash());
        }
        let message = Message {
            exchange: publish.exchange.detached(),
            routing_key: publish.routing_key.detached(),
            content,
            redelivered: false,
            expires: time_to_live.map(|time| now.after(time)),
            died_in: Vec::new(),
            position: 0,
        };
        let routed = self.route(id, now, &targets, &message);
        self.settle_publish(id, number, publish, &message, routed)?;
        self.block(id)?;
        // The next one is blocked if this one was one too many.
        self.watch_memory(now);
        Ok(())
    }

    /// To each queue or reply consumer that is there. Whether there is any.
    fn route(
        &mut self,
        id: SessionId,
        now: Instant,
        targets: &[ShortStr],
        message: &Message,
    ) -> bool {
        let host = self.host_name(id);
        let mut routed = false;
        for target in targets {
            if is_address(target) {
                routed |= self.reply(target, message);
            } else if self.queue_mut(&host, target).is_some() {
                self.enqueue(&host, target, now, message.clone());
                routed = true;
            }
        }
        routed
    }

    pub(super) fn enqueue(
        &mut self,
        host: &str,
        name: &ShortStr,
        now: Instant,
        mut message: Message,
    ) {
        let Some(queue) = self.queue_mut(host, name) else { return };
        // The shorter of the message's time and the queue's.
        let own = queue.number("x-message-ttl").map(|time| now.after(Duration::from_millis(time)));
        message.expires = [message.expires, own].into_iter().flatten().min();
        queue.push(message);
        self.dispatch_new(host, name, now);
    }

    /// A message that expires at once is delivered if a consumer waits for it this moment.
    fn dispatch_new(&mut self, host: &str, name: &ShortStr, now: Instant) {
        let is_next = self.queue_mut(host, name).is_some_and(|queue| queue.len() == 1);
        if is_next {
            self.deliver_one(host, name);
        }
        self.dispatch(host, name, now);
    }

    /// A return comes before the confirmation.
    fn settle_publish(
        &mut self,
        id: SessionId,
        number: u16,
        publish: &basic::Publish,
        message: &Message,
        routed: bool,
    ) -> Raised {
        let session = self.session(id)?;
        if publish.mandatory && !routed {
            let returned = basic::Return {
                reply_code: ReplyCode::NO_ROUTE,
                reply_text: ShortStr::from_static("NO_ROUTE"),
                exchange: publish.exchange.clone(),
                routing_key: publish.routing_key.clone(),
            };
            session.send_content(number, returned, &message.content);
        }
        let confirms = session.channels.get_mut(&number).and_then(|it| it.confirms.as_mut());
        if let Some(published) = confirms {
            *published = published.saturating_add(1);
            let delivery_tag = *published;
            session.send(number, basic::Ack { delivery_tag, multiple: false });
        }
        Ok(())
    }

    /// Who publishes while an alarm is on is told, and read no more.
    fn block(&mut self, id: SessionId) -> Raised {
        let Some(reason) = self.alarm() else { return Ok(()) };
        let session = self.session(id)?;
        if session.hears_of_blocked {
            session.send(0, connection_method::Blocked { reason });
        }
        session.blocked = true;
        Ok(())
    }
}

/// The exchanges that RabbitMQ has from the beginning, of which only the default one routes here.
pub(super) fn is_exchange(name: &ShortStr) -> bool {
    const EXCHANGES: [&str; 6] =
        ["", "amq.direct", "amq.fanout", "amq.topic", "amq.headers", "amq.match"];
    EXCHANGES.iter().any(|exchange| *name == *exchange)
}

/// The routing key, and what `CC` and `BCC` name; `BCC` is not delivered.
fn targets(routing_key: &ShortStr, properties: &mut BasicProperties) -> Vec<ShortStr> {
    let mut targets = alloc::vec![routing_key.clone()];
    let mut known = BTreeSet::from([routing_key.clone()]);
    for header in ["CC", "BCC"] {
        let value = properties.headers.as_ref().and_then(|headers| headers.get(header));
        let Some(FieldValue::Array(names)) = value else { continue };
        for name in names.iter() {
            if let FieldValue::LongStr(name) = name
                && let Ok(name) = ShortStr::new(name.into_bytes())
                && known.insert(name.clone())
            {
                targets.push(name);
            }
        }
    }
    if let Some(headers) = &mut properties.headers
        && headers.get("BCC").is_some()
    {
        headers.remove("BCC");
    }
    targets
}

fn check_user(properties: &BasicProperties, user: &str) -> Raised {
    match &properties.user_id {
        Some(claimed) if *claimed != *user => Err(Raise::precondition(format!(
            "user_id property set to '{claimed}' but authenticated user was '{user}'"
        ))),
        _ => Ok(()),
    }
}

/// Ten years in milliseconds.
const MAX_EXPIRATION: u64 = 315_360_000_000;

fn time_to_live(properties: &BasicProperties) -> Raised<Option<Duration>> {
    let Some(expiration) = &properties.expiration else { return Ok(None) };
    let text = expiration.to_string();
    let sign = text.strip_prefix(['-', '+']).unwrap_or(&text);
    let digits =
        sign.len().saturating_sub(sign.trim_start_matches(|c: char| c.is_ascii_digit()).len());
    let (number, rest) = sign.split_at_checked(digits).unwrap_or_default();
    let problem = match number.parse::<u64>() {
        _ if number.is_empty() => "no_integer".to_string(),
        _ if !rest.is_empty() => format!("{{leftover_string,\"{rest}\"}}"),
        Ok(time) if text.starts_with('-') && time > 0 => format!("{{value_negative,-{time}}}"),
        Ok(time) if time <= MAX_EXPIRATION => return Ok(Some(Duration::from_millis(time))),
        _ => format!("{{value_too_large,{number}}}"),
    };
    Err(Raise::precondition(format!("invalid expiration '{text}': {problem}")))
}

fn not_implemented(text: &str) -> Raise {
    Raise::connection(ReplyCode::NOT_IMPLEMENTED, text)
}

fn fate(requeue: bool) -> Fate {
    if requeue { Fate::Requeued } else { Fate::Refused }
}

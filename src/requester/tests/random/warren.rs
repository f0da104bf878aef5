//! A broker that does whatever it may, when it likes, and notes what it has taken.

use super::*;

#[derive(Default)]
pub(super) struct Warren {
    channels: BTreeMap<u16, Channel>,
    /// The requests that reached an open channel, in order.
    requests: Vec<Request>,
    /// What it has said and not yet sent.
    outbox: Vec<Frame>,
    /// Channels that were ever opened.
    opened: u64,
    alarm: bool,
}

struct Channel {
    /// Which of the channels that have had its number.
    epoch: u64,
    consumer: bool,
    paused: bool,
    /// Close is sent, and close-ok awaited. Everything else is ignored.
    closing: bool,
}

struct Request {
    name: u64,
    channel: u16,
    epoch: u64,
    published: Published,
    replied: bool,
    returned: bool,
}

// ---------------------------------------------------------------------- what it takes

impl Warren {
    pub(super) fn read(&mut self, client: &mut Client) {
        if client.engine.connection().is_finished() {
            return;
        }
        while let Some(frame) = client.next() {
            match frame {
                Frame::Method { channel: 0, method: Method::ConnectionClose(_) } => {
                    self.outbox.push(on(0, connection::CloseOk {}));
                }
                Frame::Method { channel, method: Method::BasicPublish(method) } => {
                    let published = client.rest_of(channel, method);
                    self.take(channel, published);
                }
                Frame::Method { channel, method } => self.obey(channel, method),
                other => panic!("{other:?}"),
            }
        }
    }

    fn take(&mut self, number: u16, published: Published) {
        let channel = &self.channels[&number];
        if channel.closing {
            return;
        }
        assert!(channel.consumer, "fast reply consumer does not exist");
        let name = core::str::from_utf8(&published.body).unwrap().parse().unwrap();
        assert!(self.requests.iter().all(|request| request.name != name), "sent twice");
        let (channel, epoch) = (number, channel.epoch);
        let request = Request { name, channel, epoch, published, replied: false, returned: false };
        self.requests.push(request);
    }

    fn obey(&mut self, number: u16, method: Method) {
        if let Method::ChannelOpen(_) = method {
            self.opened += 1;
            let channel =
                Channel { epoch: self.opened, consumer: false, paused: false, closing: false };
            let before = self.channels.insert(number, channel);
            assert!(before.is_none(), "channel {number} opened twice");
            return self.outbox.push(on(number, channel::OpenOk {}));
        }
        let channel = self.channels.get_mut(&number).expect("an open channel");
        match (method, channel.closing) {
            (Method::ChannelClose(_), closing) => {
                self.outbox.push(on(number, channel::CloseOk {}));
                if !closing {
                    self.channels.remove(&number);
                }
            }
            (Method::ChannelCloseOk(_), true) => _ = self.channels.remove(&number),
            (_, true) | (Method::ChannelFlowOk(_), false) => {}
            (Method::BasicConsume(consume), false) => {
                assert!(consume.no_ack, "reply consumer cannot acknowledge");
                assert!(!channel.consumer, "reply consumer already set");
                channel.consumer = true;
                let consumer_tag = short(format!("consumer {}", channel.epoch));
                self.outbox.push(on(number, basic::ConsumeOk { consumer_tag }));
            }
            (method, false) => panic!("{method:?}"),
        }
    }

    pub(super) fn has_replied_to(&self, name: u64) -> bool {
        self.requests.iter().any(|request| request.name == name && request.replied)
    }

    pub(super) fn may_have_executed(&self, name: u64) -> bool {
        self.requests.iter().any(|request| request.name == name && !request.returned)
    }
}

// ---------------------------------------------------------------------- what it does

impl Warren {
    /// All at once.
    pub(super) fn flush(&mut self, client: &mut Client) {
        client.broker_sends_at_once(self.outbox.drain(..));
    }

    pub(super) fn reply(&mut self, random: &mut Random) {
        let open = self.requests.iter().position(|request| !request.replied && !request.returned);
        let offset = random.below(3) as usize;
        if let Some(index) = open.map(|index| (index + offset).min(self.requests.len() - 1)) {
            self.reply_to(index, random);
        }
    }

    pub(super) fn repeat_reply(&mut self, random: &mut Random) {
        let index = random.below(self.requests.len() as u64 + 1) as usize;
        if self.requests.get(index).is_some_and(|request| request.replied) {
            self.reply_to(index, random);
        }
    }

    fn reply_to(&mut self, index: usize, random: &mut Random) {
        let request = &mut self.requests[index];
        let number = request.channel;
        let there = self.channels.get(&number).filter(|channel| channel.epoch == request.epoch);
        if request.returned || there.is_none_or(|channel| channel.closing) {
            return;
        }
        request.replied = true;
        let deliver = delivery(&format!("consumer {}", request.epoch));
        let body = format!("reply to {}", request.name);
        let mut properties = answering(&request.published);
        if random.below(8) == 0 {
            properties.correlation_id = None;
        }
        self.outbox.extend(message(number, deliver, &properties, body.as_bytes()));
    }

    pub(super) fn send_back(&mut self, random: &mut Random) {
        let index = random.below(self.requests.len() as u64 + 1) as usize;
        let Some(request) = self.requests.get_mut(index) else { return };
        let there = self.channels.get(&request.channel);
        let there = there.is_some_and(|there| there.epoch == request.epoch && !there.closing);
        if there && !request.replied && !request.returned {
            request.returned = true;
            let Published { properties, body, .. } = &request.published;
            self.outbox.extend(message(request.channel, no_route("queue"), properties, body));
        }
    }

    pub(super) fn close_channel(&mut self, spare: u16, random: &mut Random) {
        let number = random.below(8) as u16 + 1;
        let Some(channel) = self.channels.get_mut(&number).filter(|_| number != spare) else {
            return;
        };
        if !channel.closing {
            channel.closing = true;
            self.outbox.push(on(number, channel_close(ReplyCode::NOT_FOUND, "NOT_FOUND")));
        }
    }

    pub(super) fn toggle_alarm(&mut self) {
        self.alarm = !self.alarm;
        let reason = short("low on memory");
        self.outbox.push(match self.alarm {
            true => on(0, connection::Blocked { reason }),
            false => on(0, connection::Unblocked {}),
        });
    }

    pub(super) fn toggle_flow(&mut self, random: &mut Random) {
        let number = random.below(4) as u16 + 1;
        let Some(channel) = self.channels.get_mut(&number).filter(|channel| channel.consumer)
        else {
            return;
        };
        if !channel.closing {
            channel.paused = !channel.paused;
            self.outbox.push(on(number, channel::Flow { active: !channel.paused }));
        }
    }
}

//! The broker inside the process between three clients, a clock and an operator, none of whom knows
//! the rules.

use std::time::Duration;

use bytes::BytesMut;
use leveret::broker::{Broker, Node, SessionId, Version};
use leveret::{BasicProperties, FieldTable, Instant, ShortStr};
use leveret_codec::{
    Frame, LongStr, Method, ProtocolHeader, Secret, basic, channel, confirm, connection, queue,
};

use crate::emitted::Emitted;
use crate::peer::{self, CONSUMER_TAG};
use crate::scene::{START, Scene, next_timer, play};
use crate::script::Script;

/// Follows a script of what the clients, the clock and the operator do.
pub fn check(octets: &[u8]) {
    play::<Run>(octets);
}

const FRAME_MAX: u32 = 8192;

struct Run {
    node: Node,
    now: Instant,
    clients: [Option<Client>; 3],
    /// Octets that somebody has handed in or got, beyond those of the script.
    handed: usize,
}

struct Client {
    id: SessionId,
    input: BytesMut,
    emitted: Emitted,
    /// The last reply address and delivery tag that it was sent.
    reply_to: ShortStr,
    delivery_tag: u64,
}

impl Scene for Run {
    const BASE: u64 = 0x10_0000;

    /// The shortest step, a frame, can be a queue or a message.
    const FACTOR: u64 = 2000;

    fn begin(mode: u8) -> Self {
        let version = [Version::V3_10, Version::V4_0, Version::V4_3][usize::from(mode % 3)];
        let node = Broker::builder()
            .version(version)
            .memory_limit(0x4_0000)
            .max_message_size(0x2_0000)
            .tune(4, FRAME_MAX, 10)
            .without_io();
        let now = START;
        Self { node, now, clients: [const { None }; 3], handed: 0 }
    }

    /// The number of the step has the client in its two highest bits.
    fn step(&mut self, step: u8, script: &mut Script<'_>) {
        let client = usize::from(step >> 6) % self.clients.len();
        match step % 16 {
            0 => self.client_sends(client, script.octets()),
            1 => {
                if let Some(frame) = script.value::<Frame>() {
                    self.client_sends(client, &peer::encoded([peer::nearby(frame)]));
                }
            }
            2 => self.log_in(client, script.small()),
            3 => {
                self.log_in(client, 0);
                let open = Frame::method(1, channel::Open {});
                self.client_sends(client, &peer::encoded([open]));
            }
            4..=8 => self.usual(client, script),
            9 | 10 => self.publish(client, script),
            11 => self.wait(Duration::from_millis(script.number().into())),
            12 => self.wait(Duration::from_secs(script.small().into())),
            13 => self.operate(script),
            14 => self.end(client, script.small().is_multiple_of(2)),
            _ => {
                // Properties that no codec has looked at, such as headers without a bottom.
                let routing_key = ShortStr::from_static("first");
                let publish = basic::Publish { routing_key, ..basic::Publish::default() };
                let octets = peer::passed_on(1, publish, script.octets(), script.octets());
                self.client_sends(client, &octets);
            }
        }
    }

    /// What one client does shows on the others, and whoever was blocked is read again.
    fn look(&mut self) {
        for index in 0..self.clients.len() {
            let Some(client) = &mut self.clients[index] else { continue };
            if self.node.is_reading(client.id) && !client.input.is_empty() {
                self.node.handle_input(client.id, self.now, &mut client.input);
            }
            let mut output = BytesMut::new();
            self.node.poll_transmit(client.id, &mut output);
            self.handed += output.len();
            client.hear(output);
            if self.node.is_finished(client.id) {
                self.end(index, false);
            }
        }
    }

    /// When every client has gone, nothing of theirs is left to wait for.
    fn finish(&mut self) {
        for client in 0..self.clients.len() {
            self.end(client, false);
        }
        self.node.clear_alarm();
        for queue in ["first", "second"] {
            self.node.delete_queues(&ShortStr::from_static(queue));
        }
        let hour = Duration::from_secs(3600);
        self.wait(hour);
        // What is left can only be queues that the script has made up, with times of their own.
        assert!(self.node.poll_timeout().is_none_or(|due| due > self.now));
    }

    fn handed(&self) -> usize {
        self.handed
    }
}

impl Run {
    // ------------------------------------------------------------------ clients

    fn client(&mut self, client: usize) -> &mut Client {
        self.clients[client].get_or_insert_with(|| Client {
            id: self.node.accept(self.now),
            input: BytesMut::new(),
            emitted: Emitted::of_broker(),
            reply_to: ShortStr::EMPTY,
            delivery_tag: 0,
        })
    }

    fn client_sends(&mut self, client: usize, octets: &[u8]) {
        self.handed += octets.len();
        let now = self.now;
        let id = self.client(client).id;
        let Some(client) = &mut self.clients[client] else { return };
        client.input.extend_from_slice(octets);
        if self.node.is_reading(id) {
            self.node.handle_input(id, now, &mut client.input);
        }
    }

    /// As a guest, in the way that the number says.
    fn log_in(&mut self, client: usize, way: u8) {
        let mut octets = BytesMut::new();
        ProtocolHeader::AMQP_0_9_1.encode(&mut octets);
        let mut capabilities = FieldTable::new();
        for name in ["consumer_cancel_notify", "connection.blocked", "authentication_failure_close"]
        {
            capabilities.insert(name, true).expect("it is short");
        }
        let mut client_properties = FieldTable::new();
        client_properties.insert("capabilities", capabilities).expect("it is short");
        let (mechanism, response) = match way % 8 {
            1 => ("PLAIN", "\0guest\0wrong"),
            2 => ("AMQPLAIN", "\x05LOGINS\0\0\0\x05guest\x08PASSWORDS\0\0\0\x05guest"),
            3 => ("AMQPLAIN", "\x05LOGIN"),
            4 => ("EXTERNAL", ""),
            _ => ("PLAIN", "\0guest\0guest"),
        };
        let start_ok = connection::StartOk {
            client_properties,
            mechanism: ShortStr::from_static(mechanism),
            response: Secret(LongStr::from_static(response)),
            locale: ShortStr::from_static("en_US"),
        };
        let channel_max = if way & 8 == 0 { 4 } else { 5 };
        let tune_ok = connection::TuneOk { channel_max, frame_max: FRAME_MAX, heartbeat: 10 };
        let host = if way & 16 == 0 { "/" } else { "nowhere" };
        let open = connection::Open { virtual_host: ShortStr::from_static(host) };
        octets.unsplit(peer::encoded([
            Frame::method(0, start_ok),
            Frame::method(0, tune_ok),
            Frame::method(0, open),
        ]));
        self.client_sends(client, &octets);
    }

    /// What clients usually say, in whatever order.
    fn usual(&mut self, client: usize, script: &mut Script<'_>) {
        let (kind, bits) = (script.small(), script.small());
        let channel = 1 + u16::from(bits & 1);
        let flag = |bit: u8| bits & 1 << bit != 0;
        let nowait = flag(1);
        let name = |bit| ShortStr::from_static(if flag(bit) { "first" } else { "second" });
        let delivery_tag = self.client(client).delivery_tag.saturating_sub(u64::from(bits >> 6));
        let method: Method = match kind % 24 {
            0 => channel::Open {}.into(),
            1 => channel::Close::default().into(),
            2 => channel::CloseOk {}.into(),
            3 => channel::Flow { active: flag(2) }.into(),
            4 | 5 => queue::Declare {
                queue: name(2),
                passive: flag(3),
                durable: flag(4),
                exclusive: flag(5),
                auto_delete: flag(6),
                nowait,
                arguments: match flag(7) {
                    true => short_lived(),
                    false => script.value().unwrap_or_default(),
                },
            }
            .into(),
            6 => queue::Delete { queue: name(2), if_unused: flag(3), if_empty: flag(4), nowait }
                .into(),
            7 => queue::Purge { queue: name(2), nowait }.into(),
            8 => queue::Bind { queue: name(2), nowait, ..queue::Bind::default() }.into(),
            9 => queue::Unbind { queue: name(2), ..queue::Unbind::default() }.into(),
            10..=12 => basic::Consume {
                queue: name(2),
                consumer_tag: if flag(3) { CONSUMER_TAG } else { ShortStr::EMPTY },
                no_ack: flag(4),
                exclusive: flag(5),
                nowait,
                arguments: script.value().unwrap_or_default(),
                ..basic::Consume::default()
            }
            .into(),
            13 => {
                basic::Consume { queue: REPLY_TO, no_ack: !flag(5), nowait, ..Default::default() }
                    .into()
            }
            14 if flag(7) => basic::Publish { routing_key: name(2), ..Default::default() }.into(),
            14 => basic::Cancel { consumer_tag: CONSUMER_TAG, nowait }.into(),
            15 => basic::Get { queue: name(2), no_ack: flag(4) }.into(),
            16 | 17 => basic::Ack { delivery_tag, multiple: flag(5) }.into(),
            18 => basic::Nack { delivery_tag, multiple: flag(5), requeue: flag(4) }.into(),
            19 => basic::Reject { delivery_tag, requeue: flag(4) }.into(),
            20 => {
                basic::Qos { prefetch_size: 0, prefetch_count: (bits >> 3).into(), global: flag(2) }
                    .into()
            }
            21 => match flag(2) {
                true => basic::Recover { requeue: flag(3) }.into(),
                false => basic::RecoverAsync { requeue: flag(3) }.into(),
            },
            22 => confirm::Select { nowait }.into(),
            _ => {
                queue::Declare { queue: self.client(client).reply_to.clone(), ..Default::default() }
                    .into()
            }
        };
        self.client_sends(client, &peer::encoded([Frame::method(channel, method)]));
    }

    fn publish(&mut self, client: usize, script: &mut Script<'_>) {
        let bits = script.small();
        let reply_to = self.client(client).reply_to.clone();
        let mut properties = script.value::<BasicProperties>().unwrap_or_default();
        if bits & 4 != 0 {
            properties.reply_to = Some(REPLY_TO);
        }
        let routing_key = match bits >> 4 & 3 {
            0 => reply_to,
            1 => ShortStr::from_static("first"),
            2 => ShortStr::from_static("second"),
            _ => REPLY_TO,
        };
        let publish = basic::Publish {
            routing_key,
            mandatory: bits & 2 != 0,
            immediate: bits & 0xc8 == 0xc8,
            ..basic::Publish::default()
        };
        let body = vec![bits; usize::from(script.number()) * 4];
        let octets = peer::content(1 + u16::from(bits & 1), publish, properties, &body);
        self.client_sends(client, &octets);
    }

    fn end(&mut self, client: usize, in_order: bool) {
        if in_order {
            let close = Frame::method(0, connection::Close::default());
            return self.client_sends(client, &peer::encoded([close]));
        }
        if let Some(Client { id, .. }) = self.clients[client].take() {
            self.node.forget(id, self.now);
            assert!(self.node.is_finished(id));
        }
    }

    // ------------------------------------------------------------------ the clock and the operator

    /// Time passes, and every timer in it goes off when it is due.
    fn wait(&mut self, duration: Duration) {
        let end = self.now.after(duration);
        while next_timer(
            &mut self.node,
            &mut self.now,
            end,
            Node::poll_timeout,
            Node::handle_timeout,
        ) {
            self.look();
        }
    }

    fn operate(&mut self, script: &mut Script<'_>) {
        let queue = ShortStr::from_static(["first", "second"][usize::from(script.small() % 2)]);
        match script.small() % 4 {
            0 => self.node.set_alarm(ShortStr::from_static("low on disk")),
            1 => self.node.clear_alarm(),
            2 => _ = self.node.cancel_consumers(&queue, self.now),
            _ => _ = self.node.delete_queues(&queue),
        }
    }
}

impl Client {
    fn hear(&mut self, octets: BytesMut) {
        if ProtocolHeader::decode(&octets).is_some() {
            assert_eq!(octets.len(), 8, "the refusal of a version, and nothing else");
            return;
        }
        // Content headers are passed on as they are, and may be larger than frame-max.
        for frame in self.emitted.read_passed_on(octets, 2 * FRAME_MAX as usize) {
            match frame {
                Frame::Header { header, .. } => {
                    self.reply_to = header.properties.reply_to.unwrap_or_default();
                }
                Frame::Method { method: Method::BasicDeliver(deliver), .. } => {
                    self.delivery_tag = deliver.delivery_tag;
                }
                Frame::Method { method: Method::BasicGetOk(got), .. } => {
                    self.delivery_tag = got.delivery_tag;
                }
                _ => {}
            }
        }
    }
}

/// A queue whose messages die soon, and go to the other.
fn short_lived() -> FieldTable {
    let mut arguments = FieldTable::new();
    for (name, value) in [("x-message-ttl", 50), ("x-expires", 5000)] {
        arguments.insert(name, value).expect("it is short");
    }
    for (name, value) in [("x-dead-letter-exchange", ""), ("x-dead-letter-routing-key", "second")] {
        arguments.insert(name, value).expect("it is short");
    }
    arguments
}

const REPLY_TO: ShortStr = ShortStr::from_static("amq.rabbitmq.reply-to");

//! [`Broker`]: the broker inside the process, behind lines of the network.

use std::collections::BTreeMap;

use bytes::BytesMut;
use leveret::Instant;
use leveret::broker::{Broker as Library, Node, SessionId};
use leveret_codec::{
    FieldTable, Frame, LongStr, ProtocolHeader, ReplyCode, Secret, ShortStr, channel, connection,
    queue,
};

use crate::agenda::Event;
use crate::network::{Break, LineId, Read, Side};
use crate::stage::Stage;

/// One broker, which may go and come back.
#[derive(Debug)]
pub struct Broker {
    node: Option<Node>,
    ports: BTreeMap<LineId, Port>,
    timer: Option<Instant>,
    /// How many nodes there were.
    nodes: u64,
    /// Queues that survive it when it goes.
    durable: Vec<ShortStr>,
    is_in_alarm: bool,
}

#[derive(Debug)]
struct Port {
    session: SessionId,
    input: BytesMut,
    output: BytesMut,
}

/// The queue that nobody serves.
pub const UNSERVED: ShortStr = ShortStr::from_static("unserved");

impl Broker {
    /// A broker that is there, with nothing in it.
    pub fn new(stage: &Stage) -> Self {
        let mut broker = Self {
            node: None,
            ports: BTreeMap::new(),
            timer: None,
            nodes: 0,
            durable: vec![UNSERVED],
            is_in_alarm: false,
        };
        broker.power_on(stage);
        broker
    }

    /// Whether it is there.
    pub fn is_up(&self) -> bool {
        self.node.is_some()
    }

    /// How many consume from each queue that is there.
    pub fn consumers(&self, queue: &ShortStr) -> Option<usize> {
        Some(self.node.as_ref()?.queue_stats(queue)?.consumers)
    }

    /// The node, if it is there.
    pub fn node(&mut self) -> Option<&mut Node> {
        self.node.as_mut()
    }

    /// The lines that lead to it.
    pub fn lines(&self) -> Vec<LineId> {
        self.ports.keys().copied().collect()
    }

    // ------------------------------------------------------------------ going and coming

    /// It is there again, with its durable queues, which are empty: requests are transient.
    pub fn power_on(&mut self, stage: &Stage) {
        if self.node.is_some() {
            return;
        }
        self.nodes += 1;
        let plan = &stage.plan;
        let mut node = Library::builder()
            .version(plan.version)
            .max_message_size(plan.max_message_size)
            .tune(plan.channel_max, 0x2_0000, 60)
            .seed(self.nodes)
            .without_io();
        declare(&mut node, stage.now, &self.durable);
        if self.is_in_alarm {
            node.set_alarm(ALARM);
        }
        self.node = Some(node);
    }

    /// It closes all connections, and goes as soon as that is said.
    pub fn power_off_in_order(&mut self, stage: &mut Stage) {
        let Some(node) = &mut self.node else { return };
        for (line, port) in &self.ports {
            stage.network.trouble(*line);
            let text = "broker forced connection closure with reason 'shutdown'";
            node.close_session(port.session, stage.now, ReplyCode::CONNECTION_FORCED, text);
        }
        self.run(stage);
    }

    /// It is gone.
    pub fn power_off(&mut self, stage: &mut Stage) {
        let Some(node) = self.node.take() else { return };
        let durable = stage.plan.queues.iter().filter(|queue| queue.durable);
        let durable = durable.map(|queue| queue.name.clone());
        self.durable = durable.filter(|name| node.queue_stats(name).is_some()).collect();
        self.durable.push(UNSERVED);
        for line in core::mem::take(&mut self.ports).into_keys() {
            let how = Break::Heard;
            stage.network.cut(stage.now, line, how, &mut stage.random, &mut stage.agenda);
        }
        self.timer = None;
    }

    // ------------------------------------------------------------------ what an operator does

    /// It reads nothing that is published.
    pub fn set_alarm(&mut self, stage: &mut Stage) {
        self.is_in_alarm = true;
        if let Some(node) = &mut self.node {
            node.set_alarm(ALARM);
        }
        self.run(stage);
    }

    /// It reads everything again.
    pub fn clear_alarm(&mut self, stage: &mut Stage) {
        self.is_in_alarm = false;
        if let Some(node) = &mut self.node {
            node.clear_alarm();
        }
        self.run(stage);
    }

    /// A server gives up the channel of a consumer that it loses, and with it what it was delivered.
    fn trouble_all(&self, stage: &mut Stage) {
        self.ports.keys().for_each(|line| stage.network.trouble(*line));
    }

    /// The queue loses its consumers.
    pub fn cancel_consumers(&mut self, stage: &mut Stage, queue: &ShortStr) {
        self.trouble_all(stage);
        if let Some(node) = &mut self.node {
            node.cancel_consumers(queue, stage.now);
        }
        self.run(stage);
    }

    /// The queue is deleted.
    pub fn delete_queue(&mut self, stage: &mut Stage, queue: &ShortStr) {
        self.trouble_all(stage);
        if let Some(node) = &mut self.node {
            node.delete_queues(queue);
        }
        self.run(stage);
    }

    /// A connection is closed.
    pub fn close_connection(&mut self, stage: &mut Stage, line: LineId) {
        stage.network.trouble(line);
        if let (Some(node), Some(port)) = (&mut self.node, self.ports.get(&line)) {
            let code = ReplyCode::CONNECTION_FORCED;
            node.close_session(port.session, stage.now, code, "closed by an operator");
        }
        self.run(stage);
    }

    /// A channel is closed. Whether there was one.
    pub fn close_channel(&mut self, stage: &mut Stage, line: LineId, number: u16) -> bool {
        let (Some(node), Some(port)) = (&mut self.node, self.ports.get(&line)) else {
            return false;
        };
        let code = ReplyCode::PRECONDITION_FAILED;
        let text = "delivery acknowledgement on channel timed out";
        let was_open = node.close_channel(port.session, stage.now, number, code, text);
        if was_open {
            stage.network.trouble(line);
        }
        self.run(stage);
        was_open
    }

    // ------------------------------------------------------------------ bytes and time

    /// Somebody has come.
    pub fn accept(&mut self, stage: &mut Stage, line: LineId) {
        let Some(node) = &mut self.node else { return };
        let session = node.accept(stage.now);
        let [input, output] = [BytesMut::new(), BytesMut::new()];
        self.ports.insert(line, Port { session, input, output });
        self.run(stage);
    }

    /// Everything that can be done now: what one connection does shows on the others.
    pub fn run(&mut self, stage: &mut Stage) {
        while self.turn(stage) {}
        self.look_for_queues(stage);
        let due = self.node.as_ref().and_then(Node::poll_timeout);
        if let Some(due) = due
            && self.timer.is_none_or(|timer| timer <= stage.now || timer > due)
        {
            self.timer = Some(due);
            stage.agenda.at(due, Event::BrokerTimer);
        }
    }

    fn turn(&mut self, stage: &mut Stage) -> bool {
        self.look_for_queues(stage);
        let now = stage.now;
        let Self { node: Some(node), ports, .. } = self else { return false };
        let mut acted = false;
        if node.poll_timeout().is_some_and(|due| due <= now) {
            node.handle_timeout(now);
            let next = node.poll_timeout();
            stage.check(next.is_none_or(|next| next > now), || "the broker spins".into());
        }
        let mut gone = Vec::new();
        for (line, port) in ports.iter_mut() {
            acted |= port.read(*line, node, stage);
            acted |= port.write(*line, node, stage);
            if node.is_finished(port.session) {
                gone.push(*line);
            }
        }
        for line in gone {
            let Some(mut port) = ports.remove(&line) else { continue };
            port.write(line, node, stage);
            stage.close(line, Side::Broker);
            stage.network.trouble(line);
            node.forget(port.session, now);
            acted = true;
        }
        acted
    }

    fn look_for_queues(&self, stage: &mut Stage) {
        for (queue, absent_at) in stage.plan.queues.iter().zip(&mut stage.absent_at) {
            let node = self.node.as_ref();
            if node.and_then(|node| node.queue_stats(&queue.name)).is_none() {
                *absent_at = stage.now;
            }
        }
    }
}

const ALARM: ShortStr = ShortStr::from_static("low on memory");

impl Port {
    fn read(&mut self, line: LineId, node: &mut Node, stage: &mut Stage) -> bool {
        let now = stage.now;
        if !node.is_reading(self.session) {
            return false;
        }
        if !self.input.is_empty() {
            let before = self.input.len();
            node.handle_input(self.session, now, &mut self.input);
            if self.input.len() < before {
                return true;
            }
        }
        match stage.network.read(now, (line, Side::Broker), &mut self.input, &mut stage.agenda) {
            Read::Nothing => return false,
            Read::Octets(_) => node.handle_input(self.session, now, &mut self.input),
            Read::End(_) if node.is_finished(self.session) => return false,
            Read::End(_) => node.handle_eof(self.session, now),
        }
        true
    }

    fn write(&mut self, line: LineId, node: &mut Node, stage: &mut Stage) -> bool {
        let mut acted = false;
        loop {
            if self.output.is_empty() {
                node.poll_transmit(self.session, &mut self.output);
                stage.heard(line, &self.output);
            }
            if self.output.is_empty() {
                return acted;
            }
            match stage.write(line, Side::Broker, &mut self.output) {
                Ok(0) => return acted,
                Ok(_) => acted = true,
                Err(_) => {
                    self.output.clear();
                    node.handle_eof(self.session, stage.now);
                    return true;
                }
            }
        }
    }
}

/// Queues are there before anybody connects.
fn declare(node: &mut Node, now: Instant, queues: &[ShortStr]) {
    let mut octets = BytesMut::new();
    ProtocolHeader::AMQP_0_9_1.encode(&mut octets);
    let start_ok = connection::StartOk {
        client_properties: FieldTable::EMPTY,
        mechanism: ShortStr::from_static("PLAIN"),
        response: Secret(LongStr::from_static("\0guest\0guest")),
        locale: ShortStr::from_static("en_US"),
    };
    let tune_ok = connection::TuneOk { channel_max: 2, frame_max: 0x2000, heartbeat: 0 };
    let open = connection::Open { virtual_host: ShortStr::from_static("/") };
    let hello = [
        Frame::method(0, start_ok),
        Frame::method(0, tune_ok),
        Frame::method(0, open),
        Frame::method(1, channel::Open {}),
    ];
    let declare = |name: &ShortStr| queue::Declare {
        queue: name.clone(),
        durable: true,
        ..queue::Declare::default()
    };
    let declares = queues.iter().map(|name| Frame::method(1, declare(name)));
    hello.into_iter().chain(declares).for_each(|frame| frame.encode(&mut octets));
    let session = node.accept(now);
    node.handle_input(session, now, &mut octets);
    node.forget(session, now);
}

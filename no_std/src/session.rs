//! A client's engine and a server's, and between them as much of a broker as they need.

use alloc::vec::Vec;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use bytes::{Buf, BytesMut};
use leveret::connection::{Config, Connection};
use leveret::requester::{CallId, Outgoing, Requester};
use leveret::responder::{Answer, QueueOptions, Responder};
use leveret::{CallError, Engine, Instant, Outcome, Reply};
use leveret_codec::{
    FieldTable, Frame, LongStr, Method, ProtocolHeader, ShortStr, basic, channel, connection, queue,
};

const QUEUE: ShortStr = ShortStr::from_static("ping");
const CONSUMER_TAG: ShortStr = ShortStr::from_static("consumer");
const REPLY_ADDRESS: ShortStr = ShortStr::from_static("reply-address");

/// Client and server have one channel each.
const CHANNEL: u16 = 1;

const MAX_BODY_SIZE: u16 = 1000;
const TIMEOUT: Duration = Duration::from_secs(1);

pub(crate) fn a_call_is_answered() -> Option<()> {
    let mut warren = Warren::open()?;
    let id = warren.request("hello")?;
    warren.run()?;

    let arrived = warren.server.engine.poll_work(warren.now)?;
    let reply = Reply::new(arrived.request.into_body()).content_type("text/plain");
    warren.server.engine.answer(warren.now, arrived.pending, Answer::Reply(reply));
    warren.run()?;

    match warren.poll(id) {
        Poll::Ready(Ok(reply)) if reply.text() == Ok("hello") => warren.close(),
        _ => None,
    }
}

pub(crate) fn a_call_that_nobody_answers_ends_in_time() -> Option<()> {
    let mut warren = Warren::open()?;
    let id = warren.request("hello")?;
    warren.run()?;
    warren.now = warren.client.engine.poll_timeout()?;
    warren.client.engine.handle_timeout(warren.now);
    match warren.poll(id) {
        Poll::Ready(Err(error @ CallError::Timeout { .. }))
            if error.outcome() == Outcome::Unknown => {}
        _ => return None,
    }
    warren.close()
}

/// Both ends and the broker, in virtual time.
struct Warren {
    client: Line<Requester>,
    server: Line<Responder>,
    now: Instant,
}

impl Warren {
    /// Both have logged in and consume.
    fn open() -> Option<Self> {
        let now = Instant::default();
        let config = || Config { heartbeat: 0, ..Config::default() };
        // Without an engine on top, the connection alone.
        let mut connection = Connection::new(config(), now);
        let mut octets = BytesMut::new();
        connection.poll_transmit(now, &mut octets);
        if ProtocolHeader::decode(&octets) != Some(ProtocolHeader::AMQP_0_9_1) {
            return None;
        }

        let queues = [QueueOptions::new(QUEUE)];
        let client = Line::new(Requester::new(config(), MAX_BODY_SIZE.into(), 17, now));
        let server = Line::new(Responder::new(config(), queues, MAX_BODY_SIZE.into(), now));
        let mut warren = Self { client, server, now };
        warren.run()?;
        let ready = Poll::Ready(Ok(()));
        let both =
            warren.client.engine.readiness() == ready && warren.server.engine.readiness() == ready;
        both.then_some(warren)
    }

    fn request(&mut self, body: &'static str) -> Option<CallId> {
        let outgoing =
            Outgoing { routing_key: QUEUE, body: body.as_bytes().into(), ..Outgoing::default() };
        self.client.engine.request(self.now, outgoing, TIMEOUT).ok()
    }

    fn poll(&mut self, id: CallId) -> Poll<Result<Reply, CallError>> {
        self.client.engine.poll_call(id, &mut Context::from_waker(Waker::noop()))
    }

    /// Until nobody has anything to say.
    fn run(&mut self) -> Option<()> {
        loop {
            let requests = self.client.turn(self.now)?;
            let replies = self.server.turn(self.now)?;
            let quiet = requests.is_empty() && replies.is_empty();
            if quiet && self.client.to_engine.is_empty() && self.server.to_engine.is_empty() {
                return Some(());
            }
            requests.into_iter().for_each(|frame| self.server.deliver(frame));
            replies.into_iter().for_each(|frame| self.client.deliver(frame));
        }
    }

    fn close(mut self) -> Option<()> {
        self.client.engine.close(self.now);
        self.server.engine.shutdown(self.now);
        self.server.engine.close(self.now);
        self.run()?;
        (self.client.engine.is_finished() && self.server.engine.is_finished()).then_some(())
    }
}

/// One connection, seen from the broker.
struct Line<E> {
    engine: E,
    to_engine: BytesMut,
    greeted: bool,
}

impl<E: Engine> Line<E> {
    fn new(engine: E) -> Self {
        Self { engine, to_engine: BytesMut::new(), greeted: false }
    }

    /// Hands the engine what has been sent to it, and answers what it says. What it publishes is
    /// for the other one.
    fn turn(&mut self, now: Instant) -> Option<Vec<Frame>> {
        self.engine.handle_input(now, &mut self.to_engine);
        let mut octets = BytesMut::new();
        self.engine.poll_transmit(now, &mut octets);
        if !self.greeted {
            octets.advance(ProtocolHeader::decode(&octets).map(|_| 8)?);
            self.greeted = true;
            Frame::method(0, start()?).encode(&mut self.to_engine);
        }
        let mut published = Vec::new();
        while let Some(frame) = Frame::decode(&mut octets, 0x2_0000).ok()? {
            match &frame {
                Frame::Method { method: Method::BasicPublish(_), .. }
                | Frame::Header { .. }
                | Frame::Body { .. } => published.push(frame),
                Frame::Method { channel, method } => {
                    if let Some(answer) = answer(method) {
                        Frame::method(*channel, answer).encode(&mut self.to_engine);
                    }
                }
                Frame::Heartbeat => {}
            }
        }
        Some(published)
    }

    /// A frame of what the other one has published.
    fn deliver(&mut self, mut frame: Frame) {
        match &mut frame {
            Frame::Method { method, .. } => {
                *method = basic::Deliver {
                    consumer_tag: CONSUMER_TAG,
                    delivery_tag: 1,
                    ..basic::Deliver::default()
                }
                .into();
            }
            Frame::Header { header, .. } => {
                if header.properties.reply_to.is_some() {
                    header.properties.reply_to = Some(REPLY_ADDRESS);
                }
            }
            Frame::Body { .. } | Frame::Heartbeat => {}
        }
        frame.encode(&mut self.to_engine);
    }
}

fn start() -> Option<connection::Start> {
    let mut capabilities = FieldTable::new();
    capabilities.insert("direct_reply_to", true).ok()?;
    let mut server_properties = FieldTable::new();
    server_properties.insert("capabilities", capabilities).ok()?;
    Some(connection::Start {
        version_major: 0,
        version_minor: 9,
        server_properties,
        mechanisms: LongStr::from_static("PLAIN"),
        locales: LongStr::from_static("en_US"),
    })
}

fn answer(method: &Method) -> Option<Method> {
    Some(match method {
        Method::ConnectionStartOk(_) => {
            connection::Tune { channel_max: CHANNEL, frame_max: 4096, heartbeat: 0 }.into()
        }
        Method::ConnectionOpen(_) => connection::OpenOk {}.into(),
        Method::ConnectionClose(_) => connection::CloseOk {}.into(),
        Method::ChannelOpen(_) => channel::OpenOk {}.into(),
        Method::QueueDeclare(_) => queue::DeclareOk::default().into(),
        Method::BasicQos(_) => basic::QosOk {}.into(),
        Method::BasicConsume(_) => basic::ConsumeOk { consumer_tag: CONSUMER_TAG }.into(),
        Method::BasicCancel(_) => basic::CancelOk { consumer_tag: CONSUMER_TAG }.into(),
        _ => return None,
    })
}

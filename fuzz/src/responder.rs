//! The server's engine between a broker, a clock and handlers, none of whom knows the rules.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::task::Waker;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use leveret::responder::{Answer, Arrived, Pending, QueueOptions, Responder};
use leveret::{BasicProperties, Engine, Fault, Instant, Reply, ReplyCode, ShortStr};
use leveret_codec::{Frame, Method, basic, channel, connection};

use crate::emitted::Emitted;
use crate::peer::{self, CONSUMER_TAG};
use crate::scene::{RECONNECTING, START, Scene, next_timer, play};
use crate::script::Script;

/// Follows a script of what the broker, the clock and the handlers do.
pub fn check(octets: &[u8]) {
    play::<Run>(octets);
}

const QUEUES: [&str; 2] = ["first", "second"];
const PREFETCH: u16 = 3;

struct Run {
    engine: Responder,
    now: Instant,
    input: BytesMut,
    emitted: Emitted,
    /// What the broker was asked and has not answered.
    asked: Vec<(u16, Method)>,
    deliveries: u64,
    /// The channels, each with how many have had its number.
    channels: BTreeMap<u16, u32>,
    /// Its user has closed it: nobody could answer what comes now.
    closed: bool,
    /// The broker has said what the script made up: delivery tags may stand twice.
    lies: bool,
    /// Deliveries that were acknowledged or rejected, on which channel.
    settled: BTreeSet<(u16, u32, u64)>,
    at_work: Vec<(usize, Pending, Option<ShortStr>)>,
    answers: usize,
    replies: usize,
    /// Octets that somebody has handed in, beyond those of the script.
    handed: usize,
    reconnects: bool,
}

impl Scene for Run {
    const BASE: u64 = 0x8_0000;

    /// The shortest step is a delivery, a request, and its frames.
    const FACTOR: u64 = 2000;

    fn begin(mode: u8) -> Self {
        let now = START;
        let queues = QUEUES.map(|name| QueueOptions {
            prefetch: PREFETCH,
            ..QueueOptions::new(ShortStr::from_static(name))
        });
        let reconnects = mode & 0x20 != 0;
        let mut engine = Responder::new(peer::config(), queues, 0x1000, now);
        if reconnects {
            engine = engine.with_reconnect(RECONNECTING, 0);
        }
        let mut run = Self {
            engine,
            now,
            input: BytesMut::new(),
            emitted: Emitted::of_client(),
            asked: Vec::new(),
            deliveries: 0,
            channels: BTreeMap::new(),
            closed: false,
            lies: false,
            settled: BTreeSet::new(),
            at_work: Vec::new(),
            answers: 0,
            replies: 0,
            handed: 0,
            reconnects,
        };
        if mode & 1 == 0 {
            run.broker_sends(&peer::handshake(4096, 5, mode.into()));
            run.look();
        }
        for _ in 0..mode >> 1 & 3 {
            run.broker_answers();
            run.look();
        }
        run
    }

    fn step(&mut self, step: u8, script: &mut Script<'_>) {
        match step % 16 {
            0 => {
                self.lies = true;
                self.broker_sends(script.octets());
            }
            1 => {
                self.lies = true;
                if let Some(frame) = script.value::<Frame>() {
                    self.broker_sends(&peer::encoded([peer::nearby(frame)]));
                }
            }
            2 => self.broker_answers(),
            3..=5 => self.deliver(script),
            6..=8 => self.answer(script),
            9 => self.cancel_consumer(script),
            10 => self.close_channel(script),
            11 => self.wait(Duration::from_millis(script.number().into())),
            12 => self.wait(Duration::from_secs(script.small().into())),
            13 => {
                let frame = match script.small() % 2 {
                    0 => Frame::method(0, connection::Unblocked {}),
                    _ => Frame::method(0, connection::Blocked { reason: ShortStr::EMPTY }),
                };
                self.broker_sends(&peer::encoded([frame]));
            }
            14 => match script.small() % 3 {
                0 => self.engine.handle_eof(self.now),
                1 => self.engine.handle_transport_error(self.now, "as the script wanted".into()),
                _ => self.broker_sends(&peer::handshake(4096, 5, 10)),
            },
            _ => match script.small() % 4 {
                0 => {
                    self.closed = true;
                    self.engine.close(self.now);
                }
                _ => self.engine.shutdown(self.now),
            },
        }
    }

    fn look(&mut self) {
        self.hear();
    }

    /// However it went, it ends, and takes the last answers.
    fn finish(&mut self) {
        self.engine.handle_eof(self.now);
        if self.reconnects {
            self.closed = true;
            self.engine.close(self.now);
        }
        self.look();
        assert!(self.engine.is_finished() && self.engine.end_result().is_ready());
        while !self.at_work.is_empty() {
            self.give(0, Answer::Reply(Reply::new("too late")));
        }
        let stats = self.engine.stats();
        assert!(stats.running == 0 && self.engine.poll_work(self.now).is_none());
        assert!(stats.requests <= self.handed as u64);
        let answers = stats.replies + stats.faults + stats.without_reply_to + stats.unsent;
        assert_eq!(answers, self.answers as u64, "{stats:?}");
        self.wait(Duration::from_secs(1000));
        assert_eq!(self.engine.poll_timeout(), None, "nothing is left to wait for");
    }

    fn handed(&self) -> usize {
        self.handed
    }
}

impl Run {
    // ------------------------------------------------------------------ the broker and the clock

    fn broker_sends(&mut self, octets: &[u8]) {
        self.handed += octets.len();
        self.input.extend_from_slice(octets);
        self.engine.handle_input(self.now, &mut self.input);
    }

    fn broker_answers(&mut self) {
        let octets = peer::answers(&mut self.asked);
        self.broker_sends(&octets);
    }

    fn deliver(&mut self, script: &mut Script<'_>) {
        let kind = script.small();
        let properties = script.value::<BasicProperties>().unwrap_or_default();
        self.deliveries += 1;
        let deliver = basic::Deliver {
            consumer_tag: CONSUMER_TAG,
            delivery_tag: self.deliveries,
            redelivered: kind & 4 != 0,
            ..basic::Deliver::default()
        };
        let channel = 1 + u16::from(kind & 1);
        let octets = match kind & 8 {
            0 => peer::content(channel, deliver, properties, script.octets()),
            _ => peer::passed_on(channel, deliver, script.octets(), b"body"),
        };
        self.broker_sends(&octets);
    }

    fn cancel_consumer(&mut self, script: &mut Script<'_>) {
        let channel = u16::from(script.small() % 4);
        let cancel = basic::Cancel { consumer_tag: CONSUMER_TAG, nowait: true };
        self.broker_sends(&peer::encoded([Frame::method(channel, cancel)]));
    }

    fn close_channel(&mut self, script: &mut Script<'_>) {
        let channel = u16::from(script.small() % 4);
        let code = match script.small() % 3 {
            0 => ReplyCode::ACCESS_REFUSED,
            1 => ReplyCode::NOT_FOUND,
            _ => ReplyCode::PRECONDITION_FAILED,
        };
        let close = channel::Close { reply_code: code, ..channel::Close::default() };
        self.broker_sends(&peer::encoded([Frame::method(channel, close)]));
    }

    /// Time passes, and every timer in it goes off when it is due.
    fn wait(&mut self, duration: Duration) {
        let end = self.now.after(duration);
        let mut connects = false;
        while next_timer(
            &mut self.engine,
            &mut self.now,
            end,
            Responder::poll_timeout,
            |engine, now| {
                engine.handle_timeout(now);
                connects = engine.poll_connect(now).is_some();
            },
        ) {
            self.look();
            if core::mem::take(&mut connects) {
                self.connect();
            }
        }
    }

    /// Another connection takes the place of the lost one.
    fn connect(&mut self) {
        self.engine.handle_connected(self.now);
        self.input.clear();
        self.asked.clear();
        self.emitted = Emitted::of_client();
        self.broker_sends(&peer::handshake(4096, 5, 10));
        self.look();
    }

    // ------------------------------------------------------------------ the handlers

    fn answer(&mut self, script: &mut Script<'_>) {
        let Some(index) = script.index(self.at_work.len()) else { return };
        let answer = match script.small() % 4 {
            0 => Answer::Fault(Fault::new("code", "message")),
            1 => Answer::Panic("as the script wanted".into()),
            _ => Answer::Reply(Reply {
                properties: script.value::<BasicProperties>().unwrap_or_default().into(),
                body: Bytes::copy_from_slice(script.octets()),
            }),
        };
        self.give(index, answer);
    }

    fn give(&mut self, index: usize, answer: Answer) {
        let (_, pending, correlation_id) = self.at_work.swap_remove(index);
        let before = self.replies;
        self.answers += 1;
        self.engine.answer(self.now, pending, answer);
        let published = self.hear();
        assert!(self.replies <= before + 1);
        for properties in published {
            assert_eq!(properties.correlation_id, correlation_id);
        }
    }

    // ------------------------------------------------------------------ what holds

    /// The properties of the replies that were sent.
    fn hear(&mut self) -> Vec<BasicProperties> {
        let mut output = BytesMut::new();
        self.engine.poll_transmit(self.now, &mut output);
        self.handed += output.len();
        let mut frames = VecDeque::from(self.emitted.read(output, 4096 + 255));
        let mut published = Vec::new();
        while let Some(frame) = frames.pop_front() {
            match frame {
                Frame::Header { header, .. } => {
                    self.replies += 1;
                    published.push(header.properties);
                }
                Frame::Method { channel, method } => self.take(channel, method),
                _ => {}
            }
        }
        let mut wake = Vec::new();
        self.engine.take_wakers(&mut wake);
        wake.into_iter().for_each(Waker::wake);
        while let Some(Arrived { queue, request, pending, .. }) = self.engine.poll_work(self.now) {
            assert!(!self.closed, "a request to work on after the close");
            let correlation_id = request.properties.correlation_id.clone();
            self.at_work.push((queue, pending, correlation_id));
        }
        for (index, queue) in QUEUES.into_iter().enumerate() {
            let running = self.at_work.iter().filter(|(of, ..)| *of == index).count();
            assert!(running <= PREFETCH.into(), "{running} at a time of {queue}");
        }
        assert_eq!(self.engine.stats().running, self.at_work.len());
        published
    }

    fn take(&mut self, channel: u16, method: Method) {
        match method {
            Method::ChannelOpen(_) => *self.channels.entry(channel).or_default() += 1,
            Method::BasicAck(basic::Ack { delivery_tag, .. })
            | Method::BasicReject(basic::Reject { delivery_tag, .. }) => {
                let epoch = self.channels[&channel];
                let once = self.settled.insert((channel, epoch, delivery_tag));
                assert!(once || self.lies, "{delivery_tag} is settled twice");
            }
            _ => {}
        }
        self.asked.push((channel, method));
    }
}

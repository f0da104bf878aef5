//! The client's engine between a broker, a clock and callers, none of whom knows the rules.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::{Buf, BufMut, BytesMut};
use leveret::requester::{CallId, Outgoing, Requester};
use leveret::{BasicProperties, CallError, Engine, Instant, Outcome, ReplyCode, Retry, ShortStr};
use leveret_codec::{Frame, Method, basic, channel, connection};

use crate::emitted::Emitted;
use crate::peer::{self, CONSUMER_TAG};
use crate::scene::{RECONNECTING, START, Scene, next_timer, play};
use crate::script::Script;

/// Follows a script of what the broker, the clock and the callers do.
pub fn check(octets: &[u8]) {
    play::<Run>(octets);
}

struct Run {
    engine: Requester,
    now: Instant,
    input: BytesMut,
    emitted: Emitted,
    /// What the broker was asked and has not answered.
    asked: Vec<(u16, Method)>,
    /// The requests that reached the broker.
    requests: Vec<Request>,
    /// In the order in which they were made; the body of each begins with its number here.
    calls: Vec<Call>,
    /// Octets that somebody has handed in, beyond those of the script.
    handed: usize,
    closed: bool,
    /// It connects anew, and some calls are sent again.
    reconnects: bool,
}

struct Request {
    channel: u16,
    method: basic::Publish,
    properties: BasicProperties,
}

struct Call {
    id: CallId,
    deadline: Instant,
    /// Its request has been handed to the driver.
    written: bool,
    over: bool,
    /// It has been asked for, and whoever asked waits.
    asleep: bool,
    alarm: Arc<Alarm>,
}

#[derive(Default)]
struct Alarm(AtomicBool);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Scene for Run {
    const BASE: u64 = 0x8_0000;

    /// The shortest step, a call, is a call, its model here, and its frames.
    const FACTOR: u64 = 2000;

    fn begin(mode: u8) -> Self {
        let now = START;
        let reconnects = mode & 0x20 != 0;
        let mut engine = Requester::new(peer::config(), 0x1000, 7, now);
        if reconnects {
            engine = engine.with_reconnect(RECONNECTING, 0).with_max_in_flight(2, mode & 0x40 != 0);
        }
        let mut run = Self {
            engine,
            now,
            input: BytesMut::new(),
            emitted: Emitted::of_client(),
            asked: Vec::new(),
            requests: Vec::new(),
            calls: Vec::new(),
            handed: 0,
            closed: false,
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
            0 => self.broker_sends(script.octets()),
            1 => {
                if let Some(frame) = script.value::<Frame>() {
                    self.broker_sends(&peer::encoded([peer::nearby(frame)]));
                }
            }
            2 => self.broker_answers(),
            3 | 4 => self.request(script),
            5 => self.cancel(script),
            6 => self.poll(script),
            7 => self.reply(script, true),
            8 => self.reply(script, false),
            9 => self.send_back(script),
            10 => self.close_channel(script),
            11 => self.wait(Duration::from_millis(script.number().into())),
            12 => self.wait(Duration::from_secs(script.small().into())),
            13 => self.hold_up(script),
            14 => match script.small() % 3 {
                0 => self.engine.handle_eof(self.now),
                1 => self.engine.handle_transport_error(self.now, "as the script wanted".into()),
                _ => self.broker_sends(&peer::handshake(4096, 5, 10)),
            },
            _ => {
                self.closed = true;
                self.engine.close(self.now);
            }
        }
    }

    fn look(&mut self) {
        let mut output = BytesMut::new();
        self.engine.poll_transmit(self.now, &mut output);
        self.handed += output.len();
        let mut frames = VecDeque::from(self.emitted.read(output, 4096 + 255));
        while let Some(frame) = frames.pop_front() {
            match frame {
                Frame::Method { channel, method: Method::BasicPublish(method) } => {
                    let Some(Frame::Header { header, .. }) = frames.pop_front() else {
                        panic!("a request without its header")
                    };
                    let Some(Frame::Body { mut payload, .. }) = frames.pop_front() else {
                        panic!("a request without its body")
                    };
                    let index = payload.get_u32() as usize;
                    let written = core::mem::replace(&mut self.calls[index].written, true);
                    assert!(!written || self.reconnects, "call {index} is sent twice");
                    let properties = header.properties;
                    assert!(method.mandatory && properties.expiration.is_some());
                    self.requests.push(Request { channel, method, properties });
                }
                Frame::Method { channel, method } => self.asked.push((channel, method)),
                _ => {}
            }
        }
        let mut wake = Vec::new();
        self.engine.take_wakers(&mut wake);
        wake.into_iter().for_each(Waker::wake);

        let ended = self.engine.ended().is_some();
        assert!(!self.closed || ended);
        for index in 0..self.calls.len() {
            let due = ended || self.calls[index].deadline < self.now;
            assert!(!due || self.ask(index), "call {index} goes on");
        }
        let pending = self.calls.iter().filter(|call| !call.over).count();
        let stats = self.engine.stats();
        assert!(stats.pending <= pending && stats.waiting <= stats.pending, "{stats:?}");
    }

    /// However it went, it ends, and with it every call.
    fn finish(&mut self) {
        self.engine.handle_eof(self.now);
        if self.reconnects {
            self.engine.close(self.now);
        }
        self.look();
        assert!(self.engine.is_finished() && self.engine.ended().is_some());
        assert!(self.engine.readiness().is_ready());
        let stats = self.engine.stats();
        let ended = stats.replies + stats.faults + stats.failures + stats.dropped;
        assert_eq!((stats.pending, stats.waiting, ended), (0, 0, stats.calls), "{stats:?}");
        assert_eq!(stats.calls, self.calls.len() as u64);
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

    /// A reply to a request, with its correlation-id or without.
    fn reply(&mut self, script: &mut Script<'_>, correlated: bool) {
        let Some(index) = script.index(self.requests.len()) else { return };
        let Request { channel, properties: asked, .. } = &self.requests[index];
        let mut properties = script.value::<BasicProperties>().unwrap_or_default();
        if correlated {
            properties.correlation_id = asked.correlation_id.clone();
        }
        let deliver = basic::Deliver { consumer_tag: CONSUMER_TAG, ..basic::Deliver::default() };
        let octets = match script.small() & 8 {
            0 => peer::content(*channel, deliver, properties, script.octets()),
            _ => peer::passed_on(*channel, deliver, script.octets(), b"body"),
        };
        self.broker_sends(&octets);
    }

    fn send_back(&mut self, script: &mut Script<'_>) {
        let Some(index) = script.index(self.requests.len()) else { return };
        let Request { channel, method, properties } = &self.requests[index];
        let returned = basic::Return {
            reply_code: ReplyCode::NO_ROUTE,
            reply_text: ShortStr::from_static("NO_ROUTE"),
            exchange: method.exchange.clone(),
            routing_key: method.routing_key.clone(),
        };
        let octets = peer::content(*channel, returned, properties.clone(), script.octets());
        self.broker_sends(&octets);
    }

    fn close_channel(&mut self, script: &mut Script<'_>) {
        let channel = u16::from(script.small() % 6);
        let text = match script.small() % 3 {
            0 => "PRECONDITION_FAILED - message size 9 is larger than configured max size 8",
            1 => "NOT_FOUND - no exchange",
            _ => "",
        };
        let close = channel::Close {
            reply_code: ReplyCode::PRECONDITION_FAILED,
            reply_text: ShortStr::from_static(text),
            ..channel::Close::default()
        };
        self.broker_sends(&peer::encoded([Frame::method(channel, close)]));
    }

    fn hold_up(&mut self, script: &mut Script<'_>) {
        let active = script.small().is_multiple_of(2);
        let frame = match script.small() % 4 {
            0 => Frame::method(0, connection::Unblocked {}),
            1 => Frame::method(0, connection::Blocked { reason: ShortStr::from_static("alarm") }),
            channel => Frame::method(u16::from(channel) - 1, channel::Flow { active }),
        };
        self.broker_sends(&peer::encoded([frame]));
    }

    /// Time passes, and every timer in it goes off when it is due.
    fn wait(&mut self, duration: Duration) {
        let end = self.now.after(duration);
        let mut connects = false;
        while next_timer(
            &mut self.engine,
            &mut self.now,
            end,
            Requester::poll_timeout,
            |engine, now| {
                engine.handle_timeout(now);
                connects = engine.poll_connect(now).is_some();
            },
        ) {
            if core::mem::take(&mut connects) {
                self.connect();
            }
        }
    }

    /// Another connection takes the place of the lost one.
    fn connect(&mut self) {
        self.look();
        self.engine.handle_connected(self.now);
        self.input.clear();
        self.asked.clear();
        self.requests.clear();
        self.emitted = Emitted::of_client();
        self.broker_sends(&peer::handshake(4096, 5, 10));
        self.look();
    }

    // ------------------------------------------------------------------ the callers

    fn request(&mut self, script: &mut Script<'_>) {
        let kind = script.small();
        let timeout = Duration::from_millis(script.number().into());
        let properties = script.value::<BasicProperties>().unwrap_or_default();
        let mut body = BytesMut::new();
        body.put_u32(self.calls.len() as u32);
        body.extend_from_slice(script.octets());
        self.handed += body.len();
        let routing_key = ShortStr::from_static("queue");
        let outgoing = Outgoing {
            routing_key,
            properties: properties.into(),
            body: body.freeze(),
            own_channel: kind.is_multiple_of(4),
            exchange: ShortStr::from_static(if kind % 8 == 3 { "exchange" } else { "" }),
            retry: match kind >> 5 & 3 {
                1 if self.reconnects => Retry::NotExecuted,
                2 if self.reconnects => Retry::Unknown,
                _ => Retry::Never,
            },
        };
        let over = self.engine.ended().is_some();
        match self.engine.request(self.now, outgoing, timeout) {
            Ok(id) => {
                assert!(!over, "taken after the end");
                let deadline = self.now.after(timeout);
                let alarm = Arc::default();
                let [written, over, asleep] = [false; 3];
                self.calls.push(Call { id, deadline, written, over, asleep, alarm });
            }
            Err(error) => assert_eq!(error.outcome(), Outcome::NotExecuted, "{error}"),
        }
    }

    fn cancel(&mut self, script: &mut Script<'_>) {
        let Some(index) = script.index(self.calls.len()) else { return };
        let call = &mut self.calls[index];
        self.engine.cancel(call.id);
        drop(self.engine.take_discarded());
        call.over = true;
    }

    fn poll(&mut self, script: &mut Script<'_>) {
        if let Some(index) = script.index(self.calls.len()) {
            self.ask(index);
        }
    }

    /// Whether the call is over.
    fn ask(&mut self, index: usize) -> bool {
        let call = &mut self.calls[index];
        let waker = Waker::from(Arc::clone(&call.alarm));
        let answer = self.engine.poll_call(call.id, &mut Context::from_waker(&waker));
        drop(self.engine.take_discarded());
        let Poll::Ready(result) = answer else {
            call.asleep = !call.over;
            return call.over;
        };
        assert!(!call.over, "call {index} has ended twice: {result:?}");
        assert!(!call.asleep || call.alarm.0.load(Ordering::Relaxed), "{index} was not woken");
        call.over = true;
        match result {
            Ok(_) | Err(CallError::Fault(_) | CallError::Unroutable { .. }) => {
                assert!(call.written, "call {index} was answered before it was sent");
            }
            Err(CallError::Timeout { written, .. }) => {
                assert!(call.deadline <= self.now, "call {index} ended too early");
                assert_eq!(written, call.written, "call {index} lies about its request");
            }
            Err(
                CallError::Disconnected { written, .. }
                | CallError::Closed { written }
                | CallError::ChannelClosed { written, .. },
            ) => assert!(written || !call.written, "call {index} lies about its request"),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
        true
    }
}

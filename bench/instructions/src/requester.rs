//! Calls through the client's engine: all that happens between a user's call and its reply, but for
//! the socket and the task.

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use leveret::requester::{CallId, Outgoing, Requester};
use leveret::{Engine, Instant, ShortStr};

use crate::Meter;
use crate::dialogue::{Dialogue, REPLY_ADDRESS, delivery, reply_properties};

const CALLS: usize = 12_800;
const TIMEOUT: Duration = Duration::from_secs(30);
const QUEUE: ShortStr = ShortStr::from_static("queue");

/// `batch` calls at a time, written and answered together, beside others that are not answered.
pub(crate) fn calls(
    meter: &mut impl Meter,
    batch: usize,
    waiting: usize,
    body_size: usize,
) -> usize {
    let engine = |config, now| Requester::new(config, u64::MAX, 7, now);
    let mut dialogue: Dialogue<Requester> = Dialogue::new(engine);
    let body = Bytes::from(vec![0x2a; body_size]);
    let mut wake = Vec::new();
    for _ in 0..waiting {
        request(&mut dialogue, &body);
        turn(&mut dialogue.engine, dialogue.now, &mut dialogue.output, &mut wake);
        dialogue.output.clear();
    }
    // Until the tables have the size that they keep.
    for _ in 0..4 {
        round(&mut dialogue, meter_nothing(), batch, &body, &mut wake);
    }
    let rounds = CALLS / batch;
    for _ in 0..rounds {
        round(&mut dialogue, meter, batch, &body, &mut wake);
    }
    assert_eq!(dialogue.engine.stats().pending, waiting, "all others were answered");
    rounds * batch
}

fn round(
    dialogue: &mut Dialogue<Requester>,
    meter: &mut impl Meter,
    batch: usize,
    body: &Bytes,
    wake: &mut Vec<Waker>,
) {
    let mut ids = Vec::with_capacity(batch);
    let mut context = Context::from_waker(Waker::noop());
    dialogue.now = dialogue.now.after(Duration::from_micros(100));
    meter.measure(|| {
        for _ in 0..batch {
            let id = request(dialogue, body);
            assert!(dialogue.engine.poll_call(id, &mut context).is_pending());
            ids.push(id);
        }
        turn(&mut dialogue.engine, dialogue.now, &mut dialogue.output, wake);
    });
    for published in dialogue.published() {
        let properties = reply_properties(published.correlation_id);
        delivery(&mut dialogue.input, REPLY_ADDRESS, properties, body);
    }
    meter.measure(|| {
        dialogue.engine.handle_input(dialogue.now, &mut dialogue.input);
        turn(&mut dialogue.engine, dialogue.now, &mut dialogue.output, wake);
        wake.clear();
        for id in ids.drain(..) {
            let Poll::Ready(Ok(reply)) = dialogue.engine.poll_call(id, &mut context) else {
                panic!("a reply has come");
            };
            assert_eq!(reply.body.len(), body.len());
        }
    });
}

fn request(dialogue: &mut Dialogue<Requester>, body: &Bytes) -> CallId {
    let outgoing = Outgoing { routing_key: QUEUE, body: body.clone(), ..Outgoing::default() };
    dialogue.engine.request(dialogue.now, outgoing, TIMEOUT).expect("a call begins")
}

/// What the driver does with the engine in each of its turns.
fn turn(
    engine: &mut impl Engine,
    now: Instant,
    output: &mut bytes::BytesMut,
    wake: &mut Vec<Waker>,
) {
    if engine.poll_timeout().is_some_and(|deadline| deadline <= now) {
        engine.handle_timeout(now);
    }
    engine.poll_transmit(now, output);
    engine.take_wakers(wake);
    assert!(!engine.is_disconnected() && engine.poll_timeout().is_some());
}

/// For what is not to be measured yet.
fn meter_nothing() -> &'static mut impl Meter {
    struct Nothing;
    impl Meter for Nothing {
        fn measure<T>(&mut self, act: impl FnOnce() -> T) -> T {
            act()
        }
    }
    Box::leak(Box::new(Nothing))
}

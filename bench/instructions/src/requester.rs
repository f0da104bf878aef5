//! Calls through the client's engine: all that happens between a user's call and its reply, but for
//! the socket and the task.

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use leveret::Engine;
use leveret::requester::{CallId, Outgoing, Requester};

use crate::dialogue::Dialogue;
use crate::message::{BODY, QUEUE, REPLY_ADDRESS, delivery, reply_properties};
use crate::meter::{Meter, Unmeasured};

const CALLS: usize = 12_800;
const TIMEOUT: Duration = Duration::from_secs(30);

/// `batch` calls at a time, written and answered together, beside others that are not answered.
pub(crate) fn calls(meter: &mut impl Meter, batch: usize, waiting: usize) -> usize {
    let mut client = Client::new();
    for _ in 0..waiting {
        client.request();
        client.turn();
        client.dialogue.output.clear();
    }
    // Until the tables have the size that they keep.
    for _ in 0..4 {
        client.round(&mut Unmeasured, batch);
    }
    let rounds = CALLS / batch;
    for _ in 0..rounds {
        client.round(meter, batch);
    }
    let pending = client.dialogue.engine.stats().pending;
    assert_eq!(pending, waiting, "all others were answered");
    rounds * batch
}

/// What there is around the engine.
struct Client {
    dialogue: Dialogue<Requester>,
    /// From the heap, as most are.
    body: Bytes,
    wake: Vec<Waker>,
}

impl Client {
    fn new() -> Self {
        let engine = |config, now| Requester::new(config, u64::MAX, 7, now);
        let body = Bytes::from(BODY.to_vec());
        Self { dialogue: Dialogue::new(engine), body, wake: Vec::new() }
    }

    fn round(&mut self, meter: &mut impl Meter, batch: usize) {
        let mut ids = Vec::with_capacity(batch);
        let mut context = Context::from_waker(Waker::noop());
        self.dialogue.now = self.dialogue.now.after(Duration::from_micros(100));
        meter.measure(|| {
            for _ in 0..batch {
                let id = self.request();
                assert!(self.dialogue.engine.poll_call(id, &mut context).is_pending());
                ids.push(id);
            }
            self.turn();
        });
        for correlation_id in self.dialogue.published() {
            let properties = reply_properties(correlation_id);
            delivery(&mut self.dialogue.input, REPLY_ADDRESS, properties);
        }
        meter.measure(|| {
            self.dialogue.engine.handle_input(self.dialogue.now, &mut self.dialogue.input);
            self.turn();
            self.wake.clear();
            for id in ids.drain(..) {
                let Poll::Ready(Ok(reply)) = self.dialogue.engine.poll_call(id, &mut context)
                else {
                    panic!("a reply has come");
                };
                assert_eq!(reply.body.len(), BODY.len());
            }
        });
    }

    fn request(&mut self) -> CallId {
        let body = self.body.clone();
        let outgoing = Outgoing { routing_key: QUEUE, body, ..Outgoing::default() };
        self.dialogue.engine.request(self.dialogue.now, outgoing, TIMEOUT).expect("a call begins")
    }

    /// What the driver does with the engine in each of its turns.
    fn turn(&mut self) {
        let Dialogue { engine, now, output, .. } = &mut self.dialogue;
        if engine.poll_timeout().is_some_and(|deadline| deadline <= *now) {
            engine.handle_timeout(*now);
        }
        engine.poll_transmit(*now, output);
        engine.take_wakers(&mut self.wake);
        assert!(!engine.is_disconnected() && engine.poll_timeout().is_some());
    }
}

//! Requests through the server's engine: from the delivery to the reply and the acknowledgement.

use leveret::connection::Config;
use leveret::responder::{Answer, Arrived, QueueOptions, Responder};
use leveret::{Engine, Instant, Reply};

use crate::dialogue::Dialogue;
use crate::message::{CORRELATION_ID, QUEUE, REPLY_ADDRESS, delivery, request_properties};
use crate::meter::Meter;

const REQUESTS: usize = 12_800;

/// `batch` requests at a time, delivered and answered together.
pub(crate) fn requests(meter: &mut impl Meter, batch: usize) -> usize {
    let engine = |config: Config, now: Instant| {
        Responder::new(config, [QueueOptions::new(QUEUE)], usize::MAX, now)
    };
    let mut dialogue: Dialogue<Responder> = Dialogue::new(engine);
    let rounds = REQUESTS / batch;
    for _ in 0..rounds {
        for _ in 0..batch {
            delivery(&mut dialogue.input, QUEUE, request_properties(REPLY_ADDRESS));
        }
        dialogue.output.clear();
        meter.measure(|| {
            let Dialogue { engine, now, input, output } = &mut dialogue;
            engine.handle_input(*now, input);
            engine.poll_transmit(*now, output);
            while let Some(Arrived { request, pending, .. }) = engine.poll_work(*now) {
                let reply = Reply::from(request.into_body());
                engine.answer(*now, pending, Answer::Reply(reply));
            }
            engine.poll_transmit(*now, output);
        });
        assert_eq!(dialogue.published(), vec![CORRELATION_ID; batch], "each is answered");
    }
    rounds * batch
}

//! Requests through the server's engine: from the delivery to the reply and the acknowledgement.

use leveret::connection::Config;
use leveret::responder::{Answer, Arrived, QueueOptions, Responder};
use leveret::{BasicProperties, Engine, Instant, Reply, ShortStr};

use crate::Meter;
use crate::dialogue::{BODY, Dialogue, REPLY_ADDRESS, delivery};

const REQUESTS: usize = 12_800;
const QUEUE: ShortStr = ShortStr::from_static("queue");

/// `batch` requests at a time, delivered and answered together.
pub(crate) fn requests(meter: &mut impl Meter, batch: usize) -> usize {
    let engine = |config: Config, now: Instant| {
        Responder::new(config, [QueueOptions::new(QUEUE)], usize::MAX, now)
    };
    let mut dialogue: Dialogue<Responder> = Dialogue::new(engine);
    let rounds = REQUESTS / batch;
    for _ in 0..rounds {
        for _ in 0..batch {
            let properties = BasicProperties {
                correlation_id: Some(ShortStr::from_static("0123456789abcdef-0123456789abcdef")),
                message_id: Some(ShortStr::from_static("0123456789abcdef-0123456789abcdef")),
                reply_to: Some(REPLY_ADDRESS),
                expiration: Some(ShortStr::from_static("30000")),
                delivery_mode: Some(1),
                ..BasicProperties::default()
            };
            delivery(&mut dialogue.input, QUEUE, properties, &BODY);
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
        assert_eq!(dialogue.published().len(), batch, "each is answered");
    }
    rounds * batch
}

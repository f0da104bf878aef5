//! Little that the broker keeps, in much that it must not.

use std::time::Duration;

use leveret::broker::Version;
use leveret::{LongStr, ReplyCode, ShortStr};
use leveret_codec::{Frame, Method, Secret, basic, channel, connection, queue};

use super::rogue::{QUEUE, Rogue, message};
use crate::arena::{Outcome, attack_within};
use crate::octets::{body, frames, header, method};

/// Of processor time, for what the attacker sends.
const SECONDS: Duration = Duration::from_secs(2);

// ---------------------------------------------------------------------- names

#[test]
fn consumer_tags_in_large_buffers() {
    in_large_buffers("consumer tags", |channel| {
        let consumer_tag = ShortStr::from_static("tag");
        method(channel, basic::Consume { queue: QUEUE, consumer_tag, ..Default::default() })
    });
}

#[test]
fn consumed_queues_in_large_buffers() {
    in_large_buffers("names of consumed queues", |channel| {
        method(channel, basic::Consume { queue: QUEUE, ..Default::default() })
    });
}

#[test]
fn tags_of_reply_consumers_in_large_buffers() {
    in_large_buffers("tags of reply consumers", |channel| {
        let consume = basic::Consume {
            queue: ShortStr::from_static("amq.rabbitmq.reply-to"),
            consumer_tag: ShortStr::from_static("tag"),
            no_ack: true,
            ..Default::default()
        };
        method(channel, consume)
    });
}

#[test]
fn declared_queues_in_large_buffers() {
    in_large_buffers("names of declared queues", |channel| {
        method(channel, queue::Declare { queue: QUEUE, ..Default::default() })
    });
}

#[test]
fn queues_of_messages_got_in_large_buffers() {
    in_large_buffers("queues of messages got", |channel| {
        method(channel, basic::Get { queue: QUEUE, no_ack: false })
    });
}

/// The message comes into the queue, and out of it, by the name in the buffer.
#[test]
fn queues_of_messages_delivered_in_large_buffers() {
    in_large_buffers("queues of messages delivered", |channel| match channel {
        FIRST => method(FIRST, basic::Consume { queue: QUEUE, ..Default::default() }),
        _ => message(),
    });
}

#[test]
fn publishes_without_content_in_large_buffers() {
    in_large_buffers("publishes without content", |channel| {
        method(channel, basic::Publish { routing_key: QUEUE, ..Default::default() })
    });
}

const FIRST: u16 = 2;

/// Says something on each of 600 channels, in one buffer with 128 KiB of something else.
fn in_large_buffers(name: &str, say: impl Fn(u16) -> Vec<u8>) {
    attack_within(SECONDS, format!("600 {name} in buffers of 128 KiB"), "broker", async {
        let mut rogue = Rogue::new(Version::default());
        let new_secret = Secret(LongStr::new(vec![0; 130_000]).unwrap());
        let other = method(0, connection::UpdateSecret { new_secret, ..Default::default() });
        for channel in FIRST..FIRST + 600 {
            rogue.say(&[method(channel, channel::Open {}), message()].concat());
            rogue.say(&[say(channel), other.clone()].concat());
        }
        rogue.count();
        Outcome::served()
    });
}

// ---------------------------------------------------------------------- bodies

/// Up to 4.2.5 such a body is waited for without end.
#[test]
fn a_body_that_goes_on_beyond_its_end() {
    for version in [Version::V3_10, Version::V4_0] {
        attack_within(SECONDS, "100 MB of body beyond its end", "broker", async {
            let mut rogue = Rogue::new(version);
            rogue.say(&frames([publish(), header(1, 1)]));
            say_body(&mut rogue, 1000);
            Outcome::said("(waits)")
        });
    }
}

#[test]
fn a_body_that_is_refused_in_the_end() {
    for version in [Version::V3_10, Version::V4_0, Version::V4_3] {
        attack_within(SECONDS, "a body of 200 MB", "broker", async {
            let mut rogue = Rogue::new(version);
            rogue.say(&frames([publish(), header(1, 200_000_000)]));
            say_body(&mut rogue, 2000);
            let heard = rogue.hear_frames();
            let [Frame::Method { method: Method::ChannelClose(close), .. }] = &*heard else {
                panic!("{heard:?}")
            };
            let text = close.reply_text.to_string();
            assert_eq!(close.reply_code, ReplyCode::PRECONDITION_FAILED);
            assert!(text.contains("message size 200000000 is larger than"), "{text}");
            Outcome::told(close.reply_code, text)
        });
    }
}

fn publish() -> Frame {
    Frame::method(1, basic::Publish { routing_key: QUEUE, ..Default::default() })
}

/// So many times 100,000 octets.
fn say_body(rogue: &mut Rogue, pieces: usize) {
    let piece = frames([body(1, &[0; 100_000])]);
    for _ in 0..pieces {
        rogue.say(&piece);
    }
}

//! Little that the broker keeps, in much that it must not.

use std::time::Duration;

use leveret::broker::Version;
use leveret::{LongStr, ShortStr};
use leveret_codec::{Secret, basic, channel, connection, queue};

use super::rogue::{QUEUE, Rogue, message};
use crate::arena::{Outcome, attack_within};
use crate::octets::method;

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

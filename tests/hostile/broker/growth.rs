//! Twice as much of anything takes the broker twice as long, and not four times. The bounds are what it
//! takes several times over, and a fraction of what it took when it grew with the square.

use std::time::Duration;

use leveret::broker::Version;
use leveret::{BasicProperties, FieldArray, FieldTable, FieldValue, ShortStr};
use leveret_codec::{ContentHeader, Frame, basic};

use super::rogue::{QUEUE, Rogue};
use crate::arena::{Outcome, attack_within};
use crate::octets::{frames, method};

#[test]
fn consumers_without_number() {
    attack_within(Duration::from_secs(4), "20,000 consumers", "broker", async {
        let mut rogue = Rogue::new(Version::default());
        for tag in 0..20_000 {
            let consumer_tag = ShortStr::try_from(&*tag.to_string()).unwrap();
            let consume = basic::Consume { queue: QUEUE, consumer_tag, ..Default::default() };
            rogue.say(&method(1, basic::Consume { nowait: true, ..consume }));
        }
        assert_eq!(rogue.count(), (0, 20_000));
        rogue.hang_up();
        Outcome::served()
    });
}

#[test]
fn routing_keys_without_number() {
    attack_within(Duration::from_millis(500), "10,000 routing keys in CC", "broker", async {
        let names = (0..10_000).map(|name| FieldValue::try_from(name.to_string()).unwrap());
        let mut headers = FieldTable::new();
        headers.insert("CC", FieldArray::try_from_iter(names).unwrap()).unwrap();
        publish_with(headers);
        Outcome::served()
    });
}

#[test]
fn headers_without_number() {
    attack_within(Duration::from_secs(1), "10,000 headers", "broker", async {
        let fields = (0..10_000)
            .map(|name: u32| (ShortStr::try_from(&*name.to_string()).unwrap(), FieldValue::Void));
        publish_with(FieldTable::try_from_iter(fields).unwrap());
        Outcome::served()
    });
}

#[test]
fn values_without_number_in_a_header() {
    attack_within(
        Duration::from_secs(1),
        "an array of 100,000 values in a header",
        "broker",
        async {
            let values = FieldArray::try_from_iter((0..100_000).map(|_| FieldValue::Void)).unwrap();
            let mut headers = FieldTable::new();
            headers.insert("array", values).unwrap();
            publish_with(headers);
            Outcome::served()
        },
    );
}

fn publish_with(headers: FieldTable) {
    let mut rogue = Rogue::new(Version::default());
    let properties = BasicProperties { headers: Some(headers), ..Default::default() };
    let header = ContentHeader { body_size: 0, properties };
    let publish = basic::Publish { routing_key: QUEUE, ..Default::default() };
    rogue.say(&frames([Frame::method(1, publish), Frame::Header { channel: 1, header }]));
    assert_eq!(rogue.count(), (1, 0));
}

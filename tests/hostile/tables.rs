//! Attacks with field tables: in connection.start, before anybody has logged in, and in the headers
//! of a message, which a stranger may have published.

use bytes::BufMut;
use leveret::{BasicProperties, ReplyCode};
use leveret_codec::{FieldTable, FieldValue, LongStr, basic};

use crate::arena::{Outcome, attack};
use crate::attacker::{Stage, request};
use crate::breach::{Breach, breach};
use crate::duel::{VICTIMS, Victim};
use crate::octets::{HEADER, METHOD, Nested, header_with_fields, method, nested, raw};
use crate::unreadable::{header_is_read_past, headers_are_unreadable};

const DEPTH: usize = 100_000;

#[test]
fn a_hundred_thousand_nested_tables() {
    let fields = nested(DEPTH, Nested::Tables);
    assert!(fields.len() > 600_000);
    are_refused("100,000 nested tables", &[fields], "nested more than 32 deep");
}

#[test]
fn a_hundred_thousand_nested_arrays() {
    let fields = nested(DEPTH, Nested::Arrays);
    are_refused("100,000 nested arrays", &[fields], "nested more than 32 deep");
}

/// The table ends in the middle of a value, or of a name.
#[test]
fn a_table_length_shorter_than_its_content() {
    for cut in 1..4 {
        let name = format!("table length {cut} shorter than its content");
        length_is_refused(&name, FIELD, FIELD.len() - cut, "is cut off");
    }
}

#[test]
fn a_table_length_longer_than_its_content() {
    // In connection.start other fields follow, which then lie in the table.
    let surplus = 0x7fff_ffff;
    length_is_refused("table length longer than its content", FIELD, surplus, "is cut off");
    let all = usize::try_from(u32::MAX).unwrap();
    length_is_refused("table length 2^32-1", FIELD, all, "is cut off");
}

/// Every octet that names no type: reserved ones, those of other versions, and nonsense.
#[test]
fn unknown_and_reserved_tags() {
    let known = b"tbBsuUIilLfdDSxATFV";
    let unknown: Vec<u8> = (0..=u8::MAX).filter(|tag| !known.contains(tag)).collect();
    assert_eq!(unknown.len(), 256 - known.len());
    let tables = unknown.iter().map(|tag| vec![1, b'f', *tag, 0, 0, 0, 0, 0, 0, 0, 0]);
    are_refused("unknown tags", &tables.collect::<Vec<_>>(), "has the unknown type 0x");
}

/// Legal, and RabbitMQ sends such: it splits bodies alone, so this header exceeds frame-max too.
#[test]
fn a_delivery_with_64_kb_of_headers() {
    headers_are_served("deliver with 64 kB of headers", large_headers(64));
}

#[test]
fn a_delivery_with_900_kb_of_headers() {
    headers_are_served("deliver with 900 kB of headers", large_headers(900));
}

/// AMQP has no character set. What is no text is kept as it is.
#[test]
fn a_delivery_with_headers_that_are_no_utf_8() {
    let mut headers = FieldTable::new();
    let octets = LongStr::new(vec![0xff; 100]).unwrap();
    headers.insert(vec![0xc0, 0x80], FieldValue::LongStr(octets)).unwrap();
    headers_are_served("deliver with names and values that are no UTF-8", headers);
}

#[test]
fn a_header_beyond_a_megabyte() {
    let size = 1 << 20;
    let mut header = header_with_fields(0, size, &[]);
    header.resize(size, 0);
    header_is_read_past("deliver with 1 MiB of headers", &header);
}

// ---------------------------------------------------------------------- where tables are

/// A name, a type and a value.
const FIELD: &[u8] = b"\x05fieldS\x00\x00\x00\x05value";

/// connection.start with these fields, and this as their length.
fn start(fields: &[u8], length: usize) -> Vec<u8> {
    let mut start = b"\x00\x0a\x00\x0a\x00\x09".to_vec();
    start.put_u32(u32::try_from(length).unwrap());
    start.extend_from_slice(fields);
    start.extend_from_slice(b"\x00\x00\x00\x05PLAIN\x00\x00\x00\x05en_US");
    raw(METHOD, 0, &start)
}

/// Fields that are none, with the right length in front.
fn are_refused(name: &str, tables: &[Vec<u8>], names: &'static str) {
    let breaches = tables.iter().map(|fields| {
        let octets = start(fields, fields.len());
        Breach { octets, code: ReplyCode::FRAME_ERROR, names }
    });
    breach(&format!("{name}, in connection.start"), Stage::Greeting, breaches);
    headers_are_unreadable(name, tables, names);
}

/// A length in front of the fields that is not theirs. Where that leads out of the content header, it
/// is the broker that cannot count.
fn length_is_refused(name: &str, fields: &[u8], length: usize, names: &'static str) {
    let deliver = method(1, basic::Deliver::default());
    let header = raw(HEADER, 1, &header_with_fields(0, length, fields));
    for (place, stage, octets) in [
        ("connection.start", Stage::Greeting, start(fields, length)),
        ("headers", Stage::Working, [deliver, header].concat()),
    ] {
        let breaches = [Breach { octets, code: ReplyCode::FRAME_ERROR, names }];
        breach(&format!("{name}, in {place}"), stage, breaches);
    }
}

fn large_headers(kilobytes: usize) -> FieldTable {
    let mut headers = FieldTable::new();
    headers.insert("x-large", "h".repeat(kilobytes << 10)).unwrap();
    headers
}

/// A reply or a request with such headers is taken.
fn headers_are_served(name: &str, headers: FieldTable) {
    for victim in VICTIMS {
        attack(name, victim, async {
            let fate = victim.duel(async |mut peer| {
                peer.behave(Stage::Working).await?;
                let tag = peer.tag();
                match victim {
                    Victim::Client => {
                        let request = peer.request.take().expect("the client has called");
                        let properties = BasicProperties {
                            headers: Some(headers.clone()),
                            correlation_id: request.properties.correlation_id,
                            ..BasicProperties::default()
                        };
                        peer.deliver(tag, 1, properties, "hello back").await?;
                        peer.expect_goodbye().await
                    }
                    Victim::Server => {
                        let properties =
                            BasicProperties { headers: Some(headers.clone()), ..request("large") };
                        peer.deliver(tag, 1, properties, "hello").await?;
                        peer.expect_answer("large").await?;
                        peer.expect_service().await
                    }
                }
            });
            assert_eq!(fate.await, Ok(()));
            Outcome::served()
        });
    }
}

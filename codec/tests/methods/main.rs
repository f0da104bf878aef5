//! Methods and their octets: known answers, bits, and everything that is not a method.

mod known_answers;
#[path = "../octets/mod.rs"]
mod octets;

use std::collections::BTreeSet;

use bytes::{Bytes, BytesMut};
use known_answers::known_answers;
use leveret_codec::{
    DecodeError, FieldRef, Method, Problem, ReplyCode, ShortStr, basic, connection, queue,
};
use octets::octets;

#[test]
fn every_method_decodes_from_its_known_octets() {
    for (notation, method) in known_answers() {
        assert_eq!(decode(octets(notation)), Ok(method), "{notation}");
    }
}

#[test]
fn every_method_encodes_to_its_known_octets() {
    for (notation, method) in known_answers() {
        assert_eq!(encode(&method), octets(notation), "{}", method.name());
    }
}

/// The ids that the decoder knows are found by asking it for every one, so a method added to it
/// without a known answer fails here.
#[test]
fn every_method_that_the_decoder_knows_has_a_known_answer() {
    let decoder_knows = |&(class, method): &(u16, u16)| !matches!(decode(ids(class, method)), Err(error) if *error.problem() == Problem::UnknownMethod { class, method });
    // Miri takes a hundred times as long for each.
    let (classes, step) = if cfg!(miri) { (90, 5) } else { (256, 1) };
    let known = (0..classes)
        .step_by(step)
        .flat_map(|class| (0..256).map(move |method| (class, method)))
        .filter(decoder_knows)
        .collect::<BTreeSet<_>>();
    let answered = known_answers().iter().map(|(_, method)| method.id()).collect::<BTreeSet<_>>();
    assert_eq!(known, answered);
}

#[test]
fn every_truncation_of_every_method_is_an_error_that_names_it() {
    for (notation, method) in known_answers() {
        let whole = octets(notation);
        for length in 0..whole.len() {
            let error = decode(whole[..length].to_vec()).unwrap_err();
            // Without both ids there is no name yet.
            let subject = if length < 4 { "method" } else { method.name() };
            assert_eq!(error.subject(), subject, "{length} octets of {notation}");
            assert!(matches!(error.problem(), Problem::Truncated { .. }), "{error}");
            assert!(error.offset() <= length, "{error} with {length} octets");
            assert_eq!(error.reply_code(), ReplyCode::FRAME_ERROR);
        }
    }
}

#[test]
fn one_octet_too_many_is_an_error_that_names_the_method() {
    for (notation, method) in known_answers() {
        let mut payload = octets(notation);
        let end = payload.len();
        payload.push(0);
        let error = decode(payload).unwrap_err();
        assert_eq!(error.to_string(), format!("{}, octet {end}: 1 octets too many", method.name()));
        assert_eq!(error.problem(), &Problem::Surplus { surplus: 1 });
    }
}

#[test]
fn an_unknown_class_or_method_is_answered_with_503() {
    // basic.credit, exchange.declare, no class at all, a method id that only its high octet spoils.
    for (class, method) in [(60, 200), (40, 10), (0, 0), (60, 0x0128), (0x013c, 40)] {
        let error = decode(ids(class, method)).unwrap_err();
        assert_eq!(error.problem(), &Problem::UnknownMethod { class, method });
        assert_eq!(error.reply_code(), ReplyCode::COMMAND_INVALID);
        assert_eq!(
            error.to_string(),
            format!("method, octet 4: there is no method {class}/{method} here")
        );
    }
}

#[test]
fn each_bit_of_a_method_has_its_own_place() {
    let declare = queue::Declare::default();
    let delete = queue::Delete::default();
    let consume = basic::Consume::default();
    let publish = basic::Publish::default();
    let nack = basic::Nack::default();
    let empty_table = "00000000";
    let places: [(&str, Method, &str, &str); 16] = [
        (
            "0032 000a 0000 00",
            queue::Declare { passive: true, ..declare.clone() }.into(),
            "01",
            empty_table,
        ),
        (
            "0032 000a 0000 00",
            queue::Declare { durable: true, ..declare.clone() }.into(),
            "02",
            empty_table,
        ),
        (
            "0032 000a 0000 00",
            queue::Declare { exclusive: true, ..declare.clone() }.into(),
            "04",
            empty_table,
        ),
        (
            "0032 000a 0000 00",
            queue::Declare { auto_delete: true, ..declare.clone() }.into(),
            "08",
            empty_table,
        ),
        ("0032 000a 0000 00", queue::Declare { nowait: true, ..declare }.into(), "10", empty_table),
        ("0032 0028 0000 00", queue::Delete { if_unused: true, ..delete.clone() }.into(), "01", ""),
        ("0032 0028 0000 00", queue::Delete { if_empty: true, ..delete.clone() }.into(), "02", ""),
        ("0032 0028 0000 00", queue::Delete { nowait: true, ..delete }.into(), "04", ""),
        (
            "003c 0014 0000 00 00",
            basic::Consume { no_local: true, ..consume.clone() }.into(),
            "01",
            empty_table,
        ),
        (
            "003c 0014 0000 00 00",
            basic::Consume { no_ack: true, ..consume.clone() }.into(),
            "02",
            empty_table,
        ),
        (
            "003c 0014 0000 00 00",
            basic::Consume { exclusive: true, ..consume.clone() }.into(),
            "04",
            empty_table,
        ),
        (
            "003c 0014 0000 00 00",
            basic::Consume { nowait: true, ..consume }.into(),
            "08",
            empty_table,
        ),
        (
            "003c 0028 0000 00 00",
            basic::Publish { mandatory: true, ..publish.clone() }.into(),
            "01",
            "",
        ),
        ("003c 0028 0000 00 00", basic::Publish { immediate: true, ..publish }.into(), "02", ""),
        (
            "003c 0078 0000000000000000",
            basic::Nack { multiple: true, ..nack.clone() }.into(),
            "01",
            "",
        ),
        ("003c 0078 0000000000000000", basic::Nack { requeue: true, ..nack }.into(), "02", ""),
    ];
    for (before, method, bits, after) in places {
        let payload = octets(&[before, bits, after].concat());
        assert_eq!(encode(&method), payload, "{method:?}");
        assert_eq!(decode(payload), Ok(method));
    }
}

/// "Unused bits are sent as 0 and ignored on receipt": seven of the eight bits of basic.ack.
#[test]
fn bits_without_a_name_are_ignored() {
    let ack = |bits| decode(octets(&format!("003c 0050 0000000000000001 {bits}")));
    assert_eq!(ack("fe"), Ok(basic::Ack { delivery_tag: 1, multiple: false }.into()));
    assert_eq!(ack("ff"), Ok(basic::Ack { delivery_tag: 1, multiple: true }.into()));
}

/// What a peer writes into reserved fields is not ours to judge.
#[test]
fn the_content_of_reserved_fields_is_ignored() {
    let get = decode(octets("003c 0046 | ffff | 01'q' | 00"));
    assert_eq!(get, Ok(basic::Get { queue: "q".try_into().unwrap(), no_ack: false }.into()));

    let empty = decode(octets("003c 0048 | 0a'cluster id'"));
    assert_eq!(empty, Ok(basic::GetEmpty {}.into()));
}

#[test]
fn four_methods_carry_content() {
    let carrying: BTreeSet<_> = known_answers()
        .into_iter()
        .filter(|(_, method)| method.carries_content())
        .map(|(_, method)| method.name())
        .collect();
    assert_eq!(
        carrying,
        BTreeSet::from(["basic.publish", "basic.return", "basic.deliver", "basic.get-ok"])
    );
}

fn ids(class: u16, method: u16) -> Vec<u8> {
    [class.to_be_bytes(), method.to_be_bytes()].concat()
}

fn decode(payload: Vec<u8>) -> Result<Method, DecodeError> {
    Method::decode(&Bytes::from(payload))
}

fn encode(method: &Method) -> BytesMut {
    let mut payload = BytesMut::new();
    method.encode(&mut payload);
    payload
}

/// In their order and by the names of the struct; what is secret is not handed out.
#[test]
fn the_fields_of_every_method_can_be_seen() {
    for (_, method) in known_answers() {
        let mut names = Vec::new();
        method.for_each_field(|name, value| {
            let is_secret = matches!(name, "response" | "new_secret");
            assert_eq!(value == FieldRef::Secret, is_secret, "{name} of {}", method.name());
            names.push(name);
        });
        let shown = format!("{method:?}");
        let positions: Vec<_> = names.iter().map(|name| shown.find(&format!("{name}: "))).collect();
        assert!(
            positions.iter().all(Option::is_some) && positions.is_sorted(),
            "{shown}: {names:?}"
        );
    }
    let close = connection::Close { reply_code: ReplyCode::NOT_FOUND, ..Default::default() };
    let mut fields = Vec::new();
    let close = Method::from(close);
    close.for_each_field(|name, value| fields.push((name, value)));
    let expected = [
        ("reply_code", FieldRef::ReplyCode(ReplyCode::NOT_FOUND)),
        ("reply_text", FieldRef::ShortStr(&ShortStr::EMPTY)),
        ("class_id", FieldRef::Number(0)),
        ("method_id", FieldRef::Number(0)),
    ];
    assert_eq!(fields, expected);
}

//! Correlation-ids: any octets for the server, and for the client its own alone.

use leveret::{BasicProperties, ShortStr};

use super::attack::{Impostor, Victim};
use crate::support::service;

fn short(octets: impl Into<Vec<u8>>) -> ShortStr {
    ShortStr::new(octets.into()).unwrap()
}

#[tokio::test]
async fn any_octets_come_back_as_they_are() {
    let mut victim = Victim::new("correlation").await;
    let all: Vec<u8> = (0..=255).collect();
    let ids = [
        None,
        Some(short("")),
        Some(short([0; 255])),
        Some(short([0xff; 255])),
        Some(short(&all[..255])),
        Some(short(&all[1..])),
        Some(short("amq.rabbitmq.reply-to")),
        Some(short("0000000000000000-0000000000000000")),
    ];
    for correlation_id in ids {
        let properties =
            BasicProperties { correlation_id: correlation_id.clone(), ..Default::default() };
        let reply = victim.ask(properties, b"body").await;
        assert_eq!(reply.properties.correlation_id, correlation_id);
    }
    victim.serves_the_next().await;
}

#[tokio::test]
async fn two_requests_of_one_id_are_two_requests() {
    let mut victim = Victim::new("twice").await;
    for body in [&b"first"[..], b"second"] {
        let correlation_id = Some(short("same"));
        let reply =
            victim.ask(BasicProperties { correlation_id, ..Default::default() }, body).await;
        assert_eq!((&*reply.body, reply.properties.correlation_id), (body, Some(short("same"))));
    }
    assert_eq!(victim.serves_the_next().await.requests, 3);
}

/// All calls of a client share its reply address. Whoever serves one of them knows that, and where in
/// the table the others are; what their ids are sealed with, it cannot guess.
#[tokio::test]
async fn guessed_ids_answer_no_call() {
    let mut impostor = Impostor::new().await;
    let asked = impostor.asked().await;
    let others = impostor.asked().await;
    let own = asked.correlation_id.to_string();
    let (seal, place) = own.split_once('-').unwrap();
    let (generation, slot) = place.split_at(8);
    let others_id = others.correlation_id.to_string();
    let (_, others_place) = others_id.split_once('-').unwrap();
    let unknown = [
        String::new(),
        seal.to_owned(),
        format!("{seal}-"),
        format!("{seal}-{generation}"),
        format!("{seal}+{place}"),
        format!("{own}0"),
        format!("0{own}"),
        format!("{:016x}-{place}", u64::from_str_radix(seal, 16).unwrap() ^ 1),
        format!("{seal}-{generation}+{}", &slot[1..]),
        format!("{seal}-{others_place}"),
        format!("{seal}-{generation}00000002"),
        format!("{seal}-{generation}ffffffff"),
        format!("{seal}-00000001{slot}"),
        format!("{seal}-ffffffff{slot}"),
        format!("{seal}-ffffffffffffffff"),
    ];
    for id in &unknown {
        let correlation_id = Some(short(id.clone()));
        let properties = BasicProperties { correlation_id, ..Default::default() };
        impostor.reply(&asked, properties, b"guessed").await;
    }
    for octets in [&[0xff; 255][..], &[0; 33], &(0..33).collect::<Vec<u8>>()] {
        let correlation_id = Some(short(octets));
        let properties = BasicProperties { correlation_id, ..Default::default() };
        impostor.reply(&asked, properties, b"guessed").await;
    }
    impostor.reply(&asked, BasicProperties::default(), b"guessed").await;
    let properties = asked.properties();
    impostor.reply(&asked, properties, b"honest").await;
    assert_eq!(asked.ends().await.unwrap().body, "honest");
    let properties = others.properties();
    impostor.reply(&others, properties, b"the other's").await;
    assert_eq!(others.ends().await.unwrap().body, "the other's");

    let stats = impostor.goes_on().await;
    let expected = (u64::try_from(unknown.len()).unwrap() + 4, 0, 3);
    assert_eq!((stats.unknown_replies, stats.late_replies, stats.replies), expected);
}

/// The address of one client, the id of another: neither is misled.
#[tokio::test]
async fn the_id_of_another_clients_call_answers_neither() {
    let mut impostor = Impostor::new().await;
    let other = service::client().await;
    let mine = impostor.asked().await;
    let others = impostor.asked_by(other.clone(), false).await;
    let (my_properties, others_properties) = (mine.properties(), others.properties());
    impostor.reply(&mine, others_properties.clone(), b"crossed").await;
    impostor.reply(&others, my_properties.clone(), b"crossed").await;
    impostor.reply(&mine, my_properties, b"mine").await;
    impostor.reply(&others, others_properties, b"the other's").await;
    assert_eq!(mine.ends().await.unwrap().body, "mine");
    assert_eq!(others.ends().await.unwrap().body, "the other's");
    assert_eq!(other.stats().unknown_replies, 1);
    other.close().await;
    assert_eq!(impostor.goes_on().await.unknown_replies, 1);
}

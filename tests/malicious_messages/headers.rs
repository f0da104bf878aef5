//! Requests with headers of all kinds, of any size and depth.

use leveret::{BasicProperties, FieldTable, FieldValue, LongStr, Queue, ShortStr};

use super::attack::{Victim, consume_own_queue, echo_all, ready};
use crate::support::broker::Broker;
use crate::support::service::{client, queue, server};
use crate::support::wire::nested;

#[tokio::test]
async fn headers_of_every_type_and_name_come_back() {
    let mut victim = Victim::new("types").await;
    let fields: [&[u8]; 20] = [
        b"\x01tt\x07",
        b"\x01bb\xff",
        b"\x01BB\xff",
        b"\x01ss\x80\x00",
        b"\x01uu\xff\xff",
        b"\x01II\x80\x00\x00\x00",
        b"\x01ii\xff\xff\xff\xff",
        b"\x01ll\x80\x00\x00\x00\x00\x00\x00\x00",
        b"\x01LL\x80\x00\x00\x00\x00\x00\x00\x00",
        b"\x01ff\x80\x00\x00\x01",
        b"\x01dd\x80\x00\x00\x00\x00\x00\x00\x01",
        b"\x01DD\xff\xff\xff\xff\xff",
        b"\x01SS\x00\x00\x00\x03\xff\xfe\x00",
        b"\x01xx\x00\x00\x00\x03\xff\xfe\x00",
        b"\x01AA\x00\x00\x00\x03Vt\xff",
        b"\x01TT\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x01FF\x00\x00\x00\x03\x01aV",
        b"\x01VV",
        b"\x00V",
        b"\x04\xff\xfe\x00\x80V",
    ];
    let properties = victim.asking();
    let (queue, headers) = (victim.queue.clone(), fields.concat());
    victim.attacker.publish_with_headers(1, &queue, properties, &headers, b"body").await;
    let (_, reply) = victim.attacker.expect_delivery(1).await;
    let headers = reply.properties.headers.unwrap();
    assert_eq!(headers.iter().count(), fields.len());
    assert_eq!(headers.get("i"), Some(FieldValue::U32(u32::MAX)));
    assert_eq!(headers.get("T"), Some(FieldValue::Timestamp(u64::MAX)));
    assert_eq!(headers.get("L"), Some(FieldValue::I64(i64::MIN)));
    victim.serves_the_next().await;
}

/// Up to the frame that RabbitMQ lets nobody exceed.
#[tokio::test]
async fn headers_of_60_and_130_kilobytes_come_back() {
    let mut victim = Victim::new("large-headers").await;
    for size in [60_000, 130_000] {
        let mut headers = FieldTable::new();
        let large = LongStr::new(vec![0xff; size]).unwrap();
        headers.insert("large", large.clone()).unwrap();
        let properties = BasicProperties { headers: Some(headers), ..Default::default() };
        let reply = victim.ask(properties, b"body").await;
        let headers = reply.properties.headers.unwrap();
        assert_eq!(headers.get("large"), Some(FieldValue::LongStr(large)));
    }
    victim.serves_the_next().await;
}

/// RabbitMQ passes on tables of any depth. To redeliver one that Leveret does not read would end the
/// next server as well.
#[tokio::test]
async fn tables_nested_too_deep_are_rejected_and_others_come_back() {
    let mut victim = Victim::new("depth").await;
    let queue = victim.queue.clone();
    for depth in [31, 32, 33, 34, 1000, 15_000] {
        let (properties, headers) = (victim.asking(), nested(depth));
        victim.attacker.publish_with_headers(1, &queue, properties, &headers, b"body").await;
        if depth <= 32 {
            let (_, reply) = victim.attacker.expect_delivery(1).await;
            assert_eq!(reply.properties.headers.unwrap().encoded_len(), headers.len());
        }
    }
    let stats = victim.serves_the_next().await;
    assert_eq!((stats.unreadable, stats.requests, stats.replies), (4, 3, 3));
}

/// With bodies of no, one and many frames.
#[tokio::test]
async fn what_follows_headers_that_cannot_be_read_is_read_past() {
    let mut victim = Victim::new("read-past").await;
    let queue = victim.queue.clone();
    for size in [0, 1, 200_000, 1 << 20] {
        let (properties, body) = (victim.asking(), vec![b'x'; size]);
        victim.attacker.publish_with_headers(1, &queue, properties, &nested(33), &body).await;
    }
    let stats = victim.serves_the_next().await;
    assert_eq!((stats.unreadable, stats.requests), (4, 1));
}

#[tokio::test]
async fn a_dead_letter_exchange_keeps_what_no_server_can_read() {
    let broker = Broker::shared().await;
    let mut keeper = broker.channel().await;
    let dead_letters = consume_own_queue(&mut keeper).await;
    let (name, queue) = queue("dead-letters");
    let queue = queue
        .argument("x-dead-letter-exchange", FieldValue::LongStr(LongStr::from_static("")))
        .argument(
            "x-dead-letter-routing-key",
            FieldValue::LongStr(LongStr::new(dead_letters.to_string()).unwrap()),
        );
    let mut victim = Victim::serving((name, queue)).await;
    let (name, properties) = (victim.queue.clone(), victim.asking());
    victim.attacker.publish_with_headers(1, &name, properties, &nested(33), b"poison").await;
    let stats = victim.serves_the_next().await;
    assert_eq!(stats.unreadable, 1);

    // Its headers are beyond this test's reader, too.
    let octets = {
        let mut stream = keeper.into_stream();
        let mut octets = bytes::BytesMut::new();
        while !octets.ends_with(b"poison\xce") {
            let read = tokio::io::AsyncReadExt::read_buf(&mut stream, &mut octets);
            crate::support::wire::patiently("the dead letter", read).await.unwrap();
        }
        octets
    };
    assert!(
        octets
            .windows(18)
            .any(|octets| octets == b"\x01aF\x00\x00\x00\xd2\x01aF\x00\x00\x00\xcb\x01aF\x00")
    );
}

/// The broker gives what one server has left to the next.
#[tokio::test]
async fn no_server_of_the_queue_ends() {
    let mut victim = Victim::new("several").await;
    let mut others = Vec::new();
    for _ in 0..3 {
        let queue = Queue::new(victim.queue.to_string()).passive();
        others.push(server().prefetch(1).handle(queue, echo_all).start().await.unwrap());
    }
    let queue = victim.queue.clone();
    for _ in 0..40 {
        let properties = victim.asking();
        victim.attacker.publish_with_headers(1, &queue, properties, &nested(33), b"poison").await;
    }
    victim.attacker.expect_silence(1).await;
    let client = client().await;
    for _ in 0..8 {
        assert_eq!(client.call(queue.to_string(), "honest").await.unwrap().body, "honest");
    }
    client.close().await;
    let mut unreadable = victim.server.stats().unreadable;
    for other in others {
        unreadable += other.stats().unreadable;
        other.shutdown().await.unwrap();
    }
    assert_eq!(unreadable, 40);
    assert_eq!(ready(&victim.broker, &queue).await, 0);
    victim.serves_the_next().await;
}

/// Some headers mean something to the broker. It is the echo that sends copies: that is up to the
/// handler, and the server goes on.
#[tokio::test]
async fn headers_that_route_are_echoed_as_they_are() {
    let mut victim = Victim::new("routing").await;
    let mut names = leveret::FieldArray::new();
    names.push(LongStr::new(victim.replies.to_string()).unwrap()).unwrap();
    names.push("amq.rabbitmq.reply-to.garbage").unwrap();
    let mut headers = FieldTable::new();
    headers.insert("CC", names).unwrap();
    let reply = ShortStr::try_from("no.such.queue").unwrap();
    let properties =
        BasicProperties { headers: Some(headers), reply_to: Some(reply), ..Default::default() };
    victim.request(properties, b"copy").await;
    // The request itself goes to the attacker as well, and the server's echo of it.
    for _ in 0..2 {
        let (deliver, content) = victim.attacker.expect_delivery(1).await;
        assert_eq!(&*content.body, b"copy");
        assert!(deliver.exchange.is_empty());
    }
    victim.serves_the_next().await;
}

//! Reply addresses that lead nowhere, elsewhere, or back.

use std::time::Duration;

use leveret::connection::ConnectionError;
use leveret::{
    BasicProperties, Queue, Reconnect, ReplyCode, Request, Server, SessionError, ShortStr,
};
use leveret_codec::basic;
use tokio::sync::watch;
use tokio::time::timeout;

use super::attack::{Impostor, Victim, echo_all};
use crate::support::broker::unique;
use crate::support::service::server;

const PATIENCE: Duration = Duration::from_secs(20);

const REPLY_TO: ShortStr = ShortStr::from_static("amq.rabbitmq.reply-to");

fn short(octets: impl Into<Vec<u8>>) -> ShortStr {
    ShortStr::new(octets.into()).unwrap()
}

fn to(address: ShortStr) -> BasicProperties {
    BasicProperties { reply_to: Some(address), ..BasicProperties::default() }
}

#[tokio::test]
async fn addresses_that_lead_nowhere_cost_nothing() {
    let mut victim = Victim::new("nowhere").await;
    let all: Vec<u8> = (0..=255).collect();
    let addresses = [
        short([0; 255]),
        short([0xff; 255]),
        short(&all[..255]),
        short(&all[1..]),
        short("\r\n"),
        unique("no-such-queue"),
        short("amq.rabbitmq.reply-to."),
        short("amq.rabbitmq.reply-to.garbage"),
        short("amq.rabbitmq.reply-to.three.words.here"),
        short("amq.rabbitmq.reply-toX"),
        short("AMQ.RABBITMQ.REPLY-TO"),
    ];
    let count = u64::try_from(addresses.len()).unwrap();
    for address in addresses {
        victim.request(to(address), b"where to?").await;
    }
    let stats = victim.serves_the_next().await;
    assert_eq!((stats.requests, stats.replies), (count + 1, count + 1));
}

#[tokio::test]
async fn no_address_and_an_empty_one_want_no_reply() {
    let mut victim = Victim::new("no-address").await;
    victim.request(BasicProperties::default(), b"nobody asks").await;
    victim.request(to(ShortStr::EMPTY), b"nobody asks").await;
    let stats = victim.serves_the_next().await;
    assert_eq!((stats.requests, stats.without_reply_to, stats.replies), (3, 2, 1));
}

/// It stands for the consumer of whoever publishes. Who has none is stopped by the broker.
#[tokio::test]
async fn the_name_of_direct_replies_itself_never_arrives() {
    let mut victim = Victim::new("literal").await;
    victim.attacker.open_channel(2).await;
    victim.attacker.publish(2, &victim.queue, to(REPLY_TO), b"to whom?").await;
    let text = "PRECONDITION_FAILED - fast reply consumer does not exist";
    let code = ReplyCode::PRECONDITION_FAILED;
    victim.attacker.expect_channel_close(2, code, text, (60, 40)).await;
    assert_eq!(victim.serves_the_next().await.requests, 1);
}

/// Whoever has served a client's call knows its address, and can have another server send there.
#[tokio::test]
async fn the_address_of_a_client_that_did_not_ask_gets_what_it_drops() {
    let mut victim = Victim::new("stolen").await;
    let mut impostor = Impostor::new().await;
    let asked = impostor.asked().await;
    let foreign =
        BasicProperties { correlation_id: Some(short([0xff; 255])), ..to(asked.address.clone()) };
    victim.request(foreign, b"not asked for").await;
    victim.serves_the_next().await;
    let properties = asked.properties();
    impostor.reply(&asked, properties, b"honest").await;
    assert_eq!(asked.ends().await.unwrap().body, "honest");
    assert_eq!(impostor.goes_on().await.unknown_replies, 1);
}

/// A bit flipped in the key of an address: its consumer does not get what is sent there.
#[tokio::test]
async fn a_flipped_bit_in_the_key_of_an_address_costs_nothing() {
    let mut victim = Victim::new("flipped").await;
    let mut impostor = Impostor::new().await;
    let asked = impostor.asked().await;
    let mut forged = asked.address.as_ref().to_vec();
    let at = forged.len() - 5;
    forged[at] ^= 1;
    victim.request(to(short(forged)), b"misled").await;
    victim.serves_the_next().await;
    let properties = asked.properties();
    impostor.reply(&asked, properties, b"honest").await;
    assert_eq!(asked.ends().await.unwrap().body, "honest");
    assert_eq!(impostor.goes_on().await.unknown_replies, 0);
}

/// An echo of a request to the server's own queue is a request that wants no reply.
#[tokio::test]
async fn a_reply_to_the_servers_own_queue_does_not_go_round() {
    let mut victim = Victim::new("loop").await;
    let own = victim.queue.clone();
    victim.request(to(own), b"round and round").await;
    let stats = async {
        while victim.server.stats().without_reply_to == 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, stats).await.expect("the reply is a request");
    let stats = victim.serves_the_next().await;
    assert_eq!((stats.requests, stats.replies, stats.without_reply_to), (3, 2, 1));
}

/// Nor does it go to and fro.
#[tokio::test]
async fn a_reply_to_another_servers_queue_stays_there() {
    let mut victim = Victim::new("first").await;
    let mut other = Victim::new("second").await;
    let there = other.queue.clone();
    victim.request(to(there), b"to and fro").await;
    let arrived = async {
        while other.server.stats().without_reply_to == 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, arrived).await.expect("the reply is a request");
    other.attacker.expect_silence(1).await;
    let stats = other.serves_the_next().await;
    assert_eq!((stats.requests, stats.without_reply_to), (2, 1));
    let stats = victim.serves_the_next().await;
    assert_eq!((stats.requests, stats.replies), (2, 2));
}

/// Up to 4.0 the broker ends the connection of whoever publishes to such an address. The second server
/// that gets the request acknowledges it before it replies, and so it comes to no third.
#[tokio::test]
async fn a_forged_address_ends_two_servers_up_to_4_0_and_none_later() {
    let forged = || to(short("amq.rabbitmq.reply-to.two.words"));
    let mut victim = Victim::new("forged").await;
    if victim.broker.at_least(4, 1) {
        for _ in 0..10 {
            victim.request(forged(), b"poison").await;
        }
        assert_eq!(victim.serves_the_next().await.replies, 11);
        return;
    }

    victim.request(forged(), b"poison").await;
    assert_ended_by_the_broker(&victim.server).await;
    let queue = || Queue::new(victim.queue.to_string()).passive();
    let (go, wait) = watch::channel(false);
    let second = server()
        .reconnect(Reconnect::never())
        .handle(queue(), move |request: Request| {
            let mut wait = wait.clone();
            async move {
                wait.wait_for(|go| *go).await?;
                echo_all(request).await
            }
        })
        .start()
        .await
        .unwrap();
    go.send(true).unwrap();
    assert_ended_by_the_broker(&second).await;
    let stats = second.stats();
    assert_eq!((stats.requests, stats.redelivered), (1, 1));

    victim.server = server().handle(queue(), echo_all).start().await.unwrap();
    assert_eq!(victim.serves_the_next().await.requests, 1);
}

#[tokio::test]
async fn a_server_that_reconnects_gets_over_a_forged_address_by_itself() {
    let mut victim = Victim::new("forged").await;
    let queue = Queue::new(victim.queue.to_string()).passive();
    let another = server().handle(queue, echo_all).start().await.unwrap();
    std::mem::replace(&mut victim.server, another).shutdown().await.unwrap();
    victim.request(to(short("amq.rabbitmq.reply-to.two.words")), b"poison").await;
    let expected = if victim.broker.at_least(4, 1) { 0 } else { 2 };
    assert_eq!(victim.serves_the_next().await.disconnects, expected);
}

async fn assert_ended_by_the_broker(server: &Server) {
    let error = timeout(PATIENCE, server.stopped()).await.expect("the server ends").unwrap_err();
    let SessionError::Connection(ConnectionError::ClosedByPeer { code, .. }) = error else {
        panic!("{error:?}")
    };
    assert_eq!(code, ReplyCode::INTERNAL_ERROR);
}

/// It has come by a header of the attacker's, which the server does not get to see.
#[tokio::test]
async fn a_request_whose_routing_key_is_no_text_is_served() {
    let mut victim = Victim::new("key").await;
    let mut headers = leveret::FieldTable::new();
    let mut names = leveret::FieldArray::new();
    names.push(leveret::LongStr::new(victim.queue.to_string()).unwrap()).unwrap();
    headers.insert("BCC", names).unwrap();
    let properties = BasicProperties { headers: Some(headers), ..victim.asking() };
    let publish = basic::Publish { routing_key: short([0xff; 255]), ..Default::default() };
    victim.attacker.send_content(1, publish, properties, b"by copy").await;
    let (_, reply) = victim.attacker.expect_delivery(1).await;
    assert_eq!(&*reply.body, b"by copy");
    victim.serves_the_next().await;
}

//! Bodies of all sizes, and requests that nobody waits for any more.

use leveret::{BasicProperties, CallError, ReplyCode, ShortStr};

use super::attack::{Victim, echo_all, ready};
use crate::support::broker::Broker;
use crate::support::service::{client, queue, server, sized_body};

/// The most that RabbitMQ takes from 4.0 on, and a server sends in any case.
const LIMIT: usize = 16 << 20;

#[tokio::test]
async fn the_largest_body_comes_back_and_a_larger_one_is_refused_or_answered_with_a_fault() {
    let mut victim = Victim::new("gigantic").await;
    for size in [0, LIMIT] {
        let body = sized_body(size);
        let reply = victim.ask(BasicProperties::default(), &body).await;
        assert!(reply.body == body, "{size} octets came back as {}", reply.body.len());
    }
    let body = vec![b'x'; LIMIT + 1];
    if victim.broker.at_least(4, 0) {
        victim.attacker.open_channel(2).await;
        let properties = victim.asking();
        victim.attacker.publish(2, &victim.queue, properties, &body).await;
        let text = "PRECONDITION_FAILED - message size 16777217 is larger than configured max size \
                    16777216";
        let code = ReplyCode::PRECONDITION_FAILED;
        victim.attacker.expect_channel_close(2, code, text, (60, 40)).await;
    } else {
        let reply = victim.ask(BasicProperties::default(), &body).await;
        let headers = reply.properties.headers.unwrap();
        let code = headers.get("rpc-error-code").unwrap();
        assert_eq!(code.as_str(), Some("reply-too-large"));
    }
    victim.serves_the_next().await;
}

/// What expires in its queue is not run, whether it waits for a server or arrives with one.
#[tokio::test]
async fn an_expired_request_is_not_run() {
    let broker = Broker::shared().await;
    let (name, queue) = queue("expired");
    let first = server().handle(queue.clone(), echo_all).start().await.unwrap();
    first.shutdown().await.unwrap();
    let mut early = broker.channel().await;
    let key = ShortStr::try_from(&*name).unwrap();
    for expiration in ["0", "1"] {
        let expiration = Some(ShortStr::from_static(expiration));
        let properties = BasicProperties { expiration, ..Default::default() };
        early.publish(1, &key, properties, b"too late").await;
    }
    early.expect_silence(1).await;
    while ready(&broker, &key).await > 0 {
        tokio::task::yield_now().await;
    }

    let victim = Victim::serving((name, queue)).await;
    early.close().await;
    assert_eq!(victim.serves_the_next().await.requests, 1);
}

/// An idle server is given it this moment. The echo of its expiration is harmless.
#[tokio::test]
async fn a_request_that_expires_at_once_is_served_by_who_is_idle() {
    let mut victim = Victim::new("at-once").await;
    let expiration = Some(ShortStr::from_static("0"));
    let reply = victim.ask(BasicProperties { expiration, ..Default::default() }, b"now").await;
    assert_eq!(&*reply.body, b"now");
    victim.serves_the_next().await;
}

#[tokio::test]
async fn an_expiration_that_is_none_is_refused_by_the_broker() {
    let mut victim = Victim::new("garbage").await;
    for (channel, expiration, problem) in
        [(2, "soon", "no_integer"), (3, "-1", "{value_negative,-1}"), (4, "", "no_integer")]
    {
        victim.attacker.open_channel(channel).await;
        let reply_to = Some(victim.replies.clone());
        let properties = BasicProperties {
            expiration: Some(ShortStr::from_static(expiration)),
            reply_to,
            ..BasicProperties::default()
        };
        victim.attacker.publish(channel, &victim.queue, properties, b"when?").await;
        let text = format!("PRECONDITION_FAILED - invalid expiration '{expiration}': {problem}");
        let code = ReplyCode::PRECONDITION_FAILED;
        victim.attacker.expect_channel_close(channel, code, &text, (60, 40)).await;
    }
    assert_eq!(victim.serves_the_next().await.requests, 1);
}

/// The caller learns why, and at once.
#[tokio::test]
async fn a_reply_larger_than_the_server_sends_is_a_fault() {
    let _broker = Broker::shared().await;
    let (name, queue) = queue("too-large");
    let server = server().max_reply_size(1000).handle(queue, echo_all).start().await.unwrap();
    let client = client().await;
    let error = client.call(&name, vec![0; 1001]).await.unwrap_err();
    let CallError::Fault(fault) = error else { panic!("{error:?}") };
    assert_eq!(fault.code(), "reply-too-large");
    assert_eq!(client.call(&name, vec![0; 1000]).await.unwrap().body.len(), 1000);
    client.close().await;
    server.shutdown().await.unwrap();
}

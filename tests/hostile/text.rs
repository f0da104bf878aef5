//! Attacks with what is no text: AMQP has no character set, and people read our errors.

use leveret::broker::script::Greeting;
use leveret::{BasicProperties, LongStr, ReplyCode, ShortStr};
use leveret_codec::{FieldTable, FieldValue, basic, channel, connection};

use crate::arena::{Outcome, attack};
use crate::attacker::{Stage, request};
use crate::duel::{VICTIMS, Victim};

/// No UTF-8, however it is read: octets that never begin a character, and a character cut off.
const OCTETS: &[u8] = b"\xff\xfe\xc0\x80\xf8\x80\xed\xa0\x80\xe2\x82";

fn short() -> ShortStr {
    ShortStr::new(OCTETS).unwrap()
}

fn long() -> LongStr {
    LongStr::new(OCTETS).unwrap()
}

#[test]
fn a_greeting_that_is_no_utf_8() {
    let mut start = Greeting::default().start;
    start.locales = long();
    start.server_properties.insert(OCTETS, FieldValue::LongStr(long())).unwrap();
    start.server_properties.insert("product", FieldValue::LongStr(long())).unwrap();
    for victim in VICTIMS {
        attack("no UTF-8 in the greeting", victim, async {
            let fate = victim.duel(async |mut peer| {
                peer.greet(start.clone()).await?;
                peer.send(0, Greeting::default().tune).await?;
                peer.expect::<connection::TuneOk>(0).await?;
                peer.expect::<connection::Open>(0).await?;
                peer.send(0, connection::OpenOk {}).await?;
                peer.employ().await?;
                peer.expect_service().await
            });
            assert_eq!(fate.await, Ok(()));
            Outcome::served()
        });
    }
}

#[test]
fn login_mechanisms_that_are_no_utf_8() {
    for victim in VICTIMS {
        attack("no UTF-8 in the login mechanisms", victim, async {
            let fate = victim.duel(async |mut peer| {
                peer.expect_protocol_header().await?;
                let mut start = Greeting::default().start;
                start.mechanisms = long();
                peer.send(0, start).await?;
                peer.expect_end().await
            });
            let error = fate.await.unwrap_err();
            assert!(error.starts_with("the broker offers the login mechanisms \""), "{error}");
            assert!(error.ends_with("\", and not PLAIN"), "{error}");
            Outcome::said(error)
        });
    }
}

#[test]
fn a_close_that_is_no_utf_8() {
    for stage in [Stage::Login, Stage::Tuned, Stage::Working] {
        for victim in VICTIMS {
            attack(format!("no UTF-8 in connection.close after {stage:?}"), victim, async {
                let fate = victim.duel(async |mut peer| {
                    peer.behave(stage).await?;
                    let reply_code = ReplyCode(0xffff);
                    let close =
                        connection::Close { reply_code, reply_text: short(), ..Default::default() };
                    peer.send(0, close).await?;
                    peer.expect::<connection::CloseOk>(0).await?;
                    peer.expect_end().await
                });
                let error = fate.await.unwrap_err();
                assert!(error.starts_with("the broker closed the connection: 65535 "), "{error}");
                Outcome::said(error)
            });
        }
    }
}

#[test]
fn a_closed_channel_that_is_no_utf_8() {
    for victim in VICTIMS {
        attack("no UTF-8 in channel.close", victim, async {
            let fate = victim.duel(async |mut peer| {
                peer.behave(Stage::Opened).await?;
                let close = channel::Close { reply_text: short(), ..Default::default() };
                peer.send(1, close).await?;
                peer.expect::<channel::CloseOk>(1).await?;
                peer.expect_goodbye().await
            });
            let error = fate.await.unwrap_err();
            let refused = match victim {
                Victim::Client => "the broker refused the consumer of the replies: 0 ",
                Victim::Server => "queue \"queue\": 0 ",
            };
            assert!(error.starts_with(refused), "{error}");
            Outcome::said(error)
        });
    }
}

/// The tag of a consumer is whatever the broker makes it; so are all properties of a message.
#[test]
fn messages_without_a_character_of_text() {
    for victim in VICTIMS {
        attack("no UTF-8 in tags, reasons, names and properties", victim, async {
            let fate = victim.duel(async |mut peer| {
                peer.behave(Stage::Opened).await?;
                peer.send(1, channel::OpenOk {}).await?;
                peer.send(0, connection::Blocked { reason: short() }).await?;
                peer.send(0, connection::Unblocked {}).await?;
                peer.employ().await?;
                let (tag, own) = (peer.tag(), properties());
                let correlation_id = match &peer.request {
                    Some(request) => request.properties.correlation_id.clone(),
                    None => own.correlation_id.clone(),
                };
                let deliver = basic::Deliver {
                    consumer_tag: tag,
                    exchange: short(),
                    routing_key: short(),
                    ..Default::default()
                };
                let own = BasicProperties { correlation_id, ..own };
                peer.send_content(1, deliver, own, "hello back").await?;
                if victim == Victim::Client {
                    return peer.expect_goodbye().await;
                }
                // The reply goes where the request says, whatever that is.
                let reply = peer.expect_publish().await?;
                assert_eq!(reply.method.routing_key, short());
                assert_eq!(reply.properties.correlation_id, Some(short()));
                peer.expect::<basic::Ack>(1).await?;
                peer.expect_service().await
            });
            assert_eq!(fate.await, Ok(()));
            Outcome::served()
        });
    }
}

fn properties() -> BasicProperties {
    let mut headers = FieldTable::new();
    headers.insert(OCTETS, FieldValue::LongStr(long())).unwrap();
    BasicProperties {
        content_type: Some(short()),
        content_encoding: Some(short()),
        headers: Some(headers),
        correlation_id: Some(short()),
        reply_to: Some(short()),
        expiration: Some(short()),
        message_id: Some(short()),
        message_type: Some(short()),
        user_id: Some(short()),
        app_id: Some(short()),
        cluster_id: Some(short()),
        ..request("")
    }
}

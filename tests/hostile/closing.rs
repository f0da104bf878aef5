//! Attacks with ends: closes without an answer, closes without end, and ends of one half alone.

use std::time::Duration;

use leveret::broker::script::ScriptListener;
use leveret::{BasicProperties, CallError, Client, ReplyCode};
use leveret_codec::{ContentHeader, Frame, basic, channel, connection};
use tokio::sync::oneshot;

use crate::arena::{Outcome, attack, attack_in_virtual_time, attack_within, within};
use crate::attacker::{Stage, short};
use crate::breach::assert_breach;
use crate::duel::{VICTIMS, Victim};
use crate::octets::{frames, method};

const LOST: &str = "the connection was lost: the peer closed the socket";

/// Time in the virtual sense: a call gives up after one second, a close after five.
const SECOND: Duration = Duration::from_secs(1);

/// Frames that are sent at once where many are sent.
const BATCH: usize = 5000;

// ---------------------------------------------------------------------- without an answer

/// Who says goodbye waits for the answer, but for five seconds at most.
#[test]
fn a_close_without_close_ok() {
    for victim in VICTIMS {
        attack_in_virtual_time("close without close-ok", victim, async {
            let fate = victim.duel_without_socket(SECOND, async |mut peer| {
                peer.behave(Stage::Working).await?;
                if victim == Victim::Server {
                    peer = peer.expect_cancel().await?;
                }
                peer.expect::<connection::Close>(0).await?;
                peer.expect_end().await
            });
            let fate = within(8 * SECOND, fate).await;
            match victim {
                Victim::Client => assert_eq!(fate, Err("no reply within 1s".to_owned())),
                Victim::Server => {
                    let words = "the broker did not let the server go within the shutdown timeout";
                    assert_eq!(fate, Err(words.to_owned()));
                }
            }
            Outcome::said(fate.unwrap_err())
        });
    }
}

/// The error is told at once; only the socket waits for the answer.
#[test]
fn a_violation_without_close_ok() {
    for victim in VICTIMS {
        attack_in_virtual_time("a violation, and no close-ok", victim, async {
            let fate = victim.duel_without_socket(60 * SECOND, async |mut peer| {
                peer.behave(Stage::Working).await?;
                peer.send(1, basic::QosOk {}).await?;
                let close = peer.expect::<connection::Close>(0).await?;
                assert_eq!(close.reply_code, ReplyCode::COMMAND_INVALID);
                peer.expect_end().await
            });
            let error = within(6 * SECOND, fate).await.unwrap_err();
            assert!(error.contains("basic.qos-ok that nobody asked for"), "{error}");
            Outcome::told(ReplyCode::COMMAND_INVALID, error)
        });
    }
}

#[test]
fn a_half_closed_socket() {
    for stage in [Stage::Greeting, Stage::Login, Stage::Tuned, Stage::Opened, Stage::Working] {
        for victim in VICTIMS {
            attack(format!("half-closed socket after {stage:?}"), victim, async {
                let fate = victim.duel(async |mut peer| {
                    peer.behave(stage).await?;
                    peer.stop_sending().await?;
                    // The other half is closed from over there.
                    peer.expect_end().await
                });
                let error = fate.await.unwrap_err();
                let silent = "the peer closed the connection without a word";
                let expected = if stage < Stage::Opened { silent } else { LOST };
                assert!(error.starts_with(expected), "{error}");
                Outcome::said(error)
            });
        }
    }
}

// ---------------------------------------------------------------------- without end

/// A channel that the client is about to close is closed a million times from the other side. Each
/// is answered, as the specification asks, and nothing piles up.
#[test]
fn a_million_closes_of_a_channel_that_cross_ours() {
    let name = "10^6 channel.close that cross ours";
    attack_within(Duration::from_secs(8), name, Victim::Client, async {
        let listener = ScriptListener::bind().await.unwrap();
        let (crossed, call_again) = oneshot::channel();
        let script = async {
            let mut peer = listener.accept().await?;
            peer.handshake().await?;
            peer.subscribe().await?;
            // The channel of a call that gives up.
            peer.expect::<channel::Open>(2).await?;
            peer.send(2, channel::OpenOk {}).await?;
            peer.expect::<basic::Consume>(2).await?;
            peer.expect::<channel::Close>(2).await?;
            let closes = method(2, channel::Close::default()).repeat(BATCH);
            let answers = method(2, channel::CloseOk {}).repeat(BATCH);
            for _ in 0..1_000_000 / BATCH {
                peer.send_bytes(&closes).await?;
                peer.expect_bytes(&answers).await?;
            }
            peer.send(2, channel::CloseOk {}).await?;
            crossed.send(()).expect("the client waits");
            let request = peer.expect_publish().await?;
            peer.reply(&request, "hello back").await?;
            peer.goodbye().await
        };
        let calls = async {
            let client = Client::connect(listener.url()).await.unwrap();
            let call = client.request("queue").timeout(Duration::from_millis(50)).own_channel();
            assert!(matches!(call.send().await, Err(CallError::Timeout { .. })));
            call_again.await.unwrap();
            assert_eq!(client.call("queue", "hello").await.unwrap().body, "hello back");
            client.close().await;
        };
        let (script, ()) = tokio::join!(script, calls);
        script.unwrap();
        Outcome::served()
    });
}

/// The first close is the last.
#[test]
fn a_million_closes_of_the_connection() {
    for victim in VICTIMS {
        attack("10^6 connection.close", victim, async {
            let fate = victim.duel(async |mut peer| {
                peer.behave(Stage::Working).await?;
                let closes = method(0, connection::Close::default()).repeat(BATCH);
                for _ in 0..1_000_000 / BATCH {
                    // It has stopped to listen long before.
                    if peer.send_bytes(&closes).await.is_err() {
                        break;
                    }
                }
                Ok(())
            });
            let error = fate.await.unwrap_err();
            assert_eq!(error, "the broker closed the connection: 0");
            Outcome::said(error)
        });
    }
}

/// After a violation the victim has sent its own close, and is sent others for as long as it waits
/// for the answer. The attacker reads none of what that makes it say.
#[test]
fn closes_without_end_that_cross_ours() {
    for victim in VICTIMS {
        attack_within(Duration::from_secs(4), "closes that cross ours, unread", victim, async {
            let fate = victim.duel_without_socket(Duration::from_secs(30), async |mut peer| {
                peer.behave(Stage::Working).await?;
                peer.send(1, basic::QosOk {}).await?;
                let close = peer.expect::<connection::Close>(0).await?;
                assert_eq!(close.reply_code, ReplyCode::COMMAND_INVALID);
                let closes = method(0, connection::Close::default()).repeat(BATCH);
                for _ in 0..1_000_000 / BATCH {
                    if peer.send_bytes(&closes).await.is_err() {
                        return Ok(());
                    }
                }
                peer.hang_up().await
            });
            let error = fate.await.unwrap_err();
            assert!(error.contains("basic.qos-ok that nobody asked for"), "{error}");
            Outcome::told(ReplyCode::COMMAND_INVALID, error)
        });
    }
}

/// Questions that have to be answered, from somebody who does not read the answers.
#[test]
fn questions_without_end_whose_answers_are_not_read() {
    for victim in VICTIMS {
        let name = "channel.flow without end, answers unread";
        attack_within(Duration::from_secs(4), name, victim, async {
            let fate = victim.duel_without_socket(Duration::from_secs(30), async |mut peer| {
                peer.behave(Stage::Working).await?;
                let questions = method(1, channel::Flow { active: true }).repeat(BATCH);
                for _ in 0..3_000_000 / BATCH {
                    if peer.send_bytes(&questions).await.is_err() {
                        break;
                    }
                }
                Ok(())
            });
            let error = fate.await.unwrap_err();
            let expected = "the peer broke the AMQP protocol (506 RESOURCE_ERROR): the peer asks, \
                            and does not read the answers";
            assert_eq!(error, expected);
            // It has not read the code either.
            Outcome::said(error)
        });
    }
}

/// The same to a server whose replies are not read: it does no more work for who does not want it.
#[test]
fn requests_without_end_whose_replies_are_not_read() {
    let victim = Victim::Server;
    let name = "requests without end, replies unread";
    attack_within(Duration::from_secs(6), name, victim, async {
        let fate = victim.duel_without_socket(Duration::from_secs(30), async |mut peer| {
            peer.behave(Stage::Working).await?;
            let long = || Some(short(&"x".repeat(255)));
            let properties = BasicProperties {
                reply_to: long(),
                correlation_id: long(),
                ..BasicProperties::default()
            };
            let header = ContentHeader { body_size: 0, properties };
            let deliver = basic::Deliver { consumer_tag: peer.tag(), ..Default::default() };
            let request = [Frame::method(1, deliver), Frame::Header { channel: 1, header }];
            // Fewer than the prefetch at a time, with time for the handlers in between.
            let requests = frames(request).repeat(50);
            for _ in 0..4000 {
                if peer.send_bytes(&requests).await.is_err() {
                    break;
                }
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
            }
            Ok(())
        });
        let error = fate.await.unwrap_err();
        let told = "twice as many deliveries as the prefetch of 128";
        assert_breach(&error, ReplyCode::COMMAND_INVALID, told);
        Outcome::said(error)
    });
}

/// With the answers read it may go on, at its own expense.
#[test]
fn questions_without_end_whose_answers_are_read() {
    for victim in VICTIMS {
        attack("100,000 channel.flow, answers read", victim, async {
            let fate = victim.duel(async |mut peer| {
                peer.behave(Stage::Working).await?;
                let questions = method(1, channel::Flow { active: true }).repeat(BATCH);
                let answers = method(1, channel::FlowOk { active: true }).repeat(BATCH);
                for _ in 0..100_000 / BATCH {
                    peer.send_bytes(&questions).await?;
                    peer.expect_bytes(&answers).await?;
                }
                peer.expect_service().await
            });
            assert_eq!(fate.await, Ok(()));
            Outcome::served()
        });
    }
}

/// A queue that is refused each time it is served is given up, with rests in between.
#[test]
fn a_channel_that_is_closed_whenever_it_is_open() {
    let victim = Victim::Server;
    attack_in_virtual_time("channel.close whenever it serves", victim, async {
        let fate = victim.duel_without_socket(Duration::from_secs(60), async |mut peer| {
            peer.behave(Stage::Working).await?;
            loop {
                let reply_code = ReplyCode::PRECONDITION_FAILED;
                peer.send(1, channel::Close { reply_code, ..Default::default() }).await?;
                peer.expect::<channel::CloseOk>(1).await?;
                match peer.frame().await? {
                    Frame::Method { channel: 0, .. } => break,
                    open => assert_eq!(open, Frame::method(1, channel::Open {})),
                }
                peer.send(1, channel::OpenOk {}).await?;
                peer.employ().await?;
            }
            peer.send_bytes(frames([Frame::method(0, connection::CloseOk {})])).await?;
            peer.expect_end().await
        });
        let error = fate.await.unwrap_err();
        assert!(error.starts_with("queue \"queue\": 406 PRECONDITION_FAILED"), "{error}");
        Outcome::said(error)
    });
}

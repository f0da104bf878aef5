//! Attacks with time: too slow, without end, and for ever.

use std::time::Duration;

use leveret::Client;
use leveret::broker::script::{Dialogue, Greeting, ScriptError};
use leveret_codec::{channel, connection};

use crate::arena::{Outcome, attack, attack_in_virtual_time, attack_within, within};
use crate::attacker::{Stage, short};
use crate::duel::{VICTIMS, Victim};
use crate::octets::method;

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

// ---------------------------------------------------------------------- in the handshake

/// Octets are no progress: the handshake has one limit of time as a whole.
#[test]
fn a_handshake_of_one_octet_a_second() {
    for victim in VICTIMS {
        attack("one octet a second through the handshake", victim, async {
            let fate = victim.duel_with(1500 * MILLISECOND, "", async |mut peer| {
                peer.behave(Stage::Greeting).await?;
                for octet in method(0, Greeting::default().start) {
                    if peer.send_bytes([octet]).await.is_err() {
                        break;
                    }
                    tokio::time::sleep(SECOND).await;
                }
                peer.expect_end().await
            });
            let error = within(5 * SECOND, fate).await.unwrap_err();
            let expected = "was not ready within the connect timeout";
            assert!(error.contains(expected), "{error}");
            Outcome::said(error)
        });
    }
}

/// The same for hours, on a clock that jumps: each octet comes just before anybody loses patience.
#[test]
fn a_handshake_of_one_octet_a_second_with_the_default_limits() {
    for victim in VICTIMS {
        let name = "one octet a second, default timeouts";
        attack_in_virtual_time(name, victim, async {
            let fate = victim.duel_without_socket(10 * SECOND, async |mut peer| {
                peer.behave(Stage::Greeting).await?;
                for octet in method(0, Greeting::default().start) {
                    if peer.send_bytes([octet]).await.is_err() {
                        break;
                    }
                    tokio::time::sleep(SECOND).await;
                }
                Ok(())
            });
            let error = within(12 * SECOND, fate).await.unwrap_err();
            assert!(error.contains("was not ready within the connect timeout of 10s"), "{error}");
            Outcome::said(error)
        });
    }
}

/// Signs of life are no progress either.
#[test]
fn heartbeats_without_end_in_the_handshake() {
    for stage in [Stage::Greeting, Stage::Login, Stage::Tuned, Stage::Opened] {
        for victim in VICTIMS {
            let name = format!("endless heartbeats after {stage:?}");
            // For as long as it takes, they come as fast as both ends can.
            attack_within(SECOND, name, victim, async {
                let timeout = Duration::from_millis(200);
                let fate = victim.duel_with(timeout, "", async |mut peer| {
                    peer.behave(stage).await?;
                    let heartbeats = [8, 0, 0, 0, 0, 0, 0, 0xce].repeat(1000);
                    while peer.send_bytes(&heartbeats).await.is_ok() {
                        tokio::task::yield_now().await;
                    }
                    Ok(())
                });
                let error = fate.await.unwrap_err();
                let expected = "was not ready within the connect timeout of 200ms";
                assert!(error.contains(expected), "{error}");
                Outcome::said(error)
            });
        }
    }
}

/// The error says what was waited for.
#[test]
fn silence_after_each_step_of_the_handshake() {
    let stages = [
        (Stage::Greeting, "it was silent before its greeting"),
        (Stage::Login, "it was silent after the login"),
        (Stage::Tuned, "it was silent while the virtual host was opened"),
        (Stage::Opened, "it was silent after the login, on a channel"),
    ];
    for (stage, words) in stages {
        for victim in VICTIMS {
            attack(format!("silence after {stage:?}"), victim, async {
                let fate = victim.duel_with(200 * MILLISECOND, "", async |mut peer| {
                    peer.behave(stage).await?;
                    peer.expect_end().await
                });
                let error = fate.await.unwrap_err();
                assert!(error.contains(words), "{error}");
                Outcome::said(error)
            });
        }
    }
}

// ---------------------------------------------------------------------- at work

/// The call waits within its own time, and knows that it was never sent. A server goes on: its
/// replies wait in the socket.
#[test]
fn blocked_for_ever() {
    for victim in VICTIMS {
        attack("connection.blocked for ever", victim, async {
            let timeout = Duration::from_millis(300);
            let fate = victim.duel_with(timeout, "", async |mut peer| {
                peer.behave(Stage::Opened).await?;
                let reason = short("low on mercy");
                peer.send(0, connection::Blocked { reason }).await?;
                peer.send(1, channel::OpenOk {}).await?;
                match victim {
                    Victim::Client => {
                        peer.accept_consumer().await?;
                        peer.expect_goodbye().await
                    }
                    Victim::Server => {
                        peer.employ().await?;
                        peer.expect_service().await
                    }
                }
            });
            let fate = fate.await;
            match victim {
                Victim::Client => {
                    let error = fate.unwrap_err();
                    assert_eq!(error, "no reply within 300ms; the request was never sent");
                    Outcome::said(error)
                }
                Victim::Server => {
                    assert_eq!(fate, Ok(()));
                    Outcome::served()
                }
            }
        });
    }
}

#[test]
fn a_channel_that_is_stopped_for_ever() {
    attack("channel.flow off for ever", Victim::Client, async {
        let fate = Victim::Client.duel_with(300 * MILLISECOND, "", async |mut peer| {
            peer.behave(Stage::Opened).await?;
            peer.send(1, channel::OpenOk {}).await?;
            peer.send(1, channel::Flow { active: false }).await?;
            peer.expect::<channel::FlowOk>(1).await?;
            peer.accept_consumer().await?;
            peer.expect_goodbye().await
        });
        let error = fate.await.unwrap_err();
        assert_eq!(error, "no reply within 300ms; the request was never sent");
        Outcome::said(error)
    });
}

#[test]
fn blocked_a_hundred_thousand_times() {
    for victim in VICTIMS {
        attack_within(2 * SECOND, "100,000 connection.blocked", victim, async {
            let fate = victim.duel(async |mut peer| {
                peer.behave(Stage::Working).await?;
                let reason = short(&"r".repeat(255));
                let blocked = method(0, connection::Blocked { reason }).repeat(100);
                for _ in 0..1000 {
                    peer.send_bytes(&blocked).await?;
                }
                peer.send(0, connection::Unblocked {}).await?;
                peer.expect_service().await
            });
            assert_eq!(fate.await, Ok(()));
            Outcome::served()
        });
    }
}

/// A peer that takes nothing holds nobody up: neither the call nor the end of the session.
#[test]
fn a_peer_that_never_reads() {
    attack_in_virtual_time("a peer that stops to read", Victim::Client, async {
        let (ours, theirs) = tokio::io::duplex(0x1000);
        let script = async {
            let mut peer = Dialogue::new(theirs);
            peer.handshake().await?;
            peer.subscribe().await?;
            Ok::<_, ScriptError>(peer)
        };
        let calls = async {
            let client = Client::builder("amqp://nowhere").timeout(SECOND);
            let client = client.connect_over(ours).await.unwrap();
            let mut said = String::new();
            for _ in 0..8 {
                said = client.call("queue", vec![0; 1 << 20]).await.unwrap_err().to_string();
            }
            client.close().await;
            said
        };
        let (peer, said) = within(16 * SECOND, async { tokio::join!(script, calls) }).await;
        assert!(said.starts_with("no reply within 1s"), "{said}");
        drop(peer.unwrap());
        Outcome::said(said)
    });
}

//! Attacks with messages: frames of theirs out of order, bodies of the wrong size, and messages for
//! nobody.

use std::time::Duration;

use leveret::ReplyCode;
use leveret_codec::{Frame, basic, channel};
use tokio::sync::oneshot;

use crate::arena::{Outcome, attack, attack_within};
use crate::attacker::{Stage, short};
use crate::breach::{Breach, breach, tell};
use crate::duel::{VICTIMS, Victim};
use crate::octets::{body, deliver, frames, header};

// ---------------------------------------------------------------------- order

#[test]
fn a_header_without_a_method() {
    out_of_order(
        "header without method",
        [vec![header(1, 5)], vec![header(1, 0)], vec![deliver("tag"), header(1, 5), header(1, 5)]],
        "a content header where none was expected",
    );
}

#[test]
fn a_body_without_a_header() {
    out_of_order(
        "body without header",
        [vec![body(1, b"hello")], vec![body(1, b"")], vec![deliver("tag"), body(1, b"hello")]],
        "a content body where none was expected",
    );
}

#[test]
fn a_body_behind_a_message_of_none() {
    for victim in VICTIMS {
        attack("body frame behind an empty message", victim, async {
            let told = tell(victim, ReplyCode::UNEXPECTED_FRAME, async |peer| {
                // A message that is let pass: a late reply, a request that wants no answer.
                let message = [deliver(&peer.tag().to_string()), header(1, 0), body(1, b"!")];
                peer.send_bytes(frames(message)).await
            });
            let told = told.await;
            assert!(told.contains("a content body where none was expected"), "{told}");
            Outcome::told(ReplyCode::UNEXPECTED_FRAME, told)
        });
    }
}

#[test]
fn a_method_inside_content() {
    let methods = || {
        let consume_ok = basic::ConsumeOk { consumer_tag: short("tag") };
        [
            Frame::method(1, basic::QosOk {}),
            Frame::method(1, consume_ok),
            Frame::method(1, channel::Flow { active: true }),
            deliver("tag"),
        ]
    };
    let names = "a method where a content header was expected";
    let before_header = methods().map(|method| vec![deliver("tag"), method]);
    out_of_order("method instead of a header", before_header, names);
    let names = "a method where a content body was expected";
    let within_body =
        methods().map(|method| vec![deliver("tag"), header(1, 9), body(1, b"hell"), method]);
    out_of_order("method inside a body", within_body, names);
}

fn out_of_order<const N: usize>(name: &str, ways: [Vec<Frame>; N], names: &'static str) {
    let code = ReplyCode::UNEXPECTED_FRAME;
    breach(name, Stage::Working, ways.map(|way| Breach { octets: frames(way), code, names }));
}

// ---------------------------------------------------------------------- sizes

#[test]
fn a_body_of_all_the_octets_there_are() {
    let sizes = [u64::MAX, 1 << 63, (512 << 20) + 1];
    breach(
        "body size 2^64-1, 2^63, 512 MiB + 1",
        Stage::Working,
        sizes.map(|size| Breach {
            octets: frames([deliver("tag"), header(1, size)]),
            code: ReplyCode::FRAME_ERROR,
            names: "octets is announced, and no broker takes more than 536870912",
        }),
    );
}

/// What is held is what has come, not what was announced.
#[test]
fn a_body_of_128_mib_that_stops_after_a_megabyte() {
    for victim in VICTIMS {
        attack("128 MiB of body announced, 1 MiB sent", victim, async {
            let fate = victim.duel_with(Duration::from_millis(500), "", async |mut peer| {
                peer.behave(Stage::Working).await?;
                peer.send_bytes(frames([deliver("tag"), header(1, 128 << 20)])).await?;
                for _ in 0..256 {
                    peer.send_frame(body(1, &[0; 4096 - 8])).await?;
                }
                match victim {
                    // The call has a limit of time of its own.
                    Victim::Client => peer.expect_goodbye().await,
                    Victim::Server => peer.hang_up().await,
                }
            });
            let error = fate.await.unwrap_err();
            match victim {
                Victim::Client => assert_eq!(error, "no reply within 500ms"),
                Victim::Server => {
                    assert_eq!(error, "the connection was lost: the peer closed the socket");
                }
            }
            Outcome::said(error)
        });
    }
}

#[test]
fn a_body_longer_than_announced() {
    let ways = [
        vec![deliver("tag"), header(1, 5), body(1, b"hello!")],
        vec![deliver("tag"), header(1, 5), body(1, b"hell"), body(1, b"o!")],
        vec![deliver("tag"), header(1, 1), body(1, b""), body(1, &[0; 0x1_0000])],
    ];
    breach(
        "body longer than announced",
        Stage::Working,
        ways.map(|way| Breach {
            octets: frames(way),
            code: ReplyCode::FRAME_ERROR,
            names: "left of the body",
        }),
    );
}

/// Each is allowed, and costs the victim no more than a heartbeat. Who waits does so with a limit,
/// and can end it.
#[test]
fn empty_bodies_without_end() {
    for victim in VICTIMS {
        attack_within(Duration::from_secs(4), "empty bodies without end", victim, async {
            let fate = victim.duel_with(Duration::from_millis(500), "", async |mut peer| {
                peer.behave(Stage::Working).await?;
                let tag = peer.tag().to_string();
                peer.send_bytes(frames([deliver(&tag), header(1, 5)])).await?;
                let (enough, mut told) = oneshot::channel::<()>();
                let timer = tokio::spawn(async {
                    tokio::time::sleep(Duration::from_millis(600)).await;
                    drop(enough);
                });
                let empty = frames((0..8192).map(|_| body(1, b"")));
                while told.try_recv() == Err(oneshot::error::TryRecvError::Empty) {
                    peer.send_bytes(&empty).await?;
                    tokio::task::yield_now().await;
                }
                timer.await.unwrap();
                match victim {
                    Victim::Client => peer.expect_goodbye().await,
                    Victim::Server => {
                        peer.send_frame(body(1, b"hello")).await?;
                        peer.expect::<basic::Ack>(1).await?;
                        peer.expect_service().await
                    }
                }
            });
            let fate = fate.await;
            match victim {
                Victim::Client => {
                    let error = fate.unwrap_err();
                    assert_eq!(error, "no reply within 500ms");
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

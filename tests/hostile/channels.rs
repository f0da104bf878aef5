//! Attacks with channels: frames on the wrong one, and answers to nothing.

use leveret::{LongStr, ReplyCode};
use leveret_codec::{Frame, Method, basic, channel, confirm, connection, queue};

use crate::arena::{Outcome, attack};
use crate::attacker::{Stage, request, short};
use crate::breach::{Breach, assert_breach, breach};
use crate::duel::{VICTIMS, Victim};
use crate::octets::{body, frames, header, method};

#[test]
fn frames_on_a_channel_that_was_never_opened() {
    let on = |number| {
        [
            Frame::method(number, channel::OpenOk {}),
            Frame::method(number, channel::Close::default()),
            Frame::method(number, channel::CloseOk {}),
            Frame::method(number, basic::Deliver::default()),
            header(number, 5),
            body(number, b"hello"),
        ]
    };
    breach(
        "frame on an unopened channel",
        Stage::Working,
        [on(2), on(2047), on(65535)].into_iter().flatten().map(|frame| Breach {
            octets: frames([frame]),
            code: ReplyCode::CHANNEL_ERROR,
            names: "which is not open",
        }),
    );
}

#[test]
fn frames_on_a_channel_that_is_closed() {
    let behind = [
        Frame::method(1, basic::Deliver::default()),
        Frame::method(1, channel::CloseOk {}),
        Frame::method(1, channel::Close::default()),
        header(1, 5),
        body(1, b"hello"),
    ];
    for victim in VICTIMS {
        attack("frame on a closed channel (5 ways)", victim, async {
            let mut outcome = None;
            for frame in &behind {
                let mut told = String::new();
                let fate = victim.duel(async |mut peer| {
                    peer.behave(Stage::Working).await?;
                    if victim == Victim::Server {
                        // Until it has served, a queue that is refused is given up.
                        let tag = peer.tag();
                        peer.deliver(tag, 1, request("first"), "hello").await?;
                        peer.expect_answer("first").await?;
                    }
                    let close = Frame::method(1, channel::Close::default());
                    peer.send_bytes(frames([close, frame.clone()])).await?;
                    peer.expect::<channel::CloseOk>(1).await?;
                    told = peer.expect_close(ReplyCode::CHANNEL_ERROR).await?;
                    Ok(())
                });
                assert_breach(&fate.await.unwrap_err(), ReplyCode::CHANNEL_ERROR, &told);
                assert_eq!(told, "a frame on channel 1, which is not open");
                outcome = Some(Outcome::told(ReplyCode::CHANNEL_ERROR, told));
            }
            outcome.unwrap()
        });
    }
}

#[test]
fn content_on_channel_0() {
    breach(
        "content on channel 0",
        Stage::Working,
        [header(0, 5), body(0, b"hello")].map(|frame| Breach {
            octets: frames([frame]),
            code: ReplyCode::UNEXPECTED_FRAME,
            names: "content on channel 0",
        }),
    );
}

#[test]
fn frames_on_a_channel_during_the_handshake() {
    for stage in [Stage::Greeting, Stage::Login, Stage::Tuned] {
        breach(
            &format!("frame on channel 1 after {stage:?}"),
            stage,
            [Frame::method(1, channel::OpenOk {}), header(1, 5), body(1, b"hello")].map(|frame| {
                Breach {
                    octets: frames([frame]),
                    code: ReplyCode::UNEXPECTED_FRAME,
                    names: "a frame on channel 1 during the handshake",
                }
            }),
        );
    }
}

#[test]
fn methods_on_the_wrong_side_of_channel_0() {
    let wrong = "at the wrong moment or from the wrong side";
    let on_channel: [Method; 6] = [
        channel::OpenOk {}.into(),
        channel::Close::default().into(),
        channel::Flow { active: false }.into(),
        basic::ConsumeOk::default().into(),
        basic::Deliver::default().into(),
        queue::DeclareOk::default().into(),
    ];
    let on_connection: [Method; 6] = [
        connection::Start::default().into(),
        connection::Tune::default().into(),
        connection::OpenOk {}.into(),
        connection::Close::default().into(),
        connection::CloseOk {}.into(),
        connection::Blocked::default().into(),
    ];
    let wrongly = on_channel.map(|it| (0, it)).into_iter().chain(on_connection.map(|it| (1, it)));
    breach(
        "method of a channel on 0, of the connection on 1",
        Stage::Working,
        wrongly.map(|(number, wrongly)| Breach {
            octets: method(number, wrongly),
            code: ReplyCode::COMMAND_INVALID,
            names: wrong,
        }),
    );
}

#[test]
fn consume_ok_for_nothing() {
    nobody_asked(
        "consume-ok for nothing",
        ["replies", "", "another"].map(|tag| basic::ConsumeOk { consumer_tag: short(tag) }.into()),
        "basic.consume-ok that nobody asked for",
    );
}

#[test]
fn answers_to_what_was_never_asked() {
    nobody_asked(
        "answer to nothing",
        [
            queue::DeclareOk::default().into(),
            queue::DeleteOk::default().into(),
            basic::QosOk {}.into(),
            basic::CancelOk { consumer_tag: short("another") }.into(),
            basic::GetEmpty {}.into(),
            basic::RecoverOk {}.into(),
            basic::Ack { delivery_tag: u64::MAX, multiple: true }.into(),
            confirm::SelectOk {}.into(),
        ],
        "that nobody asked for",
    );
}

#[test]
fn answers_of_the_channel_to_what_was_never_asked() {
    nobody_asked(
        "channel.open-ok, close-ok, flow-ok for nothing",
        [
            channel::OpenOk {}.into(),
            channel::CloseOk {}.into(),
            channel::FlowOk { active: true }.into(),
        ],
        "at the wrong moment",
    );
}

/// What a broker alone gets: whoever answers it would be a broker.
#[test]
fn methods_that_only_a_client_sends() {
    let methods: [Method; 7] = [
        channel::Open {}.into(),
        queue::Declare::default().into(),
        basic::Qos::default().into(),
        basic::Consume::default().into(),
        basic::Publish::default().into(),
        basic::Reject { delivery_tag: 1, requeue: true }.into(),
        confirm::Select::default().into(),
    ];
    nobody_asked("method that only a client sends", methods, "from the wrong side");
}

/// More than anybody could read in a terminal.
#[test]
fn a_megabyte_of_login_mechanisms() {
    let mechanisms = LongStr::new(vec![b'X'; 1_000_000]).unwrap();
    let start = connection::Start { mechanisms, version_minor: 9, ..Default::default() };
    for victim in VICTIMS {
        attack("a megabyte of login mechanisms", victim, async {
            let fate = victim.duel(async |mut peer| {
                peer.expect_protocol_header().await?;
                peer.send(0, start.clone()).await?;
                peer.expect_end().await
            });
            let error = fate.await.unwrap_err();
            assert!(error.starts_with("the broker offers the login mechanisms \"XXX"), "{error}");
            assert!(error.len() < 1000, "{} octets of error", error.len());
            Outcome::said(error)
        });
    }
}

fn nobody_asked<const N: usize>(name: &str, methods: [Method; N], names: &'static str) {
    breach(
        name,
        Stage::Working,
        methods.map(|it| Breach { octets: method(1, it), code: ReplyCode::COMMAND_INVALID, names }),
    );
}

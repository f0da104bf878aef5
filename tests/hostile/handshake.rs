//! Attacks with the limits of the handshake, and with its order.

use std::time::Duration;

use leveret::broker::script::{Greeting, ScriptError};
use leveret::{LongStr, ReplyCode};
use leveret_codec::connection;

use crate::arena::{Outcome, attack};
use crate::attacker::{Attacker, Stage};
use crate::breach::{Breach, assert_breach, breach};
use crate::duel::VICTIMS;
use crate::octets::method;

const TIMEOUT: Duration = Duration::from_secs(30);

// ---------------------------------------------------------------------- limits

#[test]
fn frame_max_0_is_no_limit_and_ours_holds() {
    limits_are_served("frame-max 0", "", tune(2047, 0, 60), tune_ok(2047, 131_072, 60));
}

#[test]
fn frame_max_0_on_both_sides_is_the_default() {
    let uri = "/%2f?frame_max=0";
    limits_are_served(
        "frame-max 0 on both sides",
        uri,
        tune(2047, 0, 60),
        tune_ok(2047, 131_072, 60),
    );
}

#[test]
fn frame_max_1_leaves_no_room() {
    frame_max_is_refused(1);
}

#[test]
fn frame_max_4095_is_below_the_least_of_the_specification() {
    frame_max_is_refused(4095);
}

#[test]
fn frame_max_of_4_gib_is_not_ours() {
    let offered = tune(2047, u32::MAX, 60);
    limits_are_served("frame-max 2^32-1", "", offered, tune_ok(2047, 131_072, 60));
}

/// Who sets no limit of its own gets no buffer of four gigabytes either.
#[test]
fn frame_max_of_4_gib_where_we_have_no_limit() {
    let (uri, offered) = ("/%2f?frame_max=0", tune(2047, u32::MAX, 60));
    let agreed = tune_ok(2047, 1_048_576, 60);
    limits_are_served("frame-max 2^32-1, and none of ours", uri, offered, agreed);
}

#[test]
fn channel_max_0_is_no_limit_and_ours_holds() {
    limits_are_served("channel-max 0", "", tune(0, 131_072, 60), tune_ok(2047, 131_072, 60));
}

#[test]
fn channel_max_65535_is_not_ours() {
    limits_are_served(
        "channel-max 65535",
        "",
        tune(65535, 131_072, 60),
        tune_ok(2047, 131_072, 60),
    );
}

#[test]
fn heartbeat_0_takes_ours() {
    limits_are_served("heartbeat 0", "", tune(2047, 131_072, 0), tune_ok(2047, 131_072, 60));
}

#[test]
fn heartbeat_65535_takes_ours() {
    limits_are_served(
        "heartbeat 65535",
        "",
        tune(2047, 131_072, 65535),
        tune_ok(2047, 131_072, 60),
    );
}

#[test]
fn heartbeat_1_holds() {
    limits_are_served("heartbeat 1", "", tune(2047, 131_072, 1), tune_ok(2047, 131_072, 1));
}

/// Who wants a sign of life each second has to give one, too.
#[test]
fn heartbeat_1_and_then_silence() {
    for victim in VICTIMS {
        attack("heartbeat 1, and then silence", victim, async {
            let fate = victim.duel(async |mut peer| {
                agree(&mut peer, tune(2047, 131_072, 1), tune_ok(2047, 131_072, 1)).await?;
                peer.employ().await?;
                peer.expect_heartbeat().await?;
                peer.expect_end().await
            });
            let error = fate.await.unwrap_err();
            assert!(error.starts_with("the peer has been silent for 2 s"), "{error}");
            Outcome::said(error)
        });
    }
}

/// Whatever is offered, this is agreed on, and then the victim is served.
fn limits_are_served(
    name: &str,
    parameters: &str,
    offered: connection::Tune,
    agreed: connection::TuneOk,
) {
    for victim in VICTIMS {
        attack(name, victim, async {
            let fate = victim.duel_with(TIMEOUT, parameters, async |mut peer| {
                agree(&mut peer, offered.clone(), agreed.clone()).await?;
                peer.employ().await?;
                peer.expect_service().await
            });
            assert_eq!(fate.await, Ok(()));
            Outcome::served()
        });
    }
}

/// There is no code for this: the specification (4.2.3) has the one who cannot agree hang up.
fn frame_max_is_refused(frame_max: u32) {
    for victim in VICTIMS {
        attack(format!("frame-max {frame_max}"), victim, async {
            let fate = victim.duel(async |mut peer| {
                peer.greet(Greeting::default().start).await?;
                peer.send(0, tune(2047, frame_max, 60)).await?;
                peer.expect_end().await
            });
            let error = fate.await.unwrap_err();
            let expected = format!(
                "the smaller frame-max of both sides is {frame_max} octets; AMQP asks for 4096 or \
                 more"
            );
            assert_eq!(error, expected);
            Outcome::said(error)
        });
    }
}

async fn agree(
    peer: &mut Attacker,
    offered: connection::Tune,
    agreed: connection::TuneOk,
) -> Result<(), ScriptError> {
    peer.greet(Greeting::default().start).await?;
    peer.send(0, offered).await?;
    assert_eq!(peer.expect::<connection::TuneOk>(0).await?, agreed);
    peer.expect::<connection::Open>(0).await?;
    peer.send(0, connection::OpenOk {}).await
}

fn tune(channel_max: u16, frame_max: u32, heartbeat: u16) -> connection::Tune {
    connection::Tune { channel_max, frame_max, heartbeat }
}

fn tune_ok(channel_max: u16, frame_max: u32, heartbeat: u16) -> connection::TuneOk {
    connection::TuneOk { channel_max, frame_max, heartbeat }
}

// ---------------------------------------------------------------------- order

#[test]
fn a_second_start() {
    let start = Greeting::default().start;
    out_of_order("duplicate start", Stage::Login, method(0, start.clone()), "connection.start ");
    out_of_order("start after open-ok", Stage::Opened, method(0, start), "connection.start ");
}

#[test]
fn a_second_tune() {
    let tune = Greeting::default().tune;
    out_of_order("duplicate tune", Stage::Tuned, method(0, tune.clone()), "connection.tune ");
    out_of_order("tune after open-ok", Stage::Opened, method(0, tune), "connection.tune ");
}

#[test]
fn a_second_open_ok() {
    let open_ok = method(0, connection::OpenOk {});
    out_of_order("duplicate open-ok", Stage::Opened, open_ok, "connection.open-ok ");
}

#[test]
fn open_ok_before_its_time() {
    let open_ok = method(0, connection::OpenOk {});
    out_of_order(
        "open-ok instead of start",
        Stage::Greeting,
        open_ok.clone(),
        "connection.open-ok ",
    );
    out_of_order("open-ok instead of tune", Stage::Login, open_ok, "connection.open-ok ");
}

/// Credentials are given a second time, since none of our mechanisms needs more; but not a third.
#[test]
fn challenges_without_end() {
    let secure = connection::Secure { challenge: LongStr::from_static("and again?") };
    let twice = [method(0, secure.clone()), method(0, secure)].concat();
    for victim in VICTIMS {
        attack("connection.secure twice", victim, async {
            let mut told = String::new();
            let fate = victim.duel(async |mut peer| {
                peer.behave(Stage::Login).await?;
                peer.send_bytes(twice.clone()).await?;
                peer.expect::<connection::SecureOk>(0).await?;
                told = peer.expect_close(ReplyCode::COMMAND_INVALID).await?;
                Ok(())
            });
            let error = fate.await.unwrap_err();
            assert_breach(&error, ReplyCode::COMMAND_INVALID, &told);
            assert!(told.starts_with("connection.secure "), "{told}");
            Outcome::told(ReplyCode::COMMAND_INVALID, told)
        });
    }
}

fn out_of_order(name: &str, stage: Stage, octets: Vec<u8>, names: &'static str) {
    breach(name, stage, [Breach { octets, code: ReplyCode::COMMAND_INVALID, names }]);
}

//! [`Breach`]: octets that no peer may send, and what both ends are told of them.

use leveret::ReplyCode;
use leveret::broker::script::ScriptError;

use crate::arena::{Outcome, attack_in_ways};
use crate::attacker::{Attacker, Stage};
use crate::duel::{VICTIMS, Victim};

/// Octets that break the protocol, and what both ends are told.
pub(crate) struct Breach {
    pub(crate) octets: Vec<u8>,
    pub(crate) code: ReplyCode,
    /// Words that name it.
    pub(crate) names: &'static str,
}

/// Sends each breach to a client and a server of its own, which have come as far as the stage.
pub(crate) fn breach(name: &str, stage: Stage, breaches: impl IntoIterator<Item = Breach>) {
    let breaches: Vec<Breach> = breaches.into_iter().collect();
    for victim in VICTIMS {
        attack_in_ways(breaches.len(), name, victim, async {
            let mut outcome = None;
            for breach in &breaches {
                outcome = Some(break_once(victim, stage, breach).await);
            }
            outcome.expect("there is an attack")
        });
    }
}

async fn break_once(victim: Victim, stage: Stage, breach: &Breach) -> Outcome {
    let Breach { octets, code, names } = breach;
    let mut told = String::new();
    let fate = victim.duel(async |mut peer| {
        peer.behave(stage).await?;
        peer.send_bytes(octets).await?;
        told = peer.expect_close(*code).await?;
        Ok(())
    });
    let error = fate.await.expect_err("the victim ends");
    assert_breach(&error, *code, &told);
    assert!(told.contains(names), "{told}");
    Outcome::told(*code, told)
}

/// Behaves until there is work, has the attack made, and hears the victim close. What it said.
pub(crate) async fn tell(
    victim: Victim,
    code: ReplyCode,
    attack: impl AsyncFnOnce(&mut Attacker) -> Result<(), ScriptError>,
) -> String {
    let mut told = String::new();
    let fate = victim.duel(async |mut peer| {
        peer.behave(Stage::Working).await?;
        attack(&mut peer).await?;
        told = peer.expect_close(code).await?;
        Ok(())
    });
    assert_breach(&fate.await.unwrap_err(), code, &told);
    told
}

/// The user is told what the attacker was told, who may have been told less of it.
pub(crate) fn assert_breach(error: &str, code: ReplyCode, told: &str) {
    let expected = format!("the peer broke the AMQP protocol ({code}): {told}");
    assert!(error.starts_with(&expected), "{error:?} instead of {expected:?}");
}

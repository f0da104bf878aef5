//! Messages that cannot be read. A broker passes on headers that it can read itself, so whoever wrote
//! them is to blame, and not the connection: it goes on behind them.

use leveret::broker::script::ScriptError;
use leveret_codec::basic;

use crate::arena::{Outcome, attack_in_ways};
use crate::attacker::{Attacker, Stage};
use crate::duel::{VICTIMS, Victim};
use crate::octets::{HEADER, HEADERS_AND_CORRELATION_ID, header_with_fields, method, raw};

/// Sends a message with each of these fields as its headers to a client and a server of its own: the
/// client's call ends by it, the server rejects it and serves the next.
pub(crate) fn headers_are_unreadable(name: &str, headers: &[Vec<u8>], names: &'static str) {
    for victim in VICTIMS {
        let name = format!("{name}, in headers");
        attack_in_ways(headers.len(), name, victim, async {
            let mut said = String::new();
            for fields in headers {
                said = send_once(victim, fields, names).await;
            }
            Outcome::said(said)
        });
    }
}

async fn send_once(victim: Victim, fields: &[u8], names: &str) -> String {
    let fate = victim.duel(async |mut peer| {
        peer.behave(Stage::Working).await?;
        let correlation_id = match &peer.request {
            Some(request) => request.properties.correlation_id.clone().expect("it has one"),
            None => peer.tag(),
        };
        let mut header = header_with_fields(0, fields.len(), fields);
        header[12] = HEADERS_AND_CORRELATION_ID;
        header.push(u8::try_from(correlation_id.len()).unwrap());
        header.extend_from_slice(correlation_id.as_bytes());
        deliver(&mut peer, &header).await?;
        match victim {
            Victim::Client => peer.expect_goodbye().await,
            Victim::Server => {
                let reject = peer.expect::<basic::Reject>(1).await?;
                assert_eq!(reject, basic::Reject { delivery_tag: 7, requeue: false });
                peer.expect_service().await
            }
        }
    });
    match (victim, fate.await) {
        (Victim::Client, Err(error)) => {
            let unreadable = "the reply was not taken: its headers cannot be read: ";
            assert!(error.starts_with(unreadable) && error.contains(names), "{error}");
            error
        }
        (Victim::Server, Ok(())) => "rejected, and the next served".into(),
        (_, fate) => panic!("{victim}: {fate:?}"),
    }
}

/// A content header of any size with nothing behind it. A client cannot know which call it is about.
pub(crate) fn header_is_read_past(name: &str, header: &[u8]) {
    for victim in VICTIMS {
        attack_in_ways(1, name, victim, async {
            let fate = victim.duel(async |mut peer| {
                peer.behave(Stage::Working).await?;
                deliver(&mut peer, header).await?;
                if victim == Victim::Server {
                    peer.expect::<basic::Reject>(1).await?;
                }
                peer.expect_service().await
            });
            assert_eq!(fate.await, Ok(()));
            Outcome::said("read past, and the next served")
        });
    }
}

async fn deliver(peer: &mut Attacker, header: &[u8]) -> Result<(), ScriptError> {
    let consumer_tag = peer.tag();
    let deliver = basic::Deliver { consumer_tag, delivery_tag: 7, ..basic::Deliver::default() };
    peer.send_bytes([method(1, deliver), raw(HEADER, 1, header)].concat()).await
}

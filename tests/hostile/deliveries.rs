//! Attacks with messages for nobody, and with too many.

use std::time::Duration;

use leveret::{BasicProperties, ReplyCode, ShortStr};
use leveret_codec::{ContentHeader, Frame, basic};

use crate::arena::{Outcome, attack, attack_within};
use crate::attacker::{Attacker, Stage, request, short};
use crate::breach::{Breach, breach, tell};
use crate::duel::{VICTIMS, Victim};
use crate::octets::{body, deliver, frames, header};

#[test]
fn a_delivery_for_an_unknown_tag() {
    let tags = ["", "somebody else", "Replies"];
    breach(
        "deliver for an unknown tag",
        Stage::Working,
        tags.map(|tag| Breach {
            octets: frames([deliver(tag), header(1, 0)]),
            code: ReplyCode::COMMAND_INVALID,
            names: "basic.deliver for a consumer that does not exist",
        }),
    );
}

#[test]
fn messages_that_nobody_asked_for() {
    let get_ok = basic::GetOk::default();
    breach(
        "get-ok for no get",
        Stage::Working,
        [Breach {
            octets: frames([Frame::method(1, get_ok), header(1, 0)]),
            code: ReplyCode::COMMAND_INVALID,
            names: "basic.get-ok that nobody asked for",
        }],
    );
}

/// A client may have given up before, so these are counted and dropped; a server has not published
/// anything that could come back.
#[test]
fn returns_of_what_was_never_published() {
    for victim in VICTIMS {
        attack("return of what was never published", victim, async {
            let returned = || {
                async |peer: &mut Attacker| {
                    let correlation_id = Some(ShortStr::new(vec![0xff; 255]).unwrap());
                    let properties =
                        BasicProperties { correlation_id, ..BasicProperties::default() };
                    let returned =
                        basic::Return { reply_code: ReplyCode::NO_ROUTE, ..Default::default() };
                    peer.send_content(1, returned, properties, "never sent").await
                }
            };
            match victim {
                Victim::Client => {
                    let fate = victim.duel(async |mut peer| {
                        peer.behave(Stage::Working).await?;
                        returned()(&mut peer).await?;
                        peer.expect_service().await
                    });
                    assert_eq!(fate.await, Ok(()));
                    Outcome::served()
                }
                Victim::Server => {
                    let told = tell(victim, ReplyCode::COMMAND_INVALID, returned()).await;
                    assert_eq!(told, "basic.return that nobody asked for");
                    Outcome::told(ReplyCode::COMMAND_INVALID, told)
                }
            }
        });
    }
}

/// A server holds twice its prefetch, and no more.
#[test]
fn deliveries_without_end() {
    let victim = Victim::Server;
    attack("deliveries beyond the prefetch", victim, async {
        let told = tell(victim, ReplyCode::COMMAND_INVALID, async |peer| {
            let tag = peer.tag().to_string();
            // They come in one read, before any of them is answered.
            let message = [deliver(&tag), header(1, 0)];
            peer.send_bytes(frames((0..257).flat_map(|_| message.clone()))).await
        });
        let told = told.await;
        assert_eq!(told, "twice as many deliveries as the prefetch of 128");
        Outcome::told(ReplyCode::COMMAND_INVALID, told)
    });
}

/// What fits none of the calls under way is counted, and gone.
#[test]
fn a_flood_of_replies_to_calls_never_made() {
    let victim = Victim::Client;
    attack_within(Duration::from_secs(6), "100,000 replies to calls never made", victim, async {
        let fate = victim.duel(async |mut peer| {
            peer.behave(Stage::Working).await?;
            let tag = peer.tag();
            let properties = |id: u64| BasicProperties {
                correlation_id: Some(short(&format!("{id:032x}"))),
                ..request("")
            };
            for batch in 0..1000 {
                let replies = (0..100).flat_map(|number| {
                    let header = ContentHeader {
                        body_size: 5,
                        properties: properties(batch * 100 + number),
                    };
                    [
                        deliver(&tag.to_string()),
                        Frame::Header { channel: 1, header },
                        body(1, b"never"),
                    ]
                });
                peer.send_bytes(frames(replies)).await?;
            }
            peer.expect_service().await
        });
        assert_eq!(fate.await, Ok(()));
        Outcome::served()
    });
}

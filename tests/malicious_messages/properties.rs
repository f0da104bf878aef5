//! Properties of any octets, which a handler may send back without a thought.

use leveret::{BasicProperties, ReplyCode, ShortStr};

use super::attack::Victim;

fn short(octets: impl Into<Vec<u8>>) -> Option<ShortStr> {
    Some(ShortStr::new(octets.into()).unwrap())
}

/// All properties but those that the broker checks, all with this text.
fn all(text: &[u8]) -> BasicProperties {
    BasicProperties {
        content_type: short(text),
        content_encoding: short(text),
        correlation_id: short(text),
        message_id: short(text),
        message_type: short(text),
        app_id: short(text),
        cluster_id: short(text),
        ..BasicProperties::default()
    }
}

#[tokio::test]
async fn properties_of_any_octets_come_back() {
    let mut victim = Victim::new("octets").await;
    let octets: Vec<u8> = (0..=255).collect();
    for text in [&b""[..], &[0], &[0xff; 255], &octets[..255], &octets[1..], b"../../etc\r\n"] {
        let reply = victim.ask(all(text), b"body").await;
        assert_eq!(reply.properties, BasicProperties { delivery_mode: Some(1), ..all(text) });
    }
    victim.serves_the_next().await;
}

#[tokio::test]
async fn numbers_at_their_limits_come_back() {
    let mut victim = Victim::new("numbers").await;
    // 3.10 takes no other delivery mode.
    let modes = if victim.broker.at_least(4, 0) { &[0, 1, 2, 3, 255][..] } else { &[1, 2] };
    let numbers = [(0, 0), (1, 1), (2, u64::MAX >> 1), (3, 1 << 63), (255, u64::MAX)];
    for (mode, (priority, timestamp)) in modes.iter().cycle().zip(numbers) {
        let properties = BasicProperties {
            delivery_mode: Some(*mode),
            priority: Some(priority),
            timestamp: Some(timestamp),
            ..BasicProperties::default()
        };
        let reply = victim.ask(properties.clone(), b"body").await;
        let BasicProperties { priority, timestamp, .. } = reply.properties;
        assert_eq!((priority, timestamp), (properties.priority, properties.timestamp));
    }
    victim.serves_the_next().await;
}

/// The attacker's own, which the broker checks, and which are none of the server's.
#[tokio::test]
async fn the_user_of_a_request_is_not_sent_back() {
    let mut victim = Victim::new("user").await;
    let user_id = short(victim.broker.user.clone());
    let reply = victim.ask(BasicProperties { user_id, ..Default::default() }, b"body").await;
    assert_eq!(reply.properties.user_id, None);

    victim.attacker.open_channel(2).await;
    let user_id = short("somebody");
    let foreign = BasicProperties { user_id, ..victim.asking() };
    victim.attacker.publish(2, &victim.queue, foreign, b"body").await;
    let text = format!(
        "PRECONDITION_FAILED - user_id property set to 'somebody' but authenticated user was '{}'",
        victim.broker.user
    );
    let code = ReplyCode::PRECONDITION_FAILED;
    victim.attacker.expect_channel_close(2, code, &text, (60, 40)).await;
    assert_eq!(victim.serves_the_next().await.requests, 2);
}

//! What takes an operator: users, alarms, forced closes. These tests run `rabbitmqctl`.

use std::time::Duration;

use leveret_codec::{BasicProperties, ReplyCode, basic, connection};

use super::roles::{consume_replies, queue_in_vhost, request_properties};
use crate::support::broker::{Broker, unique};
use crate::support::operator::{MemoryAlarm, User, VirtualHost};
use crate::support::wire::Handshake;

/// A user who may publish to the default exchange, and nothing else.
#[tokio::test]
async fn item_13_the_reply_consumer_needs_no_permission() {
    let broker = Broker::shared().await;
    let user = User::new(&broker, "^$", "^amq\\.default$", "^$");
    let mut wire = user.connect(&broker).await;
    wire.open_channel(1).await;
    consume_replies(&mut wire, 1).await;
    let publish =
        basic::Publish { routing_key: unique("missing"), mandatory: true, ..Default::default() };
    wire.send_content(1, publish, request_properties("1"), b"").await;
    wire.expect_content::<basic::Return>(1).await;

    // An ordinary queue is out of reach.
    let queue = unique("forbidden");
    let declare =
        leveret_codec::queue::Declare { queue: queue.clone(), durable: true, ..Default::default() };
    wire.send(1, declare).await;
    let verb = if broker.at_least(4, 0) { "configure access" } else { "access" };
    let text = format!(
        "ACCESS_REFUSED - {verb} to {} refused for user '{}'",
        queue_in_vhost(&broker, &queue),
        user.name
    );
    wire.expect_channel_close(1, ReplyCode::ACCESS_REFUSED, &text, (50, 10)).await;
    wire.close().await;
}

#[tokio::test]
async fn item_13_requests_need_the_permission_to_write() {
    let broker = Broker::shared().await;
    let user = User::new(&broker, "^$", "^$", "^$");
    let mut wire = user.connect(&broker).await;
    wire.open_channel(1).await;
    consume_replies(&mut wire, 1).await;
    wire.publish(1, &unique("missing"), request_properties("1"), b"").await;
    let verb = if broker.at_least(4, 0) { "write access" } else { "access" };
    let text = format!(
        "ACCESS_REFUSED - {verb} to exchange 'amq.default' in vhost '{}' refused for user '{}'",
        broker.virtual_host, user.name
    );
    wire.expect_channel_close(1, ReplyCode::ACCESS_REFUSED, &text, (60, 40)).await;
    wire.close().await;
}

#[tokio::test]
async fn item_06_a_forbidden_virtual_host_is_530() {
    let broker = Broker::shared().await;
    let user = User::without_permissions();
    let wire = user.handshake(&broker).until_open(broker.tcp().await).await;
    let text = format!(
        "NOT_ALLOWED - access to vhost '{}' refused for user '{}'",
        broker.virtual_host, user.name
    );
    wire.expect_connection_close(ReplyCode::NOT_ALLOWED, &text, (10, 40)).await;
}

/// The alarm is for all publishers, so nobody else may be there.
#[tokio::test]
async fn item_41_a_publisher_is_blocked_and_not_read_until_the_alarm_is_over() {
    let broker = Broker::exclusive().await;
    let mut publisher = broker.channel().await;
    let mut idle = broker.channel().await;
    let alarm = MemoryAlarm::raise();

    let properties = BasicProperties::default;
    publisher.publish(1, &unique("missing"), properties(), b"one too many").await;
    let blocked: connection::Blocked = publisher.expect(0).await;
    assert_eq!(blocked.reason, "low on memory");
    // Who publishes nothing is not blocked, and hears nothing.
    idle.expect_silence(1).await;

    // Sent now, read when the alarm is over: the answer comes after `unblocked`.
    publisher.send(1, basic::Qos::default()).await;
    publisher.expect_nothing_for(Duration::from_millis(300)).await;
    drop(alarm);
    let connection::Unblocked {} = publisher.expect(0).await;
    let basic::QosOk {} = publisher.expect(1).await;
    publisher.close().await;
    idle.expect_silence(1).await;
    idle.close().await;
}

/// Without the capability the publisher is blocked too, but has to find out.
#[tokio::test]
async fn item_41_a_publisher_that_cannot_hear_of_it_is_blocked_in_silence() {
    let broker = Broker::exclusive().await;
    let handshake = Handshake { capabilities: &[], ..Handshake::new(&broker) };
    let mut publisher = handshake.open(broker.tcp().await).await;
    publisher.open_channel(1).await;
    let alarm = MemoryAlarm::raise();
    publisher.publish(1, &unique("missing"), BasicProperties::default(), b"one too many").await;
    publisher.send(1, basic::Qos::default()).await;
    publisher.expect_nothing_for(Duration::from_millis(300)).await;
    assert!(Broker::ctl(&["list_connections", "state"]).contains("blocked"));
    drop(alarm);
    let basic::QosOk {} = publisher.expect(1).await;
    publisher.close().await;
}

#[tokio::test]
async fn item_43_an_operator_closes_with_320() {
    let broker = Broker::shared().await;
    // A virtual host of its own: the operator closes all connections of one.
    let virtual_host = VirtualHost::new(&broker);
    let handshake =
        Handshake { virtual_host: virtual_host.name.clone(), ..Handshake::new(&broker) };
    let wire = handshake.open(broker.tcp().await).await;
    let close = ["close_all_connections", "--vhost", &virtual_host.name, "maintenance"];
    Broker::ctl(&close);
    let text = "CONNECTION_FORCED - maintenance";
    wire.expect_connection_close(ReplyCode::CONNECTION_FORCED, text, (0, 0)).await;
}

/// Whether a queue is there, 4.3 tells only to who may do something with it.
#[tokio::test]
async fn a_passive_declare_needs_a_permission_from_4_3_on() {
    let broker = Broker::shared().await;
    let mut owner = broker.channel().await;
    let queue = super::roles::declare(&mut owner, 1, "guarded").await;
    let passive =
        leveret_codec::queue::Declare { queue: queue.clone(), passive: true, ..Default::default() };
    for (read, permitted) in [(".*", true), ("^$", !broker.at_least(4, 3))] {
        let user = User::new(&broker, "^$", "^$", read);
        let mut wire = user.connect(&broker).await;
        wire.open_channel(1).await;
        if permitted {
            wire.call::<leveret_codec::queue::DeclareOk>(1, passive.clone()).await;
        } else {
            wire.send(1, passive.clone()).await;
            let text = format!(
                "ACCESS_REFUSED - configure access to {} refused for user '{}'",
                queue_in_vhost(&broker, &queue),
                user.name
            );
            wire.expect_channel_close(1, ReplyCode::ACCESS_REFUSED, &text, (50, 10)).await;
        }
        wire.close().await;
    }
    owner.close().await;
}

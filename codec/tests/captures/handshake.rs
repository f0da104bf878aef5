//! What the broker says before anything else.

use leveret_codec::{FieldTable, FieldValue, Frame, Method, connection};

use super::{VERSIONS, frames};

#[test]
fn the_broker_introduces_itself() {
    for (version, full_version, mechanisms) in
        [("3.10", "3.10.8", "AMQPLAIN PLAIN"), ("4.3", "4.3.6", "AMQPLAIN ANONYMOUS PLAIN")]
    {
        let frames = frames(version, "1-server");
        let Some(Frame::Method { channel: 0, method: Method::ConnectionStart(start) }) =
            frames.first()
        else {
            panic!("{:?}", frames.first());
        };
        assert_eq!((start.version_major, start.version_minor), (0, 9));
        // Their order differs from start to start.
        let offered = start.mechanisms.to_string();
        let mut offered: Vec<_> = offered.split(' ').collect();
        offered.sort_unstable();
        assert_eq!(offered.join(" "), mechanisms);
        assert_eq!(start.locales, "en_US");
        assert_eq!(text(&start.server_properties, "product"), "RabbitMQ");
        assert_eq!(text(&start.server_properties, "version"), full_version);

        let Some(FieldValue::Table(capabilities)) = start.server_properties.get("capabilities")
        else {
            panic!("{:?}", start.server_properties);
        };
        let names: Vec<_> = capabilities.iter().map(|(name, _)| name.to_string()).collect();
        assert_eq!(
            names,
            [
                "publisher_confirms",
                "exchange_exchange_bindings",
                "basic.nack",
                "consumer_cancel_notify",
                "connection.blocked",
                "consumer_priorities",
                "authentication_failure_close",
                "per_consumer_qos",
                "direct_reply_to",
            ]
        );
        assert!(capabilities.iter().all(|(_, value)| value == FieldValue::Bool(true)));
    }
}

#[test]
fn the_broker_offers_its_limits() {
    let tune = connection::Tune { channel_max: 2047, frame_max: 131_072, heartbeat: 60 };
    for version in VERSIONS {
        assert_eq!(frames(version, "1-server")[1], Frame::method(0, tune.clone()));
    }
}

fn text(table: &FieldTable, name: &str) -> String {
    table.get(name).unwrap().as_str().unwrap().to_owned()
}

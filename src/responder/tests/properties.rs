//! The properties of a reply are its handler's, but for those that would do harm.

use super::*;

/// What becomes of a reply with these properties.
#[track_caller]
fn sent(properties: BasicProperties) -> BasicProperties {
    let mut server = Server::serving(1);
    let pending = server.asked(1, 5);
    server.answer(
        pending,
        Answer::Reply(Reply { body: Bytes::from("reply"), properties: properties.into() }),
    );
    server.engine_replies(1, 5).properties
}

/// What every reply has.
fn basics() -> BasicProperties {
    BasicProperties {
        correlation_id: Some(short("17")),
        delivery_mode: Some(1),
        ..BasicProperties::default()
    }
}

#[test]
fn what_the_handler_chose_stays() {
    let mut headers = FieldTable::new();
    headers.insert("took", 7i32).unwrap();
    let chosen = BasicProperties {
        content_type: Some(short("application/json")),
        content_encoding: Some(short("gzip")),
        headers: Some(headers),
        delivery_mode: Some(2),
        priority: Some(3),
        correlation_id: Some(short("17")),
        reply_to: Some(short("another queue")),
        expiration: Some(short("99999999999")),
        message_id: Some(short("message")),
        timestamp: Some(1_700_000_000),
        message_type: Some(short("answer")),
        user_id: None,
        app_id: Some(short("app")),
        cluster_id: Some(short("cluster")),
    };
    assert_eq!(sent(chosen.clone()), chosen);
}

#[test]
fn the_correlation_id_is_the_requests() {
    let other = BasicProperties { correlation_id: Some(short("x")), ..BasicProperties::default() };
    assert_eq!(sent(other), basics());
}

#[test]
fn the_user_of_the_request_is_not_passed_off_as_the_servers() {
    let other = BasicProperties { user_id: Some(short("alice")), ..BasicProperties::default() };
    assert_eq!(sent(other), basics());
}

#[test]
fn a_reply_address_without_a_consumer_is_left_out() {
    let pseudo_queue = short("amq.rabbitmq.reply-to");
    let own = BasicProperties { reply_to: Some(pseudo_queue), ..BasicProperties::default() };
    assert_eq!(sent(own), basics());
    // Another's does no harm.
    let address = Some(short("another"));
    let another = BasicProperties { reply_to: address, ..BasicProperties::default() };
    assert_eq!(sent(another.clone()), BasicProperties { reply_to: another.reply_to, ..basics() });
}

/// To the queue of a server, it would be a request for one more.
#[test]
fn a_reply_does_not_ask_for_a_reply_to_where_it_goes() {
    let echoed =
        BasicProperties { reply_to: Some(short(REPLY_ADDRESS)), ..BasicProperties::default() };
    assert_eq!(sent(echoed), basics());
}

#[test]
fn an_expiration_that_the_broker_refuses_is_left_out() {
    let bad: [&[u8]; 8] = [b"", b"soon", b"-1", b"1.5", b"1000 ", b"+1", b"\xff", b"999999999999"];
    for expiration in bad {
        let expiration = Some(short(expiration));
        let properties = BasicProperties { expiration, ..BasicProperties::default() };
        assert_eq!(sent(properties.clone()), basics(), "{:?}", properties.expiration);
    }
    for expiration in ["0", "1", "60000"] {
        let expiration = Some(short(expiration));
        let properties = BasicProperties { expiration: expiration.clone(), ..Default::default() };
        assert_eq!(sent(properties), BasicProperties { expiration, ..basics() });
    }
}

/// From 4.0 on, RabbitMQ passes on any octet. 3.10 closes the channel over it.
#[test]
fn a_delivery_mode_that_is_none_is_left_out() {
    for mode in [0, 3, 255] {
        let properties = BasicProperties { delivery_mode: Some(mode), ..Default::default() };
        assert_eq!(sent(properties), basics());
    }
    let durable = BasicProperties { delivery_mode: Some(2), ..basics() };
    assert_eq!(sent(durable.clone()), durable);
}

#[test]
fn a_handler_may_echo_its_request() {
    let mut server = Server::serving(1);
    let request = BasicProperties {
        user_id: Some(short("alice")),
        message_id: Some(short("message")),
        expiration: Some(short("30000")),
        delivery_mode: Some(1),
        ..asking()
    };
    server.delivers(1, 5, &request, "request");
    let Arrived { request: Request { body, properties, .. }, pending, .. } = server.takes();
    server.answer(pending, Answer::Reply(Reply { body, properties }));
    let Published { properties, body, .. } = server.engine_replies(1, 5);
    assert_eq!(properties, BasicProperties { user_id: None, reply_to: None, ..request });
    assert_eq!(body, b"request");
}

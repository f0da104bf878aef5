//! From answers to replies: first the reply, then the end of the request.

use super::*;

/// What is sent for an answer to a request with these properties, the end of the request aside.
#[track_caller]
fn answered(properties: &BasicProperties, answer: Answer) -> Published {
    let mut server = Server::serving(1);
    server.delivers(1, 5, properties, "request");
    let Arrived { pending, .. } = server.takes();
    server.answer(pending, answer);
    let published = server.published(1);
    assert!(matches!(server.method(1), Method::BasicAck(_) | Method::BasicReject(_)));
    server.engine_is_silent();
    published
}

#[test]
fn a_reply_goes_to_its_address_and_the_request_is_acknowledged_after_it() {
    let mut server = Server::serving(1);
    let pending = server.asked(1, 5);
    server.engine_is_silent();
    server.answer(pending, reply("reply"));
    let Published { method, properties, body } = server.published(1);
    assert_eq!(
        method,
        basic::Publish {
            exchange: ShortStr::EMPTY,
            routing_key: short(REPLY_ADDRESS),
            mandatory: false,
            immediate: false,
        }
    );
    assert_eq!(
        properties,
        BasicProperties {
            correlation_id: Some(short("17")),
            delivery_mode: Some(1),
            ..BasicProperties::default()
        }
    );
    assert_eq!(body, b"reply");
    server.engine_sends(on(1, basic::Ack { delivery_tag: 5, multiple: false }));
    server.engine_is_silent();
    let expected = ServerStats { requests: 1, replies: 1, ..ServerStats::default() };
    assert_eq!(server.engine.stats(), expected);
}

#[test]
fn a_reply_address_is_opaque() {
    let addresses: [&[u8]; 5] = [
        b"amq.direct.reply-to.some-consumer-tag",
        b"the name of a queue",
        b"\xff\xfe\x00 no text",
        &[0xff; 255],
        b"x",
    ];
    for address in addresses {
        let asking = BasicProperties { reply_to: Some(short(address)), ..asking() };
        let Published { method, .. } = answered(&asking, reply("reply"));
        assert_eq!(method.routing_key.as_bytes(), address);
        assert_eq!(method.exchange, "");
    }
}

#[test]
fn a_correlation_id_is_echoed_as_it_is() {
    let octets: Vec<u8> = (0..=254).map(|octet: u8| octet.wrapping_mul(7)).collect();
    for id in [None, Some(short("")), Some(short(octets)), Some(short([0; 255]))] {
        let asking = BasicProperties { correlation_id: id.clone(), ..asking() };
        let answers = [
            reply("reply"),
            Answer::Fault(Fault::new("code", "message")),
            Answer::Panic("message".to_string()),
        ];
        for answer in answers {
            assert_eq!(answered(&asking, answer).properties.correlation_id, id);
        }
    }
}

#[test]
fn a_reply_without_a_body_has_none() {
    assert_eq!(answered(&asking(), Answer::Reply(Reply::default())).body, b"");
}

#[test]
fn a_fault_travels_in_headers_and_the_request_is_acknowledged() {
    let mut server = Server::serving(1);
    let pending = server.asked(1, 5);
    let fault = Fault::new("not-found", "no such user").with_body("details");
    server.answer(pending, Answer::Fault(fault));
    let Published { method, properties, body } = server.engine_replies(1, 5);
    assert_eq!((method.exchange, method.routing_key), (short(""), short(REPLY_ADDRESS)));
    let headers = properties.headers.unwrap();
    assert_eq!(headers.get("rpc-error-code"), Some(text("not-found")));
    assert_eq!(headers.get("rpc-error"), Some(text("no such user")));
    assert_eq!(headers.iter().count(), 2);
    assert_eq!(properties.correlation_id.unwrap(), "17");
    assert_eq!(body, b"details");
    let expected = ServerStats { requests: 1, faults: 1, ..ServerStats::default() };
    assert_eq!(server.engine.stats(), expected);
}

#[test]
fn a_panic_is_a_fault_and_the_request_is_rejected() {
    let mut server = Server::serving(1);
    let pending = server.asked(1, 5);
    server.answer(pending, Answer::Panic("index out of bounds".to_string()));
    let headers = server.published(1).properties.headers.unwrap();
    assert_eq!(headers.get("rpc-error-code"), Some(text("panic")));
    assert_eq!(headers.get("rpc-error"), Some(text("index out of bounds")));
    server.engine_sends(on(1, basic::Reject { delivery_tag: 5, requeue: false }));
    server.engine_is_silent();
    let expected = ServerStats { requests: 1, faults: 1, panics: 1, ..ServerStats::default() };
    assert_eq!(server.engine.stats(), expected);
}

#[test]
fn without_an_address_there_is_no_reply() {
    let addresses = [None, Some(ShortStr::EMPTY)];
    for reply_to in addresses {
        let properties = BasicProperties { reply_to, ..asking() };
        let mut server = Server::serving(1);
        for delivery_tag in 1..=3 {
            server.delivers(1, delivery_tag, &properties, "notice");
        }
        let [one, two, three] = [(); 3].map(|()| server.takes().pending);
        server.answer(one, reply("unwanted"));
        server.engine_acks(1, 1);
        server.answer(two, Answer::Fault(Fault::new("unwanted", "")));
        server.engine_acks(1, 2);
        server.answer(three, Answer::Panic("unwanted".to_string()));
        server.engine_sends(on(1, basic::Reject { delivery_tag: 3, requeue: false }));
        server.engine_is_silent();
        assert_eq!(server.engine.stats().without_reply_to, 3);
        assert_eq!(server.engine.stats().panics, 1);
    }
}

#[test]
fn answers_come_in_any_order_and_each_goes_where_it_belongs() {
    let mut server = Server::serving(3);
    let mut pending = Vec::new();
    for (channel, delivery_tag) in [(1, 1), (2, 1), (1, 2), (3, 1), (2, 2)] {
        let caller = short(format!("{channel}/{delivery_tag}"));
        let properties = BasicProperties {
            reply_to: Some(caller.clone()),
            correlation_id: Some(caller),
            ..BasicProperties::default()
        };
        server.delivers(channel, delivery_tag, &properties, "request");
        pending.push((channel, delivery_tag, server.takes().pending));
    }
    for index in [3, 0, 2, 0, 0] {
        let (channel, delivery_tag, pending) = pending.remove(index);
        let caller = format!("{channel}/{delivery_tag}");
        server.answer(pending, Answer::Reply(Reply::from(caller.clone())));
        let Published { method, properties, body } = server.engine_replies(channel, delivery_tag);
        assert_eq!(method.routing_key, *caller);
        assert_eq!(properties.correlation_id.unwrap(), *caller);
        assert_eq!(body, caller.as_bytes());
        server.engine_is_silent();
    }
}

/// Up to RabbitMQ 4.0 a forged reply address ends the connection of whoever replies to it: it
/// shall not go on to do so to every other server.
#[test]
fn a_request_that_was_delivered_before_is_acknowledged_first() {
    for panicked in [false, true] {
        let mut server = Server::serving(1);
        let deliver = basic::Deliver { redelivered: true, ..delivery(1, 5) };
        server.broker_sends_at_once(message(1, deliver, &asking(), b"request"));
        let Arrived { pending, .. } = server.takes();
        if panicked {
            server.answer(pending, Answer::Panic("again".to_string()));
            server.engine_sends(on(1, basic::Reject { delivery_tag: 5, requeue: false }));
        } else {
            server.answer(pending, reply("reply"));
            server.engine_acks(1, 5);
        }
        server.published(1);
        server.engine_is_silent();
    }
}

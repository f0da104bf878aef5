//! From deliveries to requests.

use super::*;

#[test]
fn a_delivery_is_a_request_as_it_came() {
    let mut headers = FieldTable::new();
    headers.insert("tenant", "blue").unwrap();
    let properties = BasicProperties {
        content_type: Some(short("text/plain")),
        headers: Some(headers),
        expiration: Some(short("30000")),
        ..asking()
    };
    let mut server = Server::serving(1);
    let deliver = basic::Deliver {
        consumer_tag: tag(1),
        delivery_tag: 0x0102_0304_0506_0708,
        redelivered: true,
        exchange: short("exchange"),
        routing_key: short("routing.key"),
    };
    server.broker_sends_at_once(message(1, deliver, &properties, b"body"));
    let Arrived { queue, request, deadline, pending } = server.takes();
    assert_eq!(deadline, Some(server.now().after(seconds(30))));
    assert_eq!(queue, 0);
    assert_eq!(request.header("tenant"), Some(text("blue")));
    assert_eq!(
        request,
        Request {
            body: Bytes::from("body"),
            properties: properties.into(),
            exchange: short("exchange"),
            routing_key: short("routing.key"),
            redelivered: true,
            time_left: Some(seconds(30)),
        }
    );
    server.has_no_request();
    server.answer(pending, reply("reply"));
    server.engine_acks(1, 0x0102_0304_0506_0708);
    server.published(1);
}

#[test]
fn a_request_may_be_empty() {
    let mut server = Server::serving(1);
    server.delivers(1, 1, &BasicProperties::default(), "");
    let Arrived { request, pending, .. } = server.takes();
    assert_eq!(request, Request { routing_key: short("1"), ..Request::default() });
    server.answer(pending, reply("nobody asked"));
    server.engine_acks(1, 1);
    server.engine_is_silent();
}

#[test]
fn requests_come_in_order_and_name_their_queue() {
    let mut server = Server::serving(3);
    let arrivals = [(2, 1, "a"), (1, 1, "b"), (3, 1, "c"), (2, 2, "d"), (1, 2, "e"), (1, 3, "f")];
    for (channel, delivery_tag, body) in arrivals {
        server.delivers(channel, delivery_tag, &asking(), body);
    }
    for (channel, _, body) in arrivals {
        let Arrived { queue, request, .. } = server.takes();
        assert_eq!((queue, request.text()), (usize::from(channel) - 1, Ok(body)));
        assert_eq!(request.routing_key, *channel.to_string());
    }
    server.has_no_request();
}

#[test]
fn no_more_requests_run_at_a_time_than_the_prefetch_says() {
    let options = QueueOptions { prefetch: 2, ..queue("1") };
    let mut server = Server::serving_from(RABBITMQ, &[options]);
    let [one, two] = [server.asked(1, 1), server.asked(1, 2)];
    // The broker has seen the ack, and not yet the answer's end.
    server.answer(one, reply("reply"));
    server.engine_replies(1, 1);
    server.delivers(1, 3, &asking(), "third");
    assert_eq!(server.takes().request.text(), Ok("third"));
    server.delivers(1, 4, &asking(), "fourth");
    server.has_no_request();
    server.answer(two, reply("reply"));
    assert_eq!(server.takes().request.text(), Ok("fourth"));
}

#[test]
fn without_a_prefetch_any_number_runs() {
    let options = QueueOptions { prefetch: 0, ..queue("1") };
    let mut server = Server::serving_from(RABBITMQ, &[options]);
    for delivery_tag in 1..=1000 {
        server.delivers(1, delivery_tag, &asking(), "request");
    }
    for _ in 1..=1000 {
        server.takes();
    }
    assert_eq!(server.engine.stats().running, 1000);
}

/// Header and body of each come while others are under way on other channels.
#[test]
fn deliveries_on_several_channels_interleave() {
    let mut server = Server::serving(3);
    let messages = [1u16, 2, 3].map(|channel| {
        let body = format!("request {channel}");
        message(channel, delivery(channel, 1), &asking(), body.as_bytes())
    });
    for part in 0..3 {
        for frames in messages.iter().rev() {
            server.broker_sends(frames[part].clone());
        }
    }
    for channel in [3, 2, 1] {
        let Arrived { queue, request, .. } = server.takes();
        assert_eq!(queue, channel - 1);
        assert_eq!(request.text(), Ok(&*format!("request {channel}")));
    }
    server.has_no_request();
}

#[test]
fn a_body_comes_in_many_frames() {
    let mut server = Server::serving(1);
    let body: Vec<u8> = (0..1000u32).map(|index| (index % 251) as u8).collect();
    let mut frames = message(1, delivery(1, 1), &asking(), &body);
    frames.pop();
    let pieces = body.chunks(99).map(Bytes::copy_from_slice);
    frames.extend(pieces.map(|payload| Frame::Body { channel: 1, payload }));
    server.broker_sends_octet_by_octet(frames);
    assert_eq!(server.takes().request.body, body);
}

#[test]
fn what_was_delivered_before_is_counted() {
    let mut server = Server::serving(1);
    for (delivery_tag, redelivered) in [(1, false), (2, true), (3, false), (4, true)] {
        let deliver = basic::Deliver { redelivered, ..delivery(1, delivery_tag) };
        server.broker_sends_at_once(message(1, deliver, &asking(), b"request"));
        assert_eq!(server.takes().request.redelivered, redelivered);
    }
    let expected =
        ServerStats { requests: 4, redelivered: 2, running: 4, ..ServerStats::default() };
    assert_eq!(server.engine.stats(), expected);
}

#[test]
fn a_request_that_nobody_has_taken_does_not_run() {
    let mut server = Server::serving(1);
    server.delivers(1, 1, &asking(), "request");
    let stats = server.engine.stats();
    assert_eq!((stats.requests, stats.running), (1, 0));
    let Arrived { pending, .. } = server.takes();
    assert_eq!(server.engine.stats().running, 1);
    server.answer(pending, reply("reply"));
    assert_eq!(server.engine.stats().running, 0);
}

#[test]
fn an_alarm_or_a_pause_stops_no_answer() {
    let mut server = Server::serving(1);
    server.broker_sends(on(0, connection::Blocked { reason: short("low on memory") }));
    server.broker_sends(on(1, channel::Flow { active: false }));
    server.engine_sends(on(1, channel::FlowOk { active: false }));
    let pending = server.asked(1, 1);
    server.answer(pending, reply("reply"));
    server.engine_replies(1, 1);
    server.broker_sends(on(0, connection::Unblocked {}));
    server.engine_is_silent();
}

//! What a request looks like on the wire, and which cannot be put there.

use super::*;

fn milliseconds(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[test]
fn a_request_has_what_makes_it_one_and_nothing_more() {
    let mut client = Client::ready();
    client.request(to("queue"), TIMEOUT);
    let Published { method, properties, body } = client.published(SHARED);
    assert_eq!(
        method,
        basic::Publish {
            exchange: ShortStr::EMPTY,
            routing_key: short("queue"),
            mandatory: true,
            immediate: false,
        }
    );
    let id = Some(short(FIRST_ID));
    assert_eq!(
        properties,
        BasicProperties {
            reply_to: Some(short("amq.rabbitmq.reply-to")),
            correlation_id: id.clone(),
            message_id: id,
            delivery_mode: Some(1),
            expiration: Some(short("30000")),
            ..BasicProperties::default()
        }
    );
    assert_eq!(body, b"body");
    client.engine_is_silent();
}

#[test]
fn a_request_can_be_empty_and_go_to_an_exchange() {
    let mut client = Client::ready();
    let outgoing = Outgoing {
        exchange: short("exchange"),
        routing_key: short(*b"\xff\x00 any octets"),
        ..Outgoing::default()
    };
    client.request(outgoing, TIMEOUT);
    client.subscribe(2, "lent");
    let Published { method, body, .. } = client.published(2);
    assert_eq!(method.exchange, "exchange");
    assert_eq!(method.routing_key.as_bytes(), b"\xff\x00 any octets");
    assert_eq!(body, b"");
    client.engine_is_silent();
}

#[test]
fn what_the_user_chose_stays() {
    let mut headers = FieldTable::new();
    headers.insert("tenant", "blue").unwrap();
    let chosen = BasicProperties {
        content_type: Some(short("text/plain")),
        content_encoding: Some(short("utf-8")),
        headers: Some(headers),
        delivery_mode: Some(2),
        priority: Some(7),
        correlation_id: None,
        reply_to: None,
        expiration: Some(short("5")),
        message_id: Some(short("the user's")),
        timestamp: Some(1_700_000_000),
        message_type: Some(short("question")),
        user_id: Some(short("guest")),
        app_id: Some(short("app")),
        cluster_id: Some(short("cluster")),
    };
    let mut client = Client::ready();
    client.request(Outgoing { properties: chosen.clone().into(), ..to("queue") }, TIMEOUT);
    client.subscribe(2, "lent");
    let Published { properties, .. } = client.published(2);
    let added = BasicProperties {
        correlation_id: Some(short(FIRST_ID)),
        reply_to: Some(short("amq.rabbitmq.reply-to")),
        ..chosen
    };
    assert_eq!(properties, added);
}

#[test]
fn what_leads_the_reply_back_is_not_for_the_user_to_choose() {
    let chosen = BasicProperties {
        correlation_id: Some(short("the user's")),
        reply_to: Some(short("the user's")),
        ..BasicProperties::default()
    };
    let mut client = Client::ready();
    client.request(Outgoing { properties: chosen.into(), ..to("queue") }, TIMEOUT);
    let Published { properties, .. } = client.published(SHARED);
    assert_eq!(properties.reply_to.unwrap(), "amq.rabbitmq.reply-to");
    assert_eq!(properties.correlation_id.unwrap(), FIRST_ID);
}

#[track_caller]
fn assert_expires(timeout: Duration, waits: Duration, expiration: &str) {
    let mut client = Client::connected_to(RABBITMQ);
    client.request(to("queue"), timeout);
    client.advance(waits);
    client.subscribe(SHARED, "shared");
    assert_eq!(client.published(SHARED).properties.expiration.unwrap(), expiration);
}

#[test]
fn a_request_expires_when_its_caller_stops_waiting() {
    assert_expires(seconds(30), Duration::ZERO, "30000");
    assert_expires(seconds(30), milliseconds(12_345), "17655");
    assert_expires(seconds(30), milliseconds(29_999), "1");
    assert_expires(Duration::from_nanos(1_999_999), Duration::ZERO, "1");
    // 0 would mean "only if a consumer is idle this moment".
    assert_expires(Duration::from_micros(999), Duration::ZERO, "1");
    // RabbitMQ refuses more than ten years.
    assert_expires(Duration::MAX, seconds(5), "315360000000");
}

#[test]
fn a_body_up_to_the_limit_is_sent_in_many_frames() {
    let mut client = Client::ready_at(Broker { frame_max: 4096, ..RABBITMQ });
    let body: Vec<u8> = (0..100_000u32).map(|index| (index % 251) as u8).collect();
    client.request(Outgoing { body: body.clone().into(), ..to("queue") }, TIMEOUT);
    assert_eq!(client.published(SHARED).body, body);
    client.engine_is_silent();
}

#[test]
fn a_body_beyond_the_limit_is_refused_at_once() {
    let mut client = Client::ready();
    let outgoing = Outgoing { body: Bytes::from(alloc::vec![0; 100_001]), ..to("queue") };
    let now = client.now();
    let error = client.engine.request(now, outgoing, TIMEOUT).unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotExecuted);
    assert_eq!(error, CallError::BodyTooLarge { size: 100_001, limit: 100_000 });
    assert_eq!(client.engine.stats(), Stats::default());
    client.nothing_is_left();
}

#[test]
fn headers_beyond_a_frame_fail_their_call_alone() {
    let mut client = Client::ready_at(Broker { frame_max: 4096, ..RABBITMQ });
    let (other, request) = client.call("queue");
    let id = client
        .request(Outgoing { properties: with_headers_of(4096).into(), ..to("queue") }, TIMEOUT);
    client.engine_is_silent();
    let error = client.fails(id);
    assert!(matches!(&error, CallError::InvalidRequest(InvalidRequest::Misuse(_))), "{error}");
    assert_eq!(error.outcome(), Outcome::NotExecuted);

    client.reply(&request, "reply");
    client.gets(other, "reply");
    assert_eq!(client.engine.stats().failures, 1);
    client.nothing_is_left();
}

#[test]
fn headers_beyond_a_frame_fail_a_call_that_waited() {
    let mut client = Client::connected_to(Broker { frame_max: 4096, ..RABBITMQ });
    let id = client
        .request(Outgoing { properties: with_headers_of(4096).into(), ..to("queue") }, TIMEOUT);
    let good = client.request(to("queue"), TIMEOUT);
    client.subscribe(SHARED, "shared");
    let request = client.published(SHARED);
    client.reply(&request, "reply");
    client.gets(good, "reply");
    assert_eq!(client.fails(id).outcome(), Outcome::NotExecuted);
    client.nothing_is_left();
}

#[test]
fn properties_that_the_broker_would_close_the_channel_over_fail_their_call_alone() {
    let mut client = Client::ready();
    let (other, request) = client.call("queue");
    let header = |name: &'static str, value: FieldValue| {
        let mut headers = FieldTable::new();
        headers.insert(name, value).unwrap();
        BasicProperties { headers: Some(headers), ..BasicProperties::default() }
    };
    let no_list = text("a name and no list");
    let [mut table, mut array] = [FieldTable::new(), FieldTable::new()];
    table.insert("in", f64::INFINITY).unwrap();
    let mut numbers = FieldArray::new();
    numbers.push(f32::NAN).unwrap();
    array.insert("in", numbers).unwrap();
    let soon = BasicProperties { expiration: Some(short("soon")), ..BasicProperties::default() };
    for properties in [
        soon,
        BasicProperties { delivery_mode: Some(0), ..BasicProperties::default() },
        BasicProperties { delivery_mode: Some(3), ..BasicProperties::default() },
        header("CC", no_list.clone()),
        header("BCC", no_list),
        header("ratio", f64::NAN.into()),
        header("ratio", f32::NEG_INFINITY.into()),
        header("ratio", table.into()),
        header("ratio", array.into()),
    ] {
        let now = client.now();
        let outgoing = Outgoing { properties: properties.into(), ..to("queue") };
        let error = client.engine.request(now, outgoing, TIMEOUT).unwrap_err();
        assert!(matches!(error, CallError::InvalidRequest(_)), "{error}");
        assert_eq!(error.outcome(), Outcome::NotExecuted);
        client.engine_is_silent();
    }
    client.reply(&request, "reply");
    client.gets(other, "reply");
    client.nothing_is_left();
}

//! Replies find their calls, whatever else arrives.

use super::*;

#[test]
fn replies_in_any_order_reach_their_calls() {
    let mut client = Client::ready();
    let calls: Vec<_> = ["a", "b", "c", "d", "e"].map(|queue| client.call(queue)).into();
    for index in [3, 0, 4, 2, 1] {
        let (_, request) = &calls[index];
        client.reply(request, &format!("reply {index}"));
    }
    for (index, (id, _)) in calls.iter().enumerate() {
        client.gets(*id, &format!("reply {index}"));
    }
    assert_eq!(client.engine.stats(), Stats { calls: 5, replies: 5, ..Stats::default() });
    client.nothing_is_left();
}

#[test]
fn a_reply_comes_as_it_was_sent() {
    let mut headers = FieldTable::new();
    headers.insert("took", 7i32).unwrap();
    let mut client = Client::ready();
    let (id, request) = client.call("queue");
    let properties = BasicProperties {
        content_type: Some(short("application/json")),
        headers: Some(headers),
        message_type: Some(short("answer")),
        ..answering(&request)
    };
    client.delivers(SHARED, "shared", &properties, "{}");
    let expected = Reply { body: Bytes::from("{}"), properties: properties.into() };
    assert_eq!(client.poll(id), Poll::Ready(Ok(expected)));
}

#[test]
fn an_empty_reply_is_one() {
    let mut client = Client::ready();
    let (id, request) = client.call("queue");
    client.reply(&request, "");
    client.gets(id, "");
}

#[test]
fn delivery_tags_of_replies_mean_nothing() {
    // Up to RabbitMQ 4.1 all are 1, from 4.2 they count up.
    for tags in [[1, 1, 1], [1, 2, 3], [0, u64::MAX, 0]] {
        let mut client = Client::ready();
        let calls = ["a", "b", "c"].map(|queue| client.call(queue));
        for ((_, request), delivery_tag) in calls.iter().zip(tags) {
            let deliver = basic::Deliver { delivery_tag, ..delivery("shared") };
            client.broker_sends_at_once(message(SHARED, deliver, &answering(request), b"reply"));
        }
        for (id, _) in calls {
            client.gets(id, "reply");
        }
        // Not even an ack: that would be an error.
        client.nothing_is_left();
    }
}

#[test]
fn a_second_reply_is_dropped_and_counted() {
    let mut client = Client::ready();
    let (id, request) = client.call("queue");
    client.reply(&request, "first");
    client.reply(&request, "second");
    client.gets(id, "first");
    client.reply(&request, "third");
    let expected = Stats { calls: 1, replies: 1, late_replies: 2, ..Stats::default() };
    assert_eq!(client.engine.stats(), expected);
    client.is_pending(id);
    client.nothing_is_left();
}

#[test]
fn replies_to_nobody_are_dropped_and_counted() {
    let mut client = Client::ready();
    let (id, request) = client.call("queue");
    let foreign = [
        None,
        Some(short("")),
        Some(short("17")),
        Some(short(*b"\xff\xfe\x00")),
        Some(short([0xff; 255])),
        // Another client's.
        Some(short("0000000000decade-0000000000000000")),
        Some(short(format!("{FIRST_ID}0"))),
    ];
    for correlation_id in foreign {
        let properties = BasicProperties { correlation_id, ..BasicProperties::default() };
        client.delivers(SHARED, "shared", &properties, "not for us");
    }
    client.is_pending(id);
    assert_eq!(client.engine.stats().unknown_replies, 7);
    assert_eq!(client.engine.stats().late_replies, 0);

    client.reply(&request, "reply");
    client.gets(id, "reply");
    client.nothing_is_left();
}

#[test]
fn what_answers_a_request_that_was_not_sent_is_no_answer() {
    let mut client = Client::ready();
    let (first, request) = client.call("queue");
    client.blocks();
    let second = client.request(to("queue"), TIMEOUT);
    // Nobody can know its correlation-id yet, and if somebody did:
    let (_, guess) = client.engine.calls.with_correlation_id(second).unwrap();
    let guess = ShortStr::copied(guess).unwrap();
    let properties = BasicProperties { correlation_id: Some(guess), ..BasicProperties::default() };
    client.delivers(SHARED, "shared", &properties, "guessed");
    client.broker_sends_at_once(message(SHARED, no_route("queue"), &properties, b"guessed"));
    client.is_pending(second);
    client.reply(&request, "reply");
    client.gets(first, "reply");
    assert_eq!(client.engine.stats().late_replies, 1);
}

// ---------------------------------------------------------------------- faults

#[track_caller]
fn fault(headers: &[(&'static str, FieldValue)], body: &str) -> Poll<Result<Reply, CallError>> {
    let mut table = FieldTable::new();
    for (name, value) in headers {
        table.insert(*name, value.clone()).unwrap();
    }
    let mut client = Client::ready();
    let (id, request) = client.call("queue");
    let properties = BasicProperties { headers: Some(table), ..answering(&request) };
    client.delivers(SHARED, "shared", &properties, body);
    let Stats { replies, faults, failures, .. } = client.engine.stats();
    let result = client.poll(id);
    let is_fault = matches!(result, Poll::Ready(Err(CallError::Fault(_))));
    let expected = if is_fault { (0, 1, 0) } else { (1, 0, 0) };
    assert_eq!((replies, faults, failures), expected);
    client.nothing_is_left();
    result
}

#[test]
fn a_reply_with_an_error_code_is_a_fault() {
    let code = ("rpc-error-code", text("not-found"));
    let message = ("rpc-error", text("no such user"));
    let expected = Fault::new("not-found", "no such user").with_body("details");
    let Poll::Ready(Err(error)) = fault(&[code.clone(), message], "details") else {
        panic!("a fault");
    };
    assert_eq!(error.outcome(), Outcome::Executed);
    assert_eq!(error, CallError::Fault(expected));
    assert_eq!(fault(&[code], ""), Poll::Ready(Err(CallError::Fault(Fault::new("not-found", "")))));
}

#[test]
fn error_codes_may_be_numbers() {
    for code in [FieldValue::from(-32601i32), FieldValue::from(-32601i64)] {
        let expected = CallError::Fault(Fault::new("-32601", ""));
        assert_eq!(fault(&[("rpc-error-code", code)], ""), Poll::Ready(Err(expected)));
    }
}

#[test]
fn a_message_without_an_error_code_is_no_fault() {
    assert!(matches!(fault(&[("rpc-error", text("x"))], "body"), Poll::Ready(Ok(_))));
    assert!(matches!(fault(&[], "body"), Poll::Ready(Ok(_))));
}

// ---------------------------------------------------------------------- returned requests

#[test]
fn a_returned_request_fails_at_once() {
    let mut client = Client::ready();
    let (other, other_request) = client.call("queue");
    let (id, request) = client.call("no such queue");
    client.returns(SHARED, &request);
    let error = client.fails(id);
    assert_eq!(error.outcome(), Outcome::NotExecuted);
    assert_eq!(
        error,
        CallError::Unroutable {
            code: ReplyCode::NO_ROUTE,
            exchange: String::new(),
            routing_key: "no such queue".to_string(),
        }
    );
    client.reply(&other_request, "reply");
    client.gets(other, "reply");
    let expected = Stats { calls: 2, replies: 1, failures: 1, ..Stats::default() };
    assert_eq!(client.engine.stats(), expected);
    client.nothing_is_left();
}

#[test]
fn a_return_without_its_call_is_ignored() {
    let mut client = Client::ready();
    let (id, request) = client.call("queue");
    let (dropped, dropped_request) = client.call("queue");
    client.reply(&request, "reply");
    client.cancel(dropped);
    let before = client.engine.stats();
    client.returns(SHARED, &request);
    client.returns(SHARED, &dropped_request);
    let mut foreign = request;
    foreign.properties.correlation_id = None;
    client.returns(SHARED, &foreign);
    client.gets(id, "reply");
    assert_eq!(client.engine.stats(), before);
    client.nothing_is_left();
}

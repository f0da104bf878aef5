//! Replies that are not taken: they end the call that they answer, if that is to be seen.

use super::*;

/// A reply with headers that nobody can read.
fn replies_unreadably(client: &mut Client, channel: u16, tag: &str, correlation_id: &ShortStr) {
    client.broker_sends(on(channel, delivery(tag)));
    client.broker_sends_octets(&unreadable_header(channel, correlation_id, 4));
    client.broker_sends(Frame::Body { channel, payload: Bytes::from("body") });
}

fn correlation_id(request: &Published) -> ShortStr {
    request.properties.correlation_id.clone().unwrap()
}

#[track_caller]
fn assert_unreadable(error: &CallError) {
    assert!(matches!(error, CallError::UnreadableReply(Unreadable::Headers(_))), "{error:?}");
    assert_eq!(error.outcome(), Outcome::Executed);
    assert_eq!(
        error.to_string(),
        "the reply was not taken: its headers cannot be read: content header, octet 20: \
         a table value has the unknown type 0x7a"
    );
}

#[test]
fn a_reply_that_cannot_be_read_ends_its_call_and_no_other() {
    let mut client = Client::ready();
    let calls = ["a", "b"].map(|queue| client.call(queue));
    let [(first, first_request), (second, second_request)] = calls;
    replies_unreadably(&mut client, SHARED, "shared", &correlation_id(&first_request));
    assert_unreadable(&client.fails(first));
    client.is_pending(second);
    client.reply(&second_request, "reply");
    client.gets(second, "reply");
    let expected =
        Stats { calls: 2, replies: 1, failures: 1, unreadable_replies: 1, ..Stats::default() };
    assert_eq!(client.engine.stats(), expected);
    client.nothing_is_left();
}

#[test]
fn one_that_answers_nothing_is_dropped() {
    let mut client = Client::ready();
    let (ended, ended_request) = client.call("queue");
    client.reply(&ended_request, "reply");
    let (id, request) = client.call("queue");
    for foreign in [correlation_id(&ended_request), short("another's"), ShortStr::EMPTY] {
        replies_unreadably(&mut client, SHARED, "shared", &foreign);
    }
    client.gets(ended, "reply");
    client.is_pending(id);
    let Stats { unreadable_replies, late_replies, unknown_replies, .. } = client.engine.stats();
    assert_eq!((unreadable_replies, late_replies, unknown_replies), (3, 0, 0));
    client.reply(&request, "reply");
    client.gets(id, "reply");
    client.nothing_is_left();
}

/// Whatever comes there answers the call.
#[test]
fn on_a_channel_of_its_own_it_ends_the_call_whatever_it_says() {
    let mut client = Client::ready();
    let (id, _) = client.call_apart("queue", 2);
    replies_unreadably(&mut client, 2, "own", &ShortStr::EMPTY);
    assert_unreadable(&client.fails(id));
    client.client_closes_channel(2);
    client.nothing_is_left();
}

#[test]
fn a_reply_too_large_ends_its_call() {
    let config = Config { max_body_size: 4, ..config() };
    let mut client =
        Client::open(RABBITMQ, |now| Requester::new(config, MAX_BODY_SIZE, SECRET, now));
    client.subscribe(SHARED, "shared");
    for (body, error) in [("fits", None), ("large", Some((5, 4)))] {
        let (id, request) = client.call("queue");
        client.reply(&request, body);
        match error {
            None => client.gets(id, body),
            Some((size, limit)) => {
                let expected = Unreadable::BodyTooLarge { size, limit };
                assert_eq!(client.fails(id), CallError::UnreadableReply(expected));
            }
        }
    }
    client.nothing_is_left();
}

/// Its own headers, come back: what the broker says of it is enough.
#[test]
fn a_request_returned_unreadably_has_no_route_all_the_same() {
    let mut client = Client::ready();
    let (id, request) = client.call("queue");
    client.broker_sends(on(SHARED, no_route("queue")));
    client.broker_sends_octets(&unreadable_header(SHARED, &correlation_id(&request), 0));
    assert!(matches!(client.fails(id), CallError::Unroutable { .. }));
    assert_eq!(client.engine.stats().unreadable_replies, 0);
    client.nothing_is_left();
}

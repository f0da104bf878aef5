//! A reply that is read as a whole is the same as one that comes octet by octet.

use super::*;

/// What is left of a session with two calls, after these frames.
fn after(frames: &[Frame], deliver: fn(&mut Client, Vec<Frame>)) -> String {
    let (mut client, [(id, _), (own, _)]) = with_calls();
    let sleeper = Sleeper::new();
    assert_eq!(client.engine.poll_call(id, &mut sleeper.context()), Poll::Pending);
    deliver(&mut client, frames.to_vec());
    client.wake();
    let (woken, result) = (sleeper.woken(), client.poll(id));
    let own = (client.poll(own), client.engine.side_channels.len());
    let (stats, ended) = (client.engine.stats(), client.engine.ended().cloned());
    let sent: Vec<_> = core::iter::from_fn(|| client.next()).collect();
    format!("woken {woken}: {result:?}\n{own:?}\n{stats:?}\n{ended:?}\n{sent:?}")
}

/// One on the shared channel, and one on channel 2, its own.
fn with_calls() -> (Client, [(CallId, Published); 2]) {
    let mut client = Client::ready();
    let calls = [client.call("queue"), client.call_apart("queue", 2)];
    (client, calls)
}

fn replies() -> Vec<Vec<Frame>> {
    let (_, [(_, request), (_, of_own)]) = with_calls();
    let [answering, answering_own] = [&request, &of_own].map(answering);
    let foreign = BasicProperties { correlation_id: Some(short("7")), ..answering.clone() };
    let mut headers = FieldTable::new();
    headers.insert("rpc-error-code", "code").unwrap();
    let fault = BasicProperties { headers: Some(headers), ..answering.clone() };
    let many = BasicProperties {
        content_type: Some(short("application/json")),
        reply_to: Some(short(vec![b'a'; 255])),
        timestamp: Some(1),
        ..answering.clone()
    };
    let no_id = BasicProperties::default();
    let reply = |properties, body| message(SHARED, delivery("shared"), properties, body);
    let plain = reply(&answering, b"reply");
    let mut replies = Vec::new();
    for properties in [&answering, &answering_own, &foreign, &fault, &many, &no_id] {
        for body in [&b""[..], b"reply", &[b'x'; 4088], &[b'x'; 4089], &[b'x'; 20_000]] {
            replies.push(reply(properties, body));
        }
    }
    replies.push([plain.clone(), plain.clone()].concat());
    replies.push(message(SHARED, delivery("another"), &answering, b"reply"));
    for properties in [&answering, &answering_own, &fault] {
        replies.push(message(2, delivery("shared"), properties, b"reply"));
        replies.push(message(2, delivery("own"), properties, b"reply"));
    }
    replies.push(message(SHARED, no_route("queue"), &request.properties, b"body"));
    // A heartbeat in between, a piece too few, too many, out of turn, or of another channel.
    for place in 0..=plain.len() {
        for frame in [Frame::Heartbeat, on(2, delivery("shared")), plain[2].clone()] {
            let mut disturbed = plain.clone();
            disturbed.insert(place, frame);
            replies.push([disturbed, plain.clone()].concat());
        }
    }
    replies.push([&plain[..2], &plain].concat());
    replies.push([&plain[1..], &plain].concat());
    let close = channel_close(ReplyCode::NOT_FOUND, "NOT_FOUND");
    replies.push([plain.clone(), vec![on(SHARED, close)]].concat());
    replies
}

#[test]
fn it_comes_to_the_same() {
    for frames in replies() {
        let at_once = after(&frames, Client::broker_sends_at_once);
        let piecemeal = after(&frames, Client::broker_sends_octet_by_octet);
        assert_eq!(at_once, piecemeal, "{frames:?}");
    }
}

/// Of a call with its channel, and of one that was read together with the end of that.
#[test]
fn what_was_read_before_the_end_counts() {
    let (mut client, [(id, request), _]) = with_calls();
    let mut frames = message(SHARED, delivery("shared"), &answering(&request), b"reply");
    frames.push(on(0, connection_close(ReplyCode::CONNECTION_FORCED, "CONNECTION_FORCED")));
    client.broker_sends_at_once(frames);
    client.gets(id, "reply");
}

//! Answers that the broker would close the channel over become faults.

use super::*;

#[track_caller]
fn assert_fault(answer: Answer, code: &str) -> Published {
    let mut server = Server::serving_at(Broker { frame_max: 4096, ..RABBITMQ }, 1);
    let pending = server.asked(1, 5);
    server.answer(pending, answer);
    let published = server.engine_replies(1, 5);
    server.engine_is_silent();
    assert_eq!(published.method.routing_key, REPLY_ADDRESS);
    assert_eq!(published.properties.correlation_id, Some(short("17")));
    let headers = published.properties.headers.clone().unwrap();
    assert_eq!(headers.get("rpc-error-code").unwrap().as_str(), Some(code));
    published
}

fn of_size(size: usize) -> Bytes {
    Bytes::from(alloc::vec![b'x'; size])
}

#[test]
fn a_reply_as_large_as_the_limit_is_sent() {
    let mut server = Server::serving_at(Broker { frame_max: 4096, ..RABBITMQ }, 1);
    let pending = server.asked(1, 5);
    server.answer(pending, Answer::Reply(Reply::new(of_size(MAX_REPLY_SIZE))));
    assert_eq!(server.engine_replies(1, 5).body.len(), MAX_REPLY_SIZE);
    let stats = server.engine.stats();
    assert_eq!((stats.replies, stats.faults), (1, 0));
}

#[test]
fn a_reply_larger_than_the_limit_is_a_fault() {
    let answer = Answer::Reply(Reply::new(of_size(MAX_REPLY_SIZE + 1)));
    let published = assert_fault(answer, "reply-too-large");
    let message = published.properties.headers.unwrap().get("rpc-error").unwrap();
    let expected = "the reply has 10001 octets, the server's limit is 10000";
    assert_eq!(message.as_str(), Some(expected));
    assert_eq!(published.body, b"");
}

/// The broker would close the channel over it, end the server with it, and deliver the request
/// again, to the next server that does the same.
#[test]
fn a_fault_larger_than_the_limit_is_another() {
    let fault = Fault::new("code", "message").with_body(of_size(MAX_REPLY_SIZE + 1));
    let published = assert_fault(Answer::Fault(fault), "reply-too-large");
    assert_eq!(published.body, b"");
}

/// There is more work when the replies have gone.
#[test]
fn no_work_for_a_broker_that_does_not_read_the_replies() {
    let large = || Answer::Reply(Reply::new(of_size(MAX_REPLY_SIZE)));
    let mut server = Server::serving(1);
    let mut asked = 0;
    while server.engine.connection().transmit_len() <= 1 << 20 {
        asked += 1;
        let pending = server.asked(1, asked);
        server.answer(pending, large());
    }
    asked += 1;
    server.delivers(1, asked, &asking(), "one too many");
    assert!(server.engine.poll_work(server.now()).is_none());

    (1..asked).for_each(|tag| drop(server.engine_replies(1, tag)));
    assert_eq!(server.takes().request.body, "one too many");
}

#[test]
fn headers_beyond_a_frame_are_a_fault() {
    let properties = with_headers_of(4096);
    let reply = Reply { body: Bytes::from("reply"), properties: properties.into() };
    let published = assert_fault(Answer::Reply(reply), "invalid-reply");
    assert_eq!(published.body, b"");
}

#[test]
fn headers_beyond_a_frame_count_as_a_fault() {
    let mut server = Server::serving_at(Broker { frame_max: 4096, ..RABBITMQ }, 1);
    let pending = server.asked(1, 5);
    let reply = Reply { properties: with_headers_of(4096).into(), ..Reply::default() };
    server.answer(pending, Answer::Reply(reply));
    let stats = server.engine.stats();
    assert_eq!((stats.replies, stats.faults), (0, 1));
}

#[test]
fn the_longest_fault_fits_the_smallest_frame() {
    let longest = "x".repeat(100_000);
    let published = assert_fault(
        Answer::Fault(Fault::new(longest.clone(), longest.clone())),
        &longest[..Fault::MAX_CODE],
    );
    let message = published.properties.headers.unwrap().get("rpc-error").unwrap();
    assert_eq!(message.as_str(), Some(&longest[..Fault::MAX_MESSAGE]));
}

#[test]
fn the_longest_panic_fits_the_smallest_frame() {
    let mut server = Server::serving_at(Broker { frame_max: 4096, ..RABBITMQ }, 1);
    let pending = server.asked(1, 5);
    server.answer(pending, Answer::Panic("x".repeat(100_000)));
    let headers = server.published(1).properties.headers.unwrap();
    assert_eq!(headers.get("rpc-error").unwrap().as_str().unwrap().len(), Fault::MAX_MESSAGE);
}

#[test]
fn only_what_is_sent_counts_as_a_reply_or_a_fault() {
    let mut server = Server::serving(1);
    server.delivers(1, 1, &BasicProperties::default(), "notice");
    server.delivers(1, 2, &BasicProperties::default(), "notice");
    let [one, other] = [(); 2].map(|()| server.takes().pending);
    server.answer(one, reply("unwanted"));
    server.answer(other, Answer::Fault(Fault::new("unwanted", "")));
    let expected = ServerStats { requests: 2, without_reply_to: 2, ..ServerStats::default() };
    assert_eq!(server.engine.stats(), expected);

    let pending = server.asked(1, 3);
    server.broker_closes_the_socket();
    server.answer(pending, reply("too late"));
    assert_eq!(server.engine.stats().replies, 0);
}

//! A request that is read as a whole is the same as one that comes octet by octet.

use super::*;

/// What is left of a session after these frames, all requests answered.
fn after(frames: &[Frame], deliver: fn(&mut Server, Vec<Frame>)) -> String {
    let mut server = Server::serving(1);
    deliver(&mut server, frames.to_vec());
    let mut taken = Vec::new();
    while let Some(Arrived { request, deadline, pending, .. }) =
        server.engine.poll_work(server.now())
    {
        taken.push((request.clone(), deadline));
        server.answer(pending, reply("reply"));
    }
    let stats = server.engine.stats();
    let sent: Vec<_> = core::iter::from_fn(|| server.next()).collect();
    format!("{taken:?}\n{stats:?}\n{:?}\n{sent:?}", server.end())
}

fn requests() -> Vec<Vec<Frame>> {
    let ask =
        |properties: &BasicProperties, body: &[u8]| message(1, delivery(1, 1), properties, body);
    let mut headers = FieldTable::new();
    headers.insert("traceparent", "00-0").unwrap();
    let with = |change: fn(&mut BasicProperties)| {
        let mut properties = asking();
        change(&mut properties);
        properties
    };
    let mut all = vec![
        asking(),
        BasicProperties::default(),
        BasicProperties { headers: Some(headers), ..asking() },
        with(|it| it.correlation_id = None),
        with(|it| it.correlation_id = Some(short(vec![7; 255]))),
        with(|it| it.reply_to = Some(ShortStr::EMPTY)),
        with(|it| it.reply_to = Some(short("q"))),
        with(|it| it.content_type = Some(short("application/json"))),
    ];
    for time in ["", "0", "1", "30000", "x", "315360000001"] {
        all.push(BasicProperties { expiration: Some(short(time)), ..asking() });
    }
    let mut requests = Vec::new();
    for properties in &all {
        for body in [&b""[..], b"request", &[b'x'; 5000]] {
            requests.push(ask(properties, body));
        }
    }
    let plain = ask(&asking(), b"request");
    let again = basic::Deliver { redelivered: true, ..delivery(1, 1) };
    requests.push(message(1, again, &asking(), b"request"));
    let routed = basic::Deliver { exchange: short("e"), routing_key: short("k"), ..delivery(1, 1) };
    requests.push(message(1, routed, &asking(), b"request"));
    let unknown = basic::Deliver { consumer_tag: short("unknown"), ..delivery(1, 1) };
    requests.push(message(1, unknown, &asking(), b"request"));
    // Twice the prefetch, and one more.
    let deliveries =
        |count| (1..=count).flat_map(|tag| message(1, delivery(1, tag), &asking(), b"r"));
    requests.push(deliveries(256).collect());
    requests.push(deliveries(257).collect());
    for place in 0..=plain.len() {
        let mut disturbed = plain.clone();
        disturbed.insert(place, Frame::Heartbeat);
        requests.push([disturbed, message(1, delivery(1, 2), &asking(), b"second")].concat());
    }
    let cancel = basic::Cancel { consumer_tag: tag(1), nowait: true };
    requests.push([plain.clone(), vec![on(1, cancel)]].concat());
    requests.push([vec![on(1, channel_close(ReplyCode::NOT_FOUND, ""))], plain].concat());
    requests
}

#[test]
fn it_comes_to_the_same() {
    for frames in requests() {
        let at_once = after(&frames, Server::broker_sends_at_once);
        let piecemeal = after(&frames, Server::broker_sends_octet_by_octet);
        assert_eq!(at_once, piecemeal, "{frames:?}");
    }
}

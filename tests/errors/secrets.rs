//! Whoever prints what there is, and whatever the broker repeats: the password does not show.

use bytes::BytesMut;
use leveret::connection::{Config, Connection, Credentials};
use leveret::requester::Requester;
use leveret::responder::{QueueOptions, Responder};
use leveret::uri::Uri;
use leveret::{Client, Engine, Instant, Reconnect, Request, Server};
use leveret_codec::{
    FieldTable, Frame, LongStr, ReplyCode, Secret, ShortStr, channel, connection, queue,
};
use tokio::net::TcpStream;

use super::seen::{failure, of_meeting, text, within, without_address};
use crate::fake::{
    Fake, PASSWORD, consume_ok, hear, hear_goodbye, hear_request, start, subscribed, tune,
    until_channel_open, until_consume, until_header, until_open, until_start_ok,
};
use crate::support::service::echo;
use crate::support::wire::Wire;

use super::broker::BOUND;

// ---------------------------------------------------------------------- Debug

#[track_caller]
fn assert_hidden(shown: &str) {
    assert!(!shown.contains(PASSWORD), "a password leaks: {shown}");
}

fn credentials() -> [Credentials; 2] {
    let username = LongStr::from_static("alice");
    let password = Secret(LongStr::from_static(PASSWORD));
    [
        Credentials::Plain { username: username.clone(), password: password.clone() },
        Credentials::AmqPlain { username, password },
    ]
}

#[test]
fn what_a_login_is_made_of_does_not_show_it() {
    let url = format!("amqp://alice:{PASSWORD}@rabbit/shop?heartbeat=5");
    let wrong = format!("amqp://alice:{PASSWORD}@rabbit:{PASSWORD}");
    let uri: Uri = url.parse().unwrap();
    let mut shown = vec![
        format!("{uri:?}"),
        format!("{uri:#?}"),
        uri.to_string(),
        format!("{:?}", Client::builder(&url)),
        format!("{:#?}", Client::builder(&url)),
        format!("{:?}", Client::builder(&wrong)),
    ];
    for credentials in credentials() {
        let config = Config { credentials: credentials.clone(), ..Config::default() };
        shown.extend([format!("{credentials:?}"), format!("{config:?}"), format!("{config:#?}")]);
    }
    for shown in shown {
        assert_hidden(&shown);
    }
}

/// With the login written, and not yet fetched by whoever drives them.
#[test]
fn engines_about_to_log_in_do_not_show_it() {
    for credentials in credentials() {
        let config = || Config { credentials: credentials.clone(), ..Config::default() };
        let now = Instant::default();
        let mut input = BytesMut::new();
        Frame::method(0, start()).encode(&mut input);

        let mut connection = Connection::new(config(), now);
        connection.handle_input(now, &mut input.clone());
        let mut requester = Requester::new(config(), 1000, 17, now);
        requester.handle_input(now, &mut input.clone());
        let queues = [QueueOptions::new(ShortStr::from_static("queue"))];
        let mut responder = Responder::new(config(), queues, 1000, now);
        responder.handle_input(now, &mut input);
        for shown in [
            format!("{connection:?} {connection:#?}"),
            format!("{requester:?} {requester:#?}"),
            format!("{responder:?} {responder:#?}"),
        ] {
            assert_hidden(&shown);
        }

        // It is there to be found.
        let mut output = BytesMut::new();
        connection.poll_transmit(now, &mut output);
        assert!(output.windows(PASSWORD.len()).any(|piece| piece == PASSWORD.as_bytes()));
    }
}

#[tokio::test]
async fn a_client_at_work_does_not_show_it() {
    let fake = Fake::new(|stream| async { hear_goodbye(subscribed(stream).await).await }).await;
    let client = Client::connect(&fake.url()).await.unwrap();
    assert_hidden(&format!("{client:?} {client:#?}"));
    assert_hidden(&format!("{:?}", client.request("queue")));
    client.close().await;
    fake.finish().await;
}

#[tokio::test]
async fn a_server_at_work_does_not_show_it() {
    let fake = Fake::new(|stream| async {
        let mut wire = until_queue_consumed(stream).await;
        wire.send(1, queue::DeclareOk::default()).await;
        wire.send(1, leveret_codec::basic::QosOk {}).await;
        wire.send(1, consume_ok()).await;
        hear(&mut wire, 1, "basic.cancel").await;
        wire.hang_up();
    })
    .await;
    let builder = Server::builder(fake.url()).reconnect(Reconnect::never());
    let server = builder.handle("queue", echo).start().await.unwrap();
    assert_hidden(&format!("{server:?} {server:#?}"));
    let error = server.shutdown().await.unwrap_err();
    text(&error);
    fake.finish().await;
}

/// `unwrap` prints `Debug`, and a panic's message goes wherever the process writes.
#[tokio::test]
async fn a_panic_over_a_failed_login_does_not_show_it() {
    let fake = Fake::new(|stream| async {
        closes(until_start_ok(stream).await, ReplyCode::ACCESS_REFUSED, (0, 0)).await;
    })
    .await;
    let url = fake.url();
    let unwrapped = tokio::spawn(async move { Client::connect(&url).await.unwrap() });
    let panic = unwrapped.await.unwrap_err().into_panic();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains("LoginRefused"), "{message}");
    assert_hidden(message);
    fake.finish().await;
}

// ---------------------------------------------------------------------- what the broker repeats

/// What a broker says that does not mind its words.
fn words() -> ShortStr {
    ShortStr::try_from(format!("alice:{PASSWORD}? {PASSWORD}!")).unwrap()
}

/// What of that is seen.
const SEEN: &str = "alice:***? ***!";

async fn closes(mut wire: Wire, reply_code: ReplyCode, failed: (u16, u16)) {
    let (class_id, method_id) = failed;
    wire.send(0, connection::Close { reply_code, reply_text: words(), class_id, method_id }).await;
    hear(&mut wire, 0, "connection.close-ok").await;
    wire.expect_end().await;
}

async fn closes_channel(wire: &mut Wire, reply_code: ReplyCode, failed: (u16, u16)) {
    let (class_id, method_id) = failed;
    wire.send(1, channel::Close { reply_code, reply_text: words(), class_id, method_id }).await;
    hear(wire, 1, "channel.close-ok").await;
}

#[tokio::test]
async fn over_the_login() {
    let (_, text) = of_meeting(|stream| async {
        closes(until_start_ok(stream).await, ReplyCode::ACCESS_REFUSED, (0, 0)).await;
    })
    .await;
    assert_eq!(text, format!("BROKER: the broker refused the login of this user: {SEEN}"));
}

#[tokio::test]
async fn over_the_virtual_host() {
    let (_, text) = of_meeting(|stream| async {
        closes(until_open(stream).await, ReplyCode::NOT_ALLOWED, (10, 40)).await;
    })
    .await;
    assert_eq!(text, format!("BROKER: the broker refused the virtual host \"/\": {SEEN}"));
}

/// It knows the password from another time.
#[tokio::test]
async fn among_the_mechanisms() {
    let (_, text) = of_meeting(|stream| async {
        let mut wire = Wire::new(until_header(stream).await);
        let mechanisms = LongStr::new(words().into_bytes()).unwrap();
        wire.send(0, connection::Start { mechanisms, ..start() }).await;
        wire.expect_end().await;
    })
    .await;
    let offered =
        format!("BROKER: the broker offers the login mechanisms \"{SEEN}\", and not PLAIN");
    assert_eq!(text, offered);
}

#[tokio::test]
async fn in_its_own_name() {
    let (_, text) = of_meeting(|stream| async {
        let mut wire = Wire::new(until_header(stream).await);
        let mut server_properties = FieldTable::new();
        server_properties.insert("product", words().to_string()).unwrap();
        wire.send(0, connection::Start { server_properties, ..start() }).await;
        hear(&mut wire, 0, "connection.start-ok").await;
        wire.send(0, tune()).await;
        hear(&mut wire, 0, "connection.tune-ok").await;
        hear(&mut wire, 0, "connection.open").await;
        wire.send(0, connection::OpenOk {}).await;
        hear_goodbye(wire).await;
    })
    .await;
    assert!(text.starts_with(&format!("BROKER: the broker ({SEEN}) does not support")), "{text}");
}

#[tokio::test]
async fn over_the_consumer_of_the_replies() {
    let (_, text) = of_meeting(|stream| async {
        let mut wire = until_consume(stream).await;
        closes_channel(&mut wire, ReplyCode::ACCESS_REFUSED, (60, 20)).await;
        hear_goodbye(wire).await;
    })
    .await;
    let refused = format!("BROKER: the broker refused the consumer of the replies: 403 {SEEN}");
    assert_eq!(text, refused);
}

#[tokio::test]
async fn over_a_servers_queue() {
    let fake = Fake::new(|stream| async {
        let mut wire = until_queue_consumed(stream).await;
        closes_channel(&mut wire, ReplyCode::ACCESS_REFUSED, (60, 40)).await;
        hear_goodbye(wire).await;
    })
    .await;
    let handler = |request: Request| async { Ok(request.into_body()) };
    let error = Server::builder(fake.url()).handle("queue", handler).start().await.unwrap_err();
    let text = without_address(&fake, &error);
    assert!(text.starts_with(&format!("BROKER: queue \"queue\": 403 {SEEN}")), "{text}");
    fake.finish().await;
}

#[tokio::test]
async fn over_a_request() {
    let fake = Fake::new(|stream| async {
        let mut wire = subscribed(stream).await;
        hear_request(&mut wire).await;
        closes_channel(&mut wire, ReplyCode::NOT_FOUND, (60, 40)).await;
        wire.hang_up();
    })
    .await;
    let client = Client::connect(&fake.url()).await.unwrap();
    let error = client.call("queue", "hello").await.unwrap_err();
    let (text, _) = failure(&error);
    assert_eq!(text, format!("the broker closed the channel of the call: 404 {SEEN}"));
    fake.finish().await;
}

#[tokio::test]
async fn over_an_alarm_and_at_the_end() {
    let (seen, told) = tokio::sync::oneshot::channel();
    let fake = Fake::new(|stream| async {
        let mut wire = until_consume(stream).await;
        wire.send(0, connection::Blocked { reason: words() }).await;
        wire.send(1, consume_ok()).await;
        told.await.unwrap();
        closes(wire, ReplyCode::CONNECTION_FORCED, (0, 0)).await;
    })
    .await;
    let client = Client::builder(fake.url()).reconnect(Reconnect::never()).connect().await.unwrap();
    assert_eq!(client.blocked().as_deref(), Some(SEEN));
    assert_hidden(&format!("{client:?}"));
    seen.send(()).unwrap();
    let error = within(BOUND, client.closed()).await.unwrap_err();
    assert_eq!(text(&error), format!("the broker closed the connection: 320 {SEEN}"));
    fake.finish().await;
}

/// A server has asked for its queue and all that belongs to it.
async fn until_queue_consumed(stream: TcpStream) -> Wire {
    let mut wire = until_channel_open(stream).await;
    wire.send(1, channel::OpenOk {}).await;
    hear(&mut wire, 1, "queue.declare").await;
    hear(&mut wire, 1, "basic.qos").await;
    hear(&mut wire, 1, "basic.consume").await;
    wire
}

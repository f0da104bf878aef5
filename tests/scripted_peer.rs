//! The scripted peer under the real client and server: dialogues that no broker would lead, and
//! what a script says when the dialogue goes otherwise.

#![cfg(feature = "broker")]

use std::time::Duration;

use leveret::broker::script::{Dialogue, Greeting, ScriptListener, ScriptedPeer};
use leveret::connection::ConnectionError;
use leveret::{
    BasicProperties, CallError, Client, ConnectError, Outcome, Queue, Reconnect, ReplyCode,
    Request, Server, SessionError, ShortStr,
};
use leveret_codec::{Frame, basic, channel, connection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

// ---------------------------------------------------------------------- under a client

#[tokio::test]
async fn a_call_is_a_dialogue() {
    let peer = ScriptedPeer::play(async |mut client| {
        client.handshake().await?;
        let consume = client.subscribe().await?;
        assert_eq!(consume.queue, "amq.rabbitmq.reply-to");
        let request = client.expect_publish().await?;
        assert_eq!((&*request.body, &request.method.routing_key), (&b"hello"[..], &short("ping")));
        client.reply(&request, "x".repeat(10_000)).await?;
        client.goodbye().await
    })
    .await
    .unwrap();
    let client = Client::connect(&peer.url()).await.unwrap();
    assert_eq!(client.call("ping", "hello").await.unwrap().body.len(), 10_000);
    client.close().await;
    peer.finish().await.unwrap();
}

#[tokio::test]
async fn a_login_is_refused() {
    let peer = ScriptedPeer::play(async |mut client| {
        let login = client.greet(Greeting::default().start).await?;
        assert_eq!(login.mechanism, "PLAIN");
        let close = connection::Close {
            reply_code: ReplyCode::ACCESS_REFUSED,
            reply_text: short("ACCESS_REFUSED - no"),
            ..Default::default()
        };
        client.send(0, close).await?;
        client.expect::<connection::CloseOk>(0).await?;
        client.expect_end().await
    })
    .await
    .unwrap();
    let error = Client::connect(&peer.url()).await.unwrap_err();
    assert!(error.to_string().contains("refused the login"), "{error}");
    peer.finish().await.unwrap();
}

#[tokio::test]
async fn the_limits_are_the_scripts() {
    let peer = ScriptedPeer::play(async |mut client| {
        let mut greeting = Greeting::default();
        greeting.tune.frame_max = 4096;
        client.handshake_with(greeting).await?;
        client.subscribe().await?;
        client.expect::<basic::Publish>(1).await?;
        let Frame::Header { .. } = client.frame().await? else { panic!("no header") };
        let Frame::Body { payload, .. } = client.frame().await? else { panic!("no body") };
        assert_eq!(payload.len(), 4096 - 8);
        client.hang_up().await
    })
    .await
    .unwrap();
    let client = Client::connect(&peer.url()).await.unwrap();
    let error = client.call("ping", vec![0; 10_000]).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown);
    peer.finish().await.unwrap();
}

#[tokio::test]
async fn nonsense_is_answered_with_a_code() {
    let peer = ScriptedPeer::play(async |mut client| {
        client.handshake().await?;
        client.subscribe().await?;
        client.expect_publish().await?;
        client.send_bytes([1, 0, 1, 0, 0, 0, 4, 0, 60, 0, 99, 0xce]).await?;
        let close = client.expect::<connection::Close>(0).await?;
        assert_eq!(close.reply_code, ReplyCode::COMMAND_INVALID);
        client.send(0, connection::CloseOk {}).await?;
        client.expect_end().await
    })
    .await
    .unwrap();
    let client = Client::builder(peer.url()).reconnect(Reconnect::never()).connect().await.unwrap();
    client.call("ping", "hello").await.unwrap_err();
    let error = client.closed().await.unwrap_err();
    assert!(
        matches!(error, SessionError::Connection(ConnectionError::ProtocolViolation { .. })),
        "{error:?}"
    );
    peer.finish().await.unwrap();
}

#[tokio::test]
async fn certain_octets_are_expected() {
    let (ours, mut theirs) = tokio::io::duplex(64);
    let mut dialogue = Dialogue::new(ours);
    theirs.write_all(b"hello world").await.unwrap();
    dialogue.expect_bytes("hello").await.unwrap();
    let error = dialogue.expect_bytes(" wOrld").await.unwrap_err();
    assert_eq!(error.expected(), "6 certain octets");
    assert_eq!(error.came(), "others, from octet 2 on");
    assert_eq!(error.dialogue(), ["client -> 5 octets"]);
    drop(theirs);
    assert_eq!(dialogue.expect_bytes("more").await.unwrap_err().came(), "the end");
}

#[tokio::test]
async fn one_half_of_the_socket_is_closed() {
    let (ours, mut theirs) = tokio::io::duplex(64);
    let mut dialogue = Dialogue::new(ours);
    dialogue.stop_sending().await.unwrap();
    assert_eq!(theirs.read(&mut [0]).await.unwrap(), 0);
    theirs.write_all(b"still heard").await.unwrap();
    dialogue.expect_bytes("still heard").await.unwrap();
}

#[tokio::test]
async fn a_channel_is_closed_under_a_call() {
    let peer = ScriptedPeer::play(async |mut client| {
        client.handshake().await?;
        client.subscribe().await?;
        client.expect_publish().await?;
        let close = channel::Close {
            reply_code: ReplyCode::PRECONDITION_FAILED,
            reply_text: short("PRECONDITION_FAILED - by script"),
            class_id: 60,
            method_id: 40,
        };
        client.send(1, close).await?;
        client.expect::<channel::CloseOk>(1).await.map(drop)
    })
    .await
    .unwrap();
    let client = Client::connect(&peer.url()).await.unwrap();
    let error = client.call("ping", "hello").await.unwrap_err();
    assert!(matches!(error, CallError::ChannelClosed { .. }), "{error:?}");
    peer.finish().await.unwrap();
}

#[tokio::test]
async fn one_script_has_many_connections() {
    let listener = ScriptListener::bind().await.unwrap();
    let url = listener.url();
    let script = tokio::spawn(async move {
        listener.accept().await?.hang_up().await?;
        let mut second = listener.accept().await?;
        second.handshake().await?;
        second.subscribe().await?;
        second.goodbye().await
    });
    let error = Client::connect(&*url).await.unwrap_err();
    assert!(matches!(error, ConnectError::Session { .. }), "{error:?}");
    Client::connect(&*url).await.unwrap().close().await;
    script.await.unwrap().unwrap();
}

// ---------------------------------------------------------------------- under a server

#[tokio::test]
async fn a_server_is_served() {
    let peer = ScriptedPeer::play(async |mut server| {
        server.handshake().await?;
        let consumer = server.accept_consumer().await?;
        assert_eq!((&consumer.method.queue, consumer.channel), (&short("ping"), 1));
        let properties = BasicProperties {
            reply_to: Some(short("wherever")),
            correlation_id: Some(short("7")),
            ..Default::default()
        };
        server.deliver(consumer.tag, 1, properties, "hello").await?;
        let reply = server.expect_publish().await?;
        assert_eq!((&reply.method.routing_key, &*reply.body), (&short("wherever"), &b"hello"[..]));
        assert_eq!(reply.properties.correlation_id, Some(short("7")));
        let ack = server.expect::<basic::Ack>(1).await?;
        assert_eq!(ack.delivery_tag, 1);
        server.hang_up().await
    })
    .await
    .unwrap();
    let server = Server::builder(peer.url())
        .reconnect(Reconnect::never())
        .handle(Queue::new("ping"), |request: Request| async move { Ok(request.into_body()) })
        .start()
        .await
        .unwrap();
    server.stopped().await.unwrap_err();
    peer.finish().await.unwrap();
}

// ---------------------------------------------------------------------- when it goes otherwise

/// A dialogue with the test itself, which waits but a moment.
fn dialogue() -> (Dialogue, tokio::io::DuplexStream) {
    let (near, far) = tokio::io::duplex(0x1_0000);
    let mut dialogue = Dialogue::new(far);
    dialogue.set_patience(Duration::from_millis(20));
    (dialogue, near)
}

fn octets(frame: &Frame) -> bytes::BytesMut {
    let mut octets = bytes::BytesMut::new();
    frame.encode(&mut octets);
    octets
}

#[tokio::test]
async fn an_error_says_what_was_expected_and_what_came_and_what_was_said() {
    let (mut dialogue, mut client) = dialogue();
    client.write_all(b"AMQP\0\0\x09\x01").await.unwrap();
    dialogue.expect_protocol_header().await.unwrap();
    dialogue.send(0, Greeting::default().tune).await.unwrap();
    let publish = basic::Publish { routing_key: short("ping"), ..Default::default() };
    client.write_all(&octets(&Frame::Heartbeat)).await.unwrap();
    client.write_all(&octets(&Frame::method(1, publish))).await.unwrap();
    let error = dialogue.expect::<basic::Ack>(1).await.unwrap_err();
    let expected = "\
expected basic.ack on channel 1, but there came: client -> 1 basic.publish \"\"/\"ping\"
the dialogue so far:
  client -> protocol header
  client <- 0 connection.tune channel_max: 2047, frame_max: 131072, heartbeat: 60
  client -> 0 heartbeat
  client -> 1 basic.publish \"\"/\"ping\"";
    assert_eq!(error.to_string(), expected);
    assert_eq!(format!("{error:?}"), expected);
    assert_eq!(error.expected(), "basic.ack on channel 1");
    assert_eq!(error.dialogue().len(), 4);
}

#[tokio::test]
async fn the_right_method_on_the_wrong_channel_is_wrong() {
    let (mut dialogue, mut client) = dialogue();
    client.write_all(&octets(&Frame::method(2, basic::Ack::default()))).await.unwrap();
    let error = dialogue.expect::<basic::Ack>(1).await.unwrap_err();
    assert_eq!(error.came(), "client -> 2 basic.ack #0");
}

#[tokio::test]
async fn silence_the_end_and_nonsense_are_told_apart() {
    let (mut silent, _client) = dialogue();
    assert_eq!(silent.frame().await.unwrap_err().came(), "nothing within 20ms");

    let (mut ended, client) = dialogue();
    drop(client);
    assert_eq!(ended.frame().await.unwrap_err().came(), "the end");
    let error = ended.send(0, connection::CloseOk {}).await.unwrap_err();
    assert_eq!(error.expected(), "somebody who reads");

    let (mut nonsense, mut client) = dialogue();
    client.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let error = nonsense.expect_protocol_header().await.unwrap_err();
    assert_eq!(error.came(), "\"GET / HT\"");
    let error = nonsense.frame().await.unwrap_err();
    assert!(error.came().starts_with("octets that are no frame: "), "{error}");
}

#[tokio::test]
async fn the_end_is_expected_or_not() {
    let (mut dialogue, mut client) = dialogue();
    client.write_all(&octets(&Frame::Heartbeat)).await.unwrap();
    dialogue.expect_heartbeat().await.unwrap();
    client.write_all(&octets(&Frame::method(1, basic::Ack::default()))).await.unwrap();
    let error = dialogue.expect_end().await.unwrap_err();
    assert_eq!(error.expected(), "the end");
    drop(client);
    dialogue.expect_end().await.unwrap();
}

#[tokio::test]
async fn hanging_up_is_the_end_for_the_other_side() {
    let (dialogue, mut client) = dialogue();
    dialogue.hang_up().await.unwrap();
    assert_eq!(client.read_to_end(&mut Vec::new()).await.unwrap(), 0);
}

#[tokio::test]
async fn what_a_script_asserts_fails_the_test() {
    let peer = ScriptedPeer::play(async |_| panic!("as the script wanted")).await.unwrap();
    let _ = tokio::net::TcpStream::connect(peer.address()).await.unwrap();
    let panic = tokio::spawn(peer.finish()).await.unwrap_err().into_panic();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"as the script wanted"));
}

fn short(text: &'static str) -> ShortStr {
    ShortStr::from_static(text)
}

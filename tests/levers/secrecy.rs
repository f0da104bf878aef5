//! Whoever prints the broker, or what a connection said, sees no password.

use std::fmt::Debug;

use bytes::BytesMut;
use leveret::broker::script::{Dialogue, Greeting};
use leveret::broker::{Broker, ConnectionHandle};
use leveret_codec::{
    FieldTable, Frame, LongStr, ProtocolHeader, RawFrame, Secret, ShortStr, connection,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::patiently;

const PASSWORD: &str = "open-sesame";

/// As text, or in numbers, as RabbitMQ shows octets that it does not understand.
#[track_caller]
fn assert_hidden(shown: &str) {
    let numbers: Vec<_> = PASSWORD.bytes().map(|octet| octet.to_string()).collect();
    for form in [PASSWORD, &numbers.join(","), &numbers.join(", ")] {
        assert!(!shown.contains(form), "a password leaks: {shown}");
    }
}

#[track_caller]
fn assert_debug_is_hidden(subject: &impl Debug) {
    assert_hidden(&format!("{subject:?}"));
    assert_hidden(&format!("{subject:#?}"));
}

#[track_caller]
fn assert_connection_is_hidden(connection: &ConnectionHandle) {
    let transcript = connection.transcript();
    assert_debug_is_hidden(connection);
    assert_debug_is_hidden(&transcript);
    assert_hidden(&transcript.to_string());
}

/// Protocol header and login of Alice.
fn login() -> BytesMut {
    let mut octets = BytesMut::new();
    ProtocolHeader::AMQP_0_9_1.encode(&mut octets);
    start_ok().encode(&mut octets);
    octets
}

fn start_ok() -> Frame {
    let response = format!("\0alice\0{PASSWORD}");
    let start_ok = connection::StartOk {
        client_properties: FieldTable::EMPTY,
        mechanism: ShortStr::from_static("PLAIN"),
        response: Secret(LongStr::try_from(response).unwrap()),
        locale: ShortStr::from_static("en_US"),
    };
    Frame::method(0, start_ok)
}

async fn broker() -> Broker {
    Broker::builder().user("alice", PASSWORD).record_frames().start().await.unwrap()
}

#[tokio::test]
async fn a_broker_does_not_show_its_users_passwords() {
    let builder = Broker::builder().user("alice", PASSWORD);
    assert_debug_is_hidden(&builder);
    let broker = builder.start().await.unwrap();
    broker.add_user("bob", PASSWORD);
    assert_debug_is_hidden(&broker);
}

/// However much of it has come, it does not show while the rest is waited for.
#[tokio::test]
async fn half_a_login_does_not_show() {
    let login = login();
    for length in [8, login.len() - 7, login.len() - 1] {
        let broker = broker().await;
        let mut stream = broker.connect();
        stream.write_all(&login[..length]).await.unwrap();
        patiently(broker.until(|it| it.stats().octets_received == length as u64)).await;
        assert_debug_is_hidden(&broker);
        assert_connection_is_hidden(&broker.connections()[0]);
    }
}

/// What is understood of it, and what is refused, with whatever the broker answers.
#[tokio::test]
async fn a_login_does_not_show_whole_or_broken() {
    let whole = login();
    for (cut, surplus) in [(0, 0), (1, 0), (6, 0), (7, 0), (0, 1)] {
        // The payload, cut or continued, in a frame of the right size.
        let mut octets = whole.clone();
        let mut frame = octets.split_off(8);
        let mut payload = RawFrame::decode(&mut frame, |_| u32::MAX).unwrap().unwrap().payload;
        payload.truncate(payload.len() - cut);
        let size = u32::try_from(payload.len() + surplus).unwrap();
        octets.extend([1, 0, 0].into_iter().chain(size.to_be_bytes()));
        octets.extend(payload.into_iter().chain(vec![0; surplus]).chain([0xce]));

        let broker = broker().await;
        let mut stream = broker.connect();
        stream.write_all(&octets).await.unwrap();
        let count = octets.len() as u64;
        patiently(broker.until(|it| it.stats().octets_received == count)).await;
        let connection = &broker.connections()[0];
        assert_debug_is_hidden(&broker);
        assert_connection_is_hidden(connection);
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        patiently(stream.read_to_end(&mut answer)).await.unwrap();
        assert_hidden(&answer.escape_ascii().to_string());
        assert_connection_is_hidden(connection);
    }
}

/// The tests above can fail: the broker has heard the password, and knows it.
#[tokio::test]
async fn the_login_of_these_tests_is_a_right_one() {
    let broker = broker().await;
    let mut stream = broker.connect();
    stream.write_all(&login()).await.unwrap();
    patiently(broker.until(|it| it.stats().frames_sent == 2)).await;
    let transcript = broker.connections()[0].transcript().to_string();
    assert!(transcript.contains("client <- 0 connection.tune"), "{transcript}");
}

/// A script that expects something else, or gets no frame at all, says so without the password.
#[tokio::test]
async fn a_script_that_fails_does_not_show_a_login() {
    let broken = |octets: &mut BytesMut| *octets.last_mut().unwrap() = 0;
    for damage in [|_: &mut BytesMut| {}, broken] {
        let (near, mut far) = tokio::io::duplex(0x1_0000);
        let mut dialogue = Dialogue::new(near);
        let mut octets = login();
        damage(&mut octets);
        far.write_all(&octets).await.unwrap();
        dialogue.expect_protocol_header().await.unwrap();
        dialogue.send(0, Greeting::default().start).await.unwrap();
        let error = dialogue.expect::<connection::TuneOk>(0).await.unwrap_err();
        assert_hidden(&error.to_string());
        assert_debug_is_hidden(&error);
        assert_debug_is_hidden(&dialogue);
    }
    let (near, mut far) = tokio::io::duplex(0x1_0000);
    let mut octets = login();
    far.write_all(&octets.split_off(8)).await.unwrap();
    let error = Dialogue::new(near).expect_protocol_header().await.unwrap_err();
    assert_hidden(&error.to_string());
}

//! Peers that are no AMQP 0-9-1 broker at all.

use leveret::connection::{ConnectionError, NotAmqp};
use leveret::{Client, ConnectError};
use leveret_codec::{ProtocolHeader, ReplyCode};
use tokio::net::TcpSocket;

use super::seen::{of_meeting, text};
use crate::fake::{PASSWORD, say_and_hang_up, until_header};

#[tokio::test]
async fn nothing_listens() {
    // Bound, and so nobody else's; not listening, and so closed.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let broker = socket.local_addr().unwrap();
    let error = Client::connect(&format!("amqp://alice:{PASSWORD}@{broker}")).await.unwrap_err();

    let text = text(&error);
    let ConnectError::Unreachable { address, source } = error else { panic!("{error:?}") };
    assert_eq!(address, broker.to_string());
    assert_eq!(
        text,
        format!(
            "cannot reach {broker}: {source}; \
             nothing listens there: is the broker running, and is the port right?"
        )
    );
    assert!(text.contains("Connection refused"), "{text}");
}

/// A label of a name has 63 octets at most, so nobody needs to be asked.
#[tokio::test]
async fn the_host_has_no_address() {
    let host = "x".repeat(64);
    let error = Client::connect(&format!("amqp://alice:{PASSWORD}@{host}")).await.unwrap_err();
    let text = text(&error);
    let ConnectError::Unreachable { address, source } = error else { panic!("{error:?}") };
    assert_eq!(address, format!("{host}:5672"));
    assert_eq!(text, format!("cannot reach {address}: {source}"));
}

#[tokio::test]
async fn a_web_server() {
    let (error, text) = of_meeting(|stream| async {
        let stream = until_header(stream).await;
        let answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        say_and_hang_up(stream, answer).await;
    })
    .await;
    assert_eq!(error, not_amqp(NotAmqp::Http));
    assert_eq!(
        text,
        "BROKER: the peer is an HTTP server and no AMQP broker: RabbitMQ's AMQP port is usually \
         5672, 15672 is its web page"
    );
}

/// The alert "unexpected message", which is all that a TLS port says to AMQP.
#[tokio::test]
async fn a_tls_port() {
    let (error, text) = of_meeting(|stream| async {
        let stream = until_header(stream).await;
        say_and_hang_up(stream, b"\x15\x03\x03\x00\x02\x02\x46").await;
    })
    .await;
    assert_eq!(error, not_amqp(NotAmqp::Tls));
    assert_eq!(
        text,
        "BROKER: the peer speaks TLS on this port: use amqps://, or the port without TLS \
         (usually 5672)"
    );
}

#[tokio::test]
async fn a_broker_of_amqp_1_0() {
    for version in [[3, 1, 0, 0], [0, 1, 0, 0]] {
        let (error, text) = answered_with(version).await;
        assert_eq!(error, NotAmqp::OtherVersion(ProtocolHeader { version }));
        let [id, ..] = version;
        assert_eq!(
            text,
            format!(
                "BROKER: the peer does not speak AMQP 0-9-1; it answered with \"AMQP {id} 1 0 0\" \
                 (AMQP 1.0)"
            )
        );
    }
}

/// What something in between has changed our header for, perhaps.
#[tokio::test]
async fn a_broker_that_refuses_the_version_it_asks_for() {
    let version = [0, 0, 9, 1];
    let (error, text) = answered_with(version).await;
    assert_eq!(error, NotAmqp::OtherVersion(ProtocolHeader { version }));
    assert_eq!(
        text,
        "BROKER: the peer does not speak AMQP 0-9-1; it answered with \"AMQP 0 0 9 1\", \
         which is 0-9-1: something on the way has changed what we sent"
    );
}

#[tokio::test]
async fn a_peer_of_another_protocol() {
    let (error, text) = of_meeting(|stream| async {
        let stream = until_header(stream).await;
        say_and_hang_up(stream, b"220 mail.example.com ESMTP\r\n").await;
    })
    .await;
    assert!(
        matches!(
            &error,
            leveret::SessionError::Connection(ConnectionError::NotAmqp(NotAmqp::Other(error)))
                if error.reply_code() == ReplyCode::FRAME_ERROR
        ),
        "{error:?}"
    );
    assert_eq!(text, "BROKER: the peer is no AMQP broker: frame, octet 0: 0x32 is no frame type");
}

async fn answered_with(version: [u8; 4]) -> (NotAmqp, String) {
    let (error, text) = of_meeting(move |stream| async move {
        let stream = until_header(stream).await;
        say_and_hang_up(stream, &[b"AMQP", &version[..]].concat()).await;
    })
    .await;
    match error {
        leveret::SessionError::Connection(ConnectionError::NotAmqp(stranger)) => (stranger, text),
        other => panic!("{other:?}"),
    }
}

fn not_amqp(stranger: NotAmqp) -> leveret::SessionError {
    ConnectionError::from(stranger).into()
}

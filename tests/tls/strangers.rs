//! Peers that never come to speak TLS.

use std::time::Duration;

use leveret::{Client, ConnectError, TlsError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::authority::Authority;
use crate::{patiently, refusal};

/// A peer that reads the beginning of a handshake and then does what it is told to.
async fn peer<F, D>(answer: F) -> String
where
    F: FnOnce(TcpStream) -> D + Send + 'static,
    D: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut record = [0; 5];
        socket.read_exact(&mut record).await.unwrap();
        assert_eq!(record[..2], [0x16, 0x03], "a TLS handshake");
        let mut hello = vec![0; usize::from(u16::from_be_bytes([record[3], record[4]]))];
        socket.read_exact(&mut hello).await.unwrap();
        answer(socket).await;
    });
    format!("amqps://{address}")
}

#[tokio::test]
async fn one_that_speaks_something_else() {
    for words in ["AMQP\0\0\u{9}\u{1}", "HTTP/1.1 400 Bad Request\r\n\r\n", "220 mail ESMTP\r\n"] {
        let url = peer(move |mut socket| async move {
            socket.write_all(words.as_bytes()).await.unwrap();
        })
        .await;
        let (error, text) = refusal(&url, Authority::new().trusted()).await;
        assert_eq!(error, TlsError::NotTls, "{words}: {text}");
    }
}

#[tokio::test]
async fn one_that_hangs_up() {
    let url = peer(|socket| async move { drop(socket) }).await;
    let (error, text) = refusal(&url, Authority::new().trusted()).await;
    assert_eq!(error, TlsError::Closed);
    assert_eq!(
        text,
        "the peer closed the connection in the TLS handshake: it may have no TLS on this port \
         (RabbitMQ's is usually 5671), or no certificate of its own"
    );
}

/// Reaching a broker includes the handshake, and so does the limit.
#[tokio::test]
async fn one_that_is_silent() {
    let url = peer(|socket| async move {
        std::future::pending::<()>().await;
        drop(socket);
    })
    .await;
    let limit = Duration::from_millis(300);
    let builder = Client::builder(&url).tls(Authority::new().trusted()).connect_timeout(limit);
    let error = patiently(builder.connect()).await.unwrap_err();
    assert!(matches!(error, ConnectError::TimedOut { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!(
            "{} was not ready within the connect timeout of 300ms: it was silent when it was to be \
             reached, or in the TLS handshake",
            url.replace("amqps://", "")
        )
    );
}

#[tokio::test]
async fn one_that_breaks_off_with_an_alert() {
    for (alert, text) in [
        (
            0x28,
            "the broker broke off with the TLS alert HandshakeFailure: it demands a client \
             certificate perhaps, or one for another use (the query parameters certfile and \
             keyfile, or TlsOptions), or has no cipher suite in common with us",
        ),
        (
            0x70,
            "the broker broke off with the TLS alert UnrecognisedName: it has no certificate for \
             this host",
        ),
        (0x50, "the broker broke off with the TLS alert InternalError"),
    ] {
        assert_eq!(after_alert(alert).await.1, text);
    }
}

/// All that TLS has to say about certificates, and about versions.
#[tokio::test]
async fn one_that_says_with_an_alert_what_it_does_not_like() {
    for (alert, name) in [
        (0x2a, "BadCertificate"),
        (0x2b, "UnsupportedCertificate"),
        (0x2c, "CertificateRevoked"),
        (0x2d, "CertificateExpired"),
        (0x2e, "CertificateUnknown"),
        (0x30, "UnknownCA"),
        (0x33, "DecryptError"),
    ] {
        let refused = TlsError::CertificateRefused { alert: name.to_owned() };
        assert_eq!(after_alert(alert).await.0, refused);
    }
    assert_eq!(after_alert(0x46).await.0, TlsError::Version);
    assert_eq!(after_alert(0x74).await.0, TlsError::CertificateRequired);
}

async fn after_alert(alert: u8) -> (TlsError, String) {
    let url = peer(move |mut socket| async move {
        let octets = [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, alert];
        socket.write_all(&octets).await.unwrap();
    })
    .await;
    refusal(&url, Authority::new().trusted()).await
}

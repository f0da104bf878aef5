//! URIs that say nothing, or too much, and what else fails before anything is sent.

use leveret::{Client, ConnectError, Queue, Request, Server, ServerBuilder};

use super::seen::text;
use crate::fake::PASSWORD;

#[tokio::test]
async fn a_uri_that_is_none_is_explained() {
    for (uri, words) in [
        (
            "localhost:5672".to_owned(),
            "the URI does not begin with amqp:// or amqps://, as amqp://localhost:5672 does",
        ),
        (
            format!("https://alice:{PASSWORD}@rabbit"),
            "the URI begins with https://, where amqp:// or amqps:// is expected",
        ),
        (
            format!("amqp://alice:1?{PASSWORD}@rabbit"),
            "an \"@\" may only stand once, before the host: in a user, password or virtual host, \
             write %40",
        ),
        (
            format!("amqp://alice:{PASSWORD}"),
            "the port is no number from 1 to 65535: the URI is amqp://host:port, or \
             amqp://user:password@host:port",
        ),
        (
            format!("amqp://alice:{PASSWORD}%@rabbit"),
            "the password contains a \"%\" without two hexadecimal digits after it: \
             write % as %25",
        ),
        (
            format!("amqp://alice:{PASSWORD}@rabbit?hearbeat=5"),
            "unknown query parameter \"hearbeat\": known are auth_mechanism, channel_max, \
             connection_timeout, frame_max and heartbeat, and for TLS cacertfile, certfile, \
             keyfile, server_name_indication and verify",
        ),
    ] {
        for error in
            [Client::connect(&uri).await.unwrap_err(), server(&uri).start().await.unwrap_err()]
        {
            assert!(matches!(error, ConnectError::Uri(_)), "{error:?}");
            assert_eq!(text(&error), words);
        }
    }
}

/// With it, `tests/tls` has what comes of it.
#[cfg(not(feature = "tls"))]
#[tokio::test]
async fn tls_takes_a_feature() {
    let error = Client::connect(&format!("amqps://alice:{PASSWORD}@rabbit")).await.unwrap_err();
    assert!(matches!(&error, ConnectError::TlsUnsupported { address } if address == "rabbit:5671"));
    assert_eq!(
        text(&error),
        "rabbit:5671: amqps:// asks for TLS, which this program was built without: build leveret \
         with the feature `tls`"
    );
}

#[tokio::test]
async fn a_queue_that_has_too_long_a_name_to_be_served() {
    let error = server("amqp://localhost").handle("x".repeat(256), echo).start().await.unwrap_err();
    assert!(matches!(error, ConnectError::TooLong { .. }), "{error:?}");
    assert_eq!(
        text(&error),
        "the name of a queue: 256 octets do not fit into an AMQP short string, which holds 255"
    );
}

#[tokio::test]
async fn a_queue_that_has_an_argument_of_too_long_a_name() {
    let queue = Queue::new("orders").argument("x".repeat(256), 1);
    let error = server("amqp://localhost").handle(queue, echo).start().await.unwrap_err();
    assert!(matches!(&error, ConnectError::Argument { queue, .. } if queue == "orders"));
    assert_eq!(
        text(&error),
        "an argument of queue \"orders\": \
         256 octets do not fit into an AMQP short string, which holds 255"
    );
}

fn server(uri: &str) -> ServerBuilder {
    Server::builder(uri).handle("queue", echo)
}

async fn echo(request: Request) -> Result<bytes::Bytes, leveret::Fault> {
    Ok(request.into_body())
}

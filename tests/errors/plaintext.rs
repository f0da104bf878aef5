//! A password in the clear goes to this machine alone, unless the URI asks for more.

use std::net::{IpAddr, SocketAddr};

use leveret::broker::Broker;
use leveret::connection::ConnectionError;
use leveret::{Client, ConnectError, Server, SessionError};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use super::seen::{text, within};
use crate::fake::PASSWORD;
use crate::support::own_address::own_address;
use crate::support::service::echo;

use super::broker::BOUND;

/// A URL with these parameters.
fn url(address: SocketAddr, parameters: &str) -> String {
    format!("amqp://alice:{PASSWORD}@{address}/%2f{parameters}")
}

/// The broker that knows Alice.
async fn broker_at(ip: IpAddr) -> Broker {
    let address = SocketAddr::new(ip, 0);
    Broker::builder().user("alice", PASSWORD).address(address).start().await.unwrap()
}

fn server(url: &str) -> leveret::ServerBuilder {
    Server::builder(url).handle("queue", echo)
}

#[tokio::test]
async fn a_password_is_not_sent_to_another_machine() {
    let listener = TcpListener::bind((own_address(), 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let url = url(address, "?heartbeat=10");
    let (client, server) = tokio::join!(Client::connect(&url), server(&url).start());
    for error in [client.unwrap_err(), server.unwrap_err()] {
        assert!(
            matches!(&error, ConnectError::PasswordInTheClear { peer, .. } if *peer == address),
            "{error:?}"
        );
        assert_eq!(
            text(&error),
            format!(
                "{address}: the password is not sent to {address}, because it would cross the \
                 network in the clear: write amqps://, which encrypts it (and build leveret \
                 with the feature `tls`); where the network can be trusted, name the login in the \
                 URI, with the query parameter ?auth_mechanism=plain"
            )
        );
        let (mut stream, _) = within(BOUND, listener.accept()).await.unwrap();
        let mut heard = Vec::new();
        within(BOUND, stream.read_to_end(&mut heard)).await.unwrap();
        assert_eq!(heard, b"", "not even the protocol header");
    }
}

#[tokio::test]
async fn a_password_is_sent_where_the_uri_names_the_login() {
    let broker = broker_at(own_address()).await;
    for mechanism in ["plain", "AMQPLAIN", "unheard-of&auth_mechanism=plain"] {
        let url = url(broker.address(), &format!("?auth_mechanism={mechanism}"));
        let server = server(&url).start().await.unwrap();
        let client = Client::connect(&url).await.unwrap();
        assert_eq!(client.call("queue", "hello").await.unwrap().body, "hello");
        client.close().await;
        server.shutdown().await.unwrap();
    }
}

/// The broker does not offer it, but is asked.
#[tokio::test]
async fn a_login_without_a_password_is_not_refused() {
    let broker = broker_at(own_address()).await;
    let error =
        Client::connect(url(broker.address(), "?auth_mechanism=external")).await.unwrap_err();
    let ConnectError::Session { source: SessionError::Connection(cause), .. } = &error else {
        panic!("{error:?}")
    };
    assert!(
        matches!(cause, ConnectionError::NoMechanism { wanted: "EXTERNAL", .. }),
        "{}",
        text(&error)
    );
}

#[tokio::test]
async fn a_password_is_sent_within_this_machine() {
    let broker = broker_at([127, 0, 0, 1].into()).await;
    let port = broker.address().port();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
        let url = format!("amqp://alice:{PASSWORD}@{host}:{port}");
        let client = Client::connect(&url).await.unwrap_or_else(|error| panic!("{host}: {error}"));
        client.close().await;
    }
}

/// What carries it is for whoever made it to judge.
#[tokio::test]
async fn a_password_is_sent_over_a_stream_of_the_users_own() {
    let broker = broker_at([127, 0, 0, 1].into()).await;
    let url = format!("amqp://alice:{PASSWORD}@rabbit.example");
    let server = server(&url).start_over(broker.connect()).await.unwrap();
    let client = Client::builder(&url).connect_over(broker.connect()).await.unwrap();
    assert_eq!(client.call("queue", "hello").await.unwrap().body, "hello");
    client.close().await;
    server.shutdown().await.unwrap();
}

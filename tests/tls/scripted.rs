//! Brokers that the test plays, to have them do what one that is in order does not.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use leveret::broker::script::{Dialogue, Greeting};
use leveret::{Client, ConnectError, ConnectionState, LongStr, Reconnect, Request, Server};
use leveret_codec::{channel, connection};
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional, duplex};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::authority::Authority;
use crate::patiently;
use crate::port::Settings;
use crate::port::in_process::config;
use crate::support::own_address::own_address;

/// TLS on a port of this address.
struct Peer {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    address: SocketAddr,
}

impl Peer {
    async fn at(ip: impl Into<IpAddr>, settings: &Settings<'_>) -> Self {
        let listener = TcpListener::bind((ip.into(), 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, acceptor: acceptor(settings), address }
    }

    async fn meet(&self) -> Dialogue {
        let (socket, _) = patiently(self.listener.accept()).await.unwrap();
        Dialogue::new(patiently(self.acceptor.accept(socket)).await.unwrap())
    }
}

fn acceptor(settings: &Settings<'_>) -> TlsAcceptor {
    TlsAcceptor::from(Arc::new(config(settings)))
}

/// As a broker needs to know that has several names, and a certificate for each.
#[tokio::test]
async fn the_broker_is_told_which_name_is_meant() {
    let authority = Authority::new();
    let certificate = authority.broker(&["rabbit.example", "127.0.0.1"]);
    let peer = Peer::at(LOCAL, &Settings::new(&certificate)).await;
    let url = format!("amqps://{}", peer.address);
    for (options, expected) in [
        (authority.trusted().server_name("rabbit.example"), Some("rabbit.example")),
        // An address is no name.
        (authority.trusted(), None),
    ] {
        let (client, name) = tokio::join!(Client::builder(&url).tls(options).connect(), async {
            let (socket, _) = patiently(peer.listener.accept()).await.unwrap();
            let stream = patiently(peer.acceptor.accept(socket)).await.unwrap();
            stream.get_ref().1.server_name().map(ToOwned::to_owned)
        });
        assert_eq!(name.as_deref(), expected, "{client:?}");
    }
}

const LOCAL: [u8; 4] = [127, 0, 0, 1];

/// As a broker does that is killed. Only AMQP's own end counts, as on TCP.
#[tokio::test]
async fn the_end_of_the_socket_without_the_end_of_tls_is_as_on_tcp() {
    let authority = Authority::new();
    let certificate = authority.broker(&["127.0.0.1"]);
    let peer = Peer::at(LOCAL, &Settings::new(&certificate)).await;
    let builder = Client::builder(format!("amqps://{}", peer.address))
        .tls(authority.trusted())
        .reconnect(Reconnect::never());
    let (client, dialogue) = tokio::join!(builder.connect(), async {
        let mut dialogue = peer.meet().await;
        dialogue.handshake().await.unwrap();
        dialogue.subscribe().await.unwrap();
        dialogue
    });
    let client = client.unwrap();
    let mut state = client.connection_state();
    drop(dialogue);
    let closed = |state: &ConnectionState| matches!(state, ConnectionState::Closed { .. });
    let state = patiently(state.wait_for(closed)).await.unwrap().clone();
    let ConnectionState::Closed { cause: Some(cause) } = state else { panic!("{state:?}") };
    assert_eq!(cause.to_string(), "the connection was lost: the peer closed the socket");
}

#[tokio::test]
async fn a_broker_that_drops_the_socket_after_close_ok_has_closed_in_good_order() {
    let authority = Authority::new();
    let certificate = authority.broker(&["127.0.0.1"]);
    let peer = Peer::at(LOCAL, &Settings::new(&certificate)).await;
    let url = format!("amqps://{}", peer.address);
    let (ended, ()) = tokio::join!(
        async {
            let server = Server::builder(&url)
                .tls(authority.trusted())
                .handle("queue", |request: Request| async move { Ok(request.into_body()) })
                .start();
            patiently(patiently(server).await.unwrap().shutdown()).await
        },
        async {
            let mut dialogue = peer.meet().await;
            dialogue.handshake().await.unwrap();
            let consumer = dialogue.accept_consumer().await.unwrap();
            let tag = consumer.tag;
            dialogue.expect::<leveret_codec::basic::Cancel>(consumer.channel).await.unwrap();
            let cancelled = leveret_codec::basic::CancelOk { consumer_tag: tag };
            dialogue.send(consumer.channel, cancelled).await.unwrap();
            dialogue.expect::<connection::Close>(0).await.unwrap();
            dialogue.send(0, connection::CloseOk {}).await.unwrap();
            drop(dialogue);
        }
    );
    ended.unwrap();
}

#[tokio::test]
async fn the_login_external_sends_neither_user_nor_password() {
    let authority = Authority::new();
    let (certificate, alice) = (authority.broker(&["127.0.0.1"]), authority.client("alice"));
    let peer = Peer::at(LOCAL, &Settings::new(&certificate).clients_of(&authority)).await;
    let url = format!("amqps://nobody:secret@{}/%2f?auth_mechanism=external", peer.address);
    let options = authority.trusted().client_certificate(alice.pem(), alice.key_pem());
    let (client, dialogue) = tokio::join!(Client::builder(url).tls(options).connect(), async {
        let mut dialogue = peer.meet().await;
        let mut greeting = Greeting::default();
        greeting.start.mechanisms = LongStr::from_static("PLAIN EXTERNAL");
        let start_ok = dialogue.greet(greeting.start).await.unwrap();
        assert_eq!(start_ok.mechanism, "EXTERNAL");
        assert_eq!(start_ok.response.0, "");
        dialogue.send(0, greeting.tune).await.unwrap();
        dialogue.expect::<connection::TuneOk>(0).await.unwrap();
        dialogue.expect::<connection::Open>(0).await.unwrap();
        dialogue.send(0, connection::OpenOk {}).await.unwrap();
        dialogue.subscribe().await.unwrap();
        dialogue
    });
    let (client, goodbye) = (client.unwrap(), dialogue.goodbye());
    let ((), goodbye) = tokio::join!(client.close(), goodbye);
    goodbye.unwrap();
}

/// In the clear it would not be.
#[tokio::test]
async fn a_password_is_sent_to_another_machine() {
    let authority = Authority::new();
    let address = own_address();
    let certificate = authority.broker(&[&address.to_string()]);
    let peer = Peer::at(address, &Settings::new(&certificate)).await;
    let url = format!("amqps://alice:open-sesame@{}", peer.address);
    let (client, ()) =
        tokio::join!(Client::builder(url).tls(authority.trusted()).connect(), async {
            let mut dialogue = peer.meet().await;
            let start_ok = dialogue.greet(Greeting::default().start).await.unwrap();
            assert_eq!(start_ok.response.0, "\0alice\0open-sesame");
        });
    assert!(
        matches!(client, Err(ConnectError::Session { .. })),
        "the peer has hung up: {client:?}"
    );
}

#[tokio::test]
async fn tls_over_a_stream_that_takes_few_octets_at_a_time() {
    let authority = Authority::new();
    let certificate = authority.broker(&["rabbit.example"]);
    let broker = leveret::broker::Broker::start().await.unwrap();
    let tunnel = || {
        let (near, far) = duplex(100);
        tokio::spawn(forward(acceptor(&Settings::new(&certificate)), far, broker.connect()));
        near
    };
    let url = "amqps://rabbit.example";
    let server = Server::builder(url)
        .tls(authority.trusted())
        .handle("queue", |request: Request| async move { Ok(request.into_body()) })
        .start_over(tunnel());
    let server = patiently(server).await.unwrap();
    let client = Client::builder(url).tls(authority.trusted()).connect_over(tunnel());
    let client = patiently(client).await.unwrap();
    let body = vec![7; 500_000];
    assert_eq!(patiently(client.call("queue", body.clone())).await.unwrap().body, body);
    client.close().await;
    patiently(server.shutdown()).await.unwrap();
}

async fn forward(
    acceptor: TlsAcceptor,
    stream: impl AsyncRead + AsyncWrite + Unpin,
    mut broker: impl AsyncRead + AsyncWrite + Unpin,
) {
    let mut stream = acceptor.accept(stream).await.unwrap();
    let _ = copy_bidirectional(&mut stream, &mut broker).await;
}

#[tokio::test]
async fn a_connection_that_is_lost_before_the_client_is_ready_is_told_as_on_tcp() {
    let authority = Authority::new();
    let certificate = authority.broker(&["127.0.0.1"]);
    let peer = Peer::at(LOCAL, &Settings::new(&certificate)).await;
    let builder = Client::builder(format!("amqps://{}", peer.address))
        .tls(authority.trusted())
        .reconnect(Reconnect::never());
    let (client, ()) = tokio::join!(builder.connect(), async {
        let mut dialogue = peer.meet().await;
        dialogue.handshake().await.unwrap();
        dialogue.expect::<channel::Open>(1).await.unwrap();
        drop(dialogue);
    });
    let error = client.unwrap_err().to_string();
    let expected = format!("{}: the connection was lost: the peer closed the socket", peer.address);
    assert_eq!(error, expected);
}

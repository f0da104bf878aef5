//! TLS 1.2, TLS 1.3, and what happens where TLS is not.

use leveret::connection::{ConnectionError, NotAmqp};
use leveret::rustls::crypto::ring::default_provider;
use leveret::rustls::{ClientConfig, ProtocolVersion, RootCertStore, version};
use leveret::{Client, ConnectError, SessionError, TlsError, TlsOptions};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::call_and_serve;
use crate::authority::Authority;
use crate::patiently;
use crate::port::{Port, Settings, Versions};

#[tokio::test]
async fn a_broker_that_speaks_tls_1_2_only() {
    calls_over(Versions::Only12, ProtocolVersion::TLSv1_2).await;
}

#[tokio::test]
async fn a_broker_that_speaks_tls_1_3_only() {
    calls_over(Versions::Only13, ProtocolVersion::TLSv1_3).await;
}

#[tokio::test]
async fn a_broker_that_speaks_both_is_spoken_to_in_tls_1_3() {
    calls_over(Versions::All, ProtocolVersion::TLSv1_3).await;
}

async fn calls_over(versions: Versions, expected: ProtocolVersion) {
    let authority = Authority::new();
    let certificate = authority.broker(&["localhost"]);
    let port = Port::with(Settings::new(&certificate).versions(versions)).await;
    assert_eq!(version_of(&port, &authority).await, expected, "the port is what it is said to be");
    call_and_serve(&port.url(), &authority.trusted()).await;
}

/// What rustls and the port agree on.
async fn version_of(port: &Port, authority: &Authority) -> ProtocolVersion {
    let connector =
        TlsConnector::from(ready_config(authority, &[&version::TLS13, &version::TLS12]));
    let address = port.url().rsplit_once('@').unwrap().1.replace("/%2f", "");
    let socket = TcpStream::connect(address).await.unwrap();
    let stream = connector.connect("localhost".try_into().unwrap(), socket).await.unwrap();
    stream.get_ref().1.protocol_version().unwrap()
}

fn ready_config(
    authority: &Authority,
    versions: &[&'static leveret::rustls::SupportedProtocolVersion],
) -> std::sync::Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der()).unwrap();
    ClientConfig::builder_with_provider(default_provider().into())
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
        .into()
}

#[tokio::test]
async fn a_configuration_of_rustls_that_is_ready() {
    let authority = Authority::new();
    let certificate = authority.broker(&["localhost"]);
    let port = Port::with(Settings::new(&certificate).versions(Versions::Only12)).await;
    let with = |version| TlsOptions::with_config(ready_config(&authority, &[version]));
    // It counts more than what the URI says.
    let url = format!("{}?cacertfile=/nowhere.pem", port.url());
    call_and_serve(&url, &with(&version::TLS12)).await;
    let (error, text) = crate::refusal(&url, with(&version::TLS13)).await;
    assert_eq!(error, TlsError::Version, "{text}");
    assert_eq!(
        text,
        "this program and the broker have no version of TLS in common: here it is 1.2 or 1.3, \
         unless a ready rustls::ClientConfig says otherwise"
    );
}

/// The broker's own words for it differ from version to version, and so may ours.
#[tokio::test]
async fn a_tls_port_that_is_spoken_to_in_plain_amqp() {
    let authority = Authority::new();
    for versions in [Versions::Only12, Versions::Only13, Versions::All] {
        let certificate = authority.broker(&["localhost"]);
        let port = Port::with(Settings::new(&certificate).versions(versions)).await;
        let url = port.url().replace("amqps://", "amqp://");
        let error = patiently(Client::connect(&url)).await.unwrap_err();
        let ConnectError::Session { source: SessionError::Connection(cause), .. } = &error else {
            panic!("{error:?}")
        };
        assert_eq!(*cause, ConnectionError::NotAmqp(NotAmqp::Tls), "{versions:?}: {error}");
    }
}

#[tokio::test]
async fn a_plain_port_that_is_spoken_to_in_tls() {
    let url = crate::support::broker::url();
    let (_, address) = url.rsplit_once('@').unwrap();
    let url = format!("amqps://guest:guest@{address}");
    let (error, text) = crate::refusal(&url, Authority::new().trusted()).await;
    assert_eq!(error, TlsError::NotTls);
    assert_eq!(
        text,
        "the peer does not speak TLS on this port: RabbitMQ's TLS port is usually 5671; for one \
         without TLS (usually 5672), write amqp://"
    );
}

//! A broker that wants to know who we are, before it is told by AMQP.

use leveret::connection::ConnectionError;
use leveret::{Client, ConnectError, SessionError, TlsError, TlsOptions};
use rcgen::{ExtendedKeyUsagePurpose, date_time_ymd};

use super::call_and_serve;
use crate::authority::{Authority, File};
use crate::patiently;
use crate::port::{Port, Settings, Versions};

#[tokio::test]
async fn one_that_is_demanded_and_given() {
    let authority = Authority::new();
    let (certificate, client) = (authority.broker(&["localhost"]), authority.client("alice"));
    for versions in [Versions::Only12, Versions::Only13] {
        let settings = Settings::new(&certificate).clients_of(&authority).versions(versions);
        let port = Port::with(settings).await;
        let options = authority.trusted().client_certificate(client.pem(), client.key_pem());
        call_and_serve(&port.url(), &options).await;

        let (chain, key) = (File::new(client.pem()), File::new(client.key_pem()));
        let options = authority.trusted().client_certificate_files(chain.path(), key.path());
        call_and_serve(&port.url(), &options).await;
        let url = format!("{}?certfile={}&keyfile={}", port.url(), chain.path(), key.path());
        call_and_serve(&url, &authority.trusted()).await;

        let both = File::new(client.key_pem() + &client.pem());
        let url = format!("{}?certfile={}", port.url(), both.path());
        call_and_serve(&url, &authority.trusted()).await;
    }
}

/// TLS 1.3 is done for us when the broker looks at our certificate: it says so later. And TLS 1.2 has no
/// word for it, which some brokers say all the same.
#[tokio::test]
async fn one_that_is_demanded_and_not_given() {
    let authority = Authority::new();
    let certificate = authority.broker(&["localhost"]);
    let required = TlsError::CertificateRequired.to_string();
    let settings = Settings::new(&certificate).clients_of(&authority);
    let port = Port::with(settings.versions(Versions::Only13)).await;
    assert_eq!(said_in_tls_1_3(&port, authority.trusted()).await, required);
    assert_eq!(
        required,
        "the broker demands a client certificate: give it one, with the query parameters certfile \
         and keyfile, or with TlsOptions"
    );

    let settings = Settings::new(&certificate).clients_of(&authority);
    let port = Port::with(settings.versions(Versions::Only12)).await;
    let (error, text) = crate::refusal(&port.url(), authority.trusted()).await;
    let failure = TlsError::Alert { alert: "HandshakeFailure".to_owned() };
    assert!(error == TlsError::CertificateRequired || error == failure, "{error:?}");
    assert!(text.contains("demands a client certificate"), "{text}");
}

#[tokio::test]
async fn one_that_the_broker_does_not_trust() {
    let authority = Authority::new();
    let certificate = authority.broker(&["localhost"]);
    let stranger = Authority::new().client("mallory");
    let expired = authority.issue(&[], |parameters| {
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        parameters.not_before = date_time_ymd(2020, 1, 1);
        parameters.not_after = date_time_ymd(2021, 1, 1);
    });
    for client in [stranger, expired] {
        let options = authority.trusted().client_certificate(client.pem(), client.key_pem());
        let settings = Settings::new(&certificate).clients_of(&authority);
        let port = Port::with(settings.versions(Versions::Only13)).await;
        let text = said_in_tls_1_3(&port, options.clone()).await;
        assert!(text.starts_with(REFUSED), "{text}");

        let settings = Settings::new(&certificate).clients_of(&authority);
        let port = Port::with(settings.versions(Versions::Only12)).await;
        let (error, text) = crate::refusal(&port.url(), options).await;
        assert!(matches!(error, TlsError::CertificateRefused { .. }), "{error:?}");
        assert!(text.starts_with(REFUSED), "{text}");
        assert!(text.ends_with(
            "): it has to be valid, for client authentication, and signed by a CA that the broker \
             trusts"
        ));
    }
}

const REFUSED: &str = "the broker refused the client certificate (TLS alert ";

/// What comes when the client takes TLS for done.
async fn said_in_tls_1_3(port: &Port, options: TlsOptions) -> String {
    let error = patiently(Client::builder(port.url()).tls(options).connect()).await.unwrap_err();
    let ConnectError::Session { source, .. } = error else { panic!("{error:?}") };
    let SessionError::Connection(ConnectionError::TransportRefused { reason }) = source else {
        panic!("{source:?}")
    };
    reason
}

//! Whom to trust, and what the broker is called: by options, by the URI, and which of them counts.

use leveret::{Client, TlsOptions};

use super::call_and_serve;
use crate::authority::{Authority, File};
use crate::patiently;
use crate::port::Port;

#[tokio::test]
async fn a_ca_of_ones_own_by_options_and_by_uri() {
    let authority = Authority::new();
    let certificate = authority.broker(&["localhost", "127.0.0.1"]);
    let port = Port::new(&certificate).await;
    let ca = File::new(authority.pem());
    call_and_serve(&port.url(), &authority.trusted()).await;
    call_and_serve(&port.url(), &TlsOptions::new().ca_file(ca.path())).await;
    let by_uri = format!("{}?cacertfile={}&verify=verify_peer", port.url(), ca.path());
    call_and_serve(&by_uri, &TlsOptions::new()).await;
    // Without options, too; and at the address that the certificate is for.
    let by_uri = format!("{}?cacertfile={}", port.url_at("127.0.0.1"), ca.path());
    patiently(Client::connect(&by_uri)).await.unwrap().close().await;
}

#[tokio::test]
async fn a_file_of_several_cas() {
    let authority = Authority::new();
    let certificate = authority.broker(&["localhost"]);
    let port = Port::new(&certificate).await;
    let others = [Authority::new().pem(), authority.pem(), Authority::new().pem()];
    call_and_serve(&port.url(), &TlsOptions::new().ca(others.concat())).await;
}

#[tokio::test]
async fn what_the_options_say_counts_more_than_the_uri() {
    let authority = Authority::new();
    let certificate = authority.broker(&["rabbit.example"]);
    let port = Port::new(&certificate).await;
    let other = File::new(Authority::new().pem());
    let url = format!(
        "{}?cacertfile={}&server_name_indication=other.example&certfile=/nowhere.pem",
        port.url(),
        other.path()
    );
    let client = Authority::new().client("alice");
    let options = authority
        .trusted()
        .server_name("rabbit.example")
        .client_certificate(client.pem(), client.key_pem());
    call_and_serve(&url, &options).await;
}

#[tokio::test]
async fn another_server_name_by_options_and_by_uri() {
    let authority = Authority::new();
    let certificate = authority.broker(&["rabbit.example", "192.0.2.7"]);
    let port = Port::new(&certificate).await;
    for name in ["rabbit.example", "192.0.2.7"] {
        call_and_serve(&port.url(), &authority.trusted().server_name(name)).await;
        let url = format!("{}?server_name_indication={name}", port.url());
        call_and_serve(&url, &authority.trusted()).await;
    }
    // It takes the place of the host, and is not another chance.
    let certificate = authority.broker(&["localhost"]);
    let port = Port::new(&certificate).await;
    let options = authority.trusted().server_name("rabbit.example");
    let (error, _) = crate::refusal(&port.url(), options).await;
    assert!(matches!(error, leveret::TlsError::WrongName { .. }), "{error:?}");
}

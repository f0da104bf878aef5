//! A connection that is lost is made again over TLS, with what the files say by then.

use std::time::Duration;

use leveret::{Client, ConnectionState, Reconnect, TlsOptions};

use super::pair;
use crate::authority::{Authority, File};
use crate::patiently;
use crate::port::{Port, Settings};
use crate::support::broker::Broker;
use crate::support::operator::VirtualHost;

#[tokio::test]
async fn after_the_broker_has_closed_the_connection() {
    let broker = Broker::shared().await;
    let host = VirtualHost::new(&broker);
    let authority = Authority::new();
    let certificate = authority.broker(&["localhost"]);
    let port = Port::new(&certificate).await;
    let url = port.url().replace("%2f", &host.name);
    let (client, server, name) = pair(&url, &authority.trusted()).await;
    for round in 1..=3 {
        Broker::ctl(&["close_all_connections", "--vhost", &host.name, "maintenance"]);
        let mut state = client.connection_state();
        patiently(state.wait_for(|_| client.stats().disconnects == round)).await.unwrap();
        // The server may be on its way yet: the queue is still there.
        let call = client.request(&name).body("again").timeout(Duration::from_secs(10));
        assert_eq!(call.send().await.unwrap().body, "again");
    }
    client.close().await;
    server.shutdown().await.unwrap();
}

/// The broker's certificate is exchanged, and so is the file with its CA.
#[tokio::test]
async fn with_the_files_as_they_are_then() {
    let broker = Broker::shared().await;
    let host = VirtualHost::new(&broker);
    let (old, new) = (Authority::new(), Authority::new());
    let (certificate, client) = (old.broker(&["localhost"]), new.client("alice"));
    // It takes the clients of the new CA alone.
    let port = Port::with(Settings::new(&certificate).clients_of(&new)).await;
    let (ca, chain, key) =
        (File::new(old.pem()), File::new(client.pem()), File::new(client.key_pem()));
    let options =
        TlsOptions::new().ca_file(ca.path()).client_certificate_files(chain.path(), key.path());
    let url = port.url().replace("%2f", &host.name);
    let reconnect = Reconnect::default().max_pause(Duration::from_millis(100));
    let connect = Client::builder(&url).tls(options).reconnect(reconnect).connect();
    let client = patiently(connect).await.unwrap();

    chain.write("no certificate");
    Broker::ctl(&["close_all_connections", "--vhost", &host.name, "renewal"]);
    let mut state = client.connection_state();
    let unfit = format!(
        "TLS cannot be used: the client certificate in {} cannot be used: there is no BEGIN \
         CERTIFICATE in it",
        chain.path()
    );
    patiently(state.wait_for(|state| says(state, &unfit))).await.unwrap();

    let renewed = new.client("alice");
    chain.write(renewed.pem());
    key.write(renewed.key_pem());
    patiently(state.wait_for(|state| *state == ConnectionState::Connected)).await.unwrap();
    client.close().await;
}

fn says(state: &ConnectionState, text: &str) -> bool {
    format!("{state:?}").contains(text)
}

//! On a TLS port of the broker under test.

mod certificates;
mod client_certificates;
mod external;
mod reconnecting;
mod trust;
mod versions;

use leveret::{Client, Server, TlsOptions};

use crate::patiently;
use crate::support::service::{echo, queue};

/// A client and a server that have met there: a call, and its reply. Both TLS all the way.
async fn call_and_serve(url: &str, options: &TlsOptions) {
    let (client, server, name) = pair(url, options).await;
    for size in [5, 300_000] {
        let body = vec![b'x'; size];
        assert_eq!(patiently(client.call(&name, body.clone())).await.unwrap().body, body);
    }
    client.close().await;
    server.shutdown().await.unwrap();
}

/// A client, a server, and the name of its queue.
async fn pair(url: &str, options: &TlsOptions) -> (Client, Server, String) {
    let (name, queue) = queue("tls");
    let server = Server::builder(url).tls(options.clone()).handle(queue, echo).start();
    let server = patiently(server).await.unwrap();
    let client = Client::builder(url).tls(options.clone()).connect();
    (patiently(client).await.unwrap(), server, name)
}

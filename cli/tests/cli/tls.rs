//! `--cacert`, `--cert` and `--key`, with an acceptor of TLS in front of the broker.

use std::path::Path;
use std::sync::Arc;

use leveret::rustls::crypto::ring::default_provider;
use leveret::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use leveret::rustls::server::WebPkiClientVerifier;
use leveret::rustls::{RootCertStore, ServerConfig};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::support::broker::{address, url_at};
use crate::support::leveret;

/// A broker that demands client certificates, and the files that it takes.
struct Port {
    url: String,
    files: TempDir,
}

async fn port() -> Port {
    let mut parameters = CertificateParams::new([]).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let ca = parameters.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(parameters, ca_key);
    let issue = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new([name.to_owned()]).unwrap();
        (parameters.signed_by(&key, &issuer).unwrap(), key)
    };
    let (broker, broker_key) = issue("localhost");
    let (client, client_key) = issue("client");

    let files = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| std::fs::write(files.path().join(name), text).unwrap();
    write("ca.pem", ca.pem());
    write("client.pem", client.pem());
    write("client.key", client_key.serialize_pem());
    write("both.pem", client.pem() + &client_key.serialize_pem());

    let provider = Arc::new(default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(ca.der().clone()).unwrap();
    let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(broker_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients.build().unwrap())
        .with_single_cert(vec![broker.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind(("localhost", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(accept(listener, TlsAcceptor::from(Arc::new(config))));
    Port { url: url_at("amqps", &format!("localhost:{port}")), files }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor) {
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        // What fails here is what the command is asked about.
        if let Ok(mut stream) = acceptor.accept(socket).await {
            let mut broker = TcpStream::connect(address()).await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut stream, &mut broker).await });
        }
    }
}

impl Port {
    fn file(&self, name: &str) -> String {
        let path: &Path = self.files.path();
        path.join(name).display().to_string()
    }
}

#[tokio::test]
async fn a_client_certificate_opens_the_door_for_each_command() {
    let port = port().await;
    let (ca, certificate, key) =
        (port.file("ca.pem"), port.file("client.pem"), port.file("client.key"));
    let tls = ["--url", &port.url, "--cacert", &ca, "--cert", &certificate, "--key", &key];
    let ping = leveret(&[&["ping"], &tls[..]].concat()).run().await;
    assert_eq!(ping.code, Some(0), "{}", ping.stderr);
    assert!(ping.stdout.contains("TLS              yes\n"), "{}", ping.stdout);

    let queue = crate::support::admin::queue("tls").await;
    let mut server =
        leveret(&[&["serve", &queue, "--passive", "--echo"], &tls[..]].concat()).start();
    server.says(&format!("serving {queue}")).await;
    leveret(&[&["call", &queue, "hello"], &tls[..]].concat()).run().await.printed("hello");

    let both = port.file("both.pem");
    let one_file = ["ping", "--url", &port.url, "--cacert", &ca, "--cert", &both];
    assert_eq!(leveret(&one_file).run().await.code, Some(0));
}

#[tokio::test]
async fn without_them_it_is_3() {
    let port = port().await;
    let ca = port.file("ca.pem");
    for command in [&["call", "q"][..], &["ping"]] {
        let unknown = leveret(&[command, &["--url", &port.url]].concat()).run().await;
        unknown.failed(3, "--cacert FILE");
        let bare = [command, &["--url", &port.url, "--cacert", &ca]].concat();
        leveret(&bare).run().await.failed(3, "client certificate");
    }
}

#[tokio::test]
async fn options_that_make_no_sense_are_2() {
    let port = port().await;
    let (ca, key) = (port.file("ca.pem"), port.file("client.key"));
    leveret(&["ping", "--cacert", &ca]).run().await.failed(2, "write amqps://");
    leveret(&["ping", "--url", &port.url, "--key", &key]).run().await.failed(2, "--cert");
    let missing = ["call", "q", "--url", &port.url, "--cacert", "/no/such/ca.pem"];
    leveret(&missing).run().await.failed(2, "/no/such/ca.pem");
}

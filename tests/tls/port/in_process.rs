//! An acceptor of rustls' in front of the broker inside the process.

use std::net::SocketAddr;
use std::sync::Arc;

use leveret::rustls::crypto::ring::default_provider;
use leveret::rustls::server::WebPkiClientVerifier;
use leveret::rustls::{RootCertStore, ServerConfig, version};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::{Settings, Versions};
use crate::support::broker::Broker;

pub(crate) struct Acceptor {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Acceptor {
    pub(super) async fn start(settings: &Settings<'_>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config(settings)));
        let task = tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(acceptor.clone(), socket));
            }
        });
        Self { address, task }
    }
}

/// What fails here is what the client is asked about.
async fn serve(acceptor: TlsAcceptor, socket: TcpStream) {
    let Ok(mut stream) = acceptor.accept(socket).await else { return };
    let mut broker = Broker::shared().await.tcp().await;
    let _ = copy_bidirectional(&mut stream, &mut broker).await;
}

pub(crate) fn config(settings: &Settings<'_>) -> ServerConfig {
    let provider = Arc::new(default_provider());
    let versions = match settings.versions {
        Versions::All => &[&version::TLS13, &version::TLS12][..],
        Versions::Only12 => &[&version::TLS12],
        Versions::Only13 => &[&version::TLS13],
    };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .unwrap();
    let builder = match &settings.clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let certificate = settings.certificate;
    builder.with_single_cert(vec![certificate.der()], certificate.key_der()).unwrap()
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

//! A TLS port of the broker under test, for the time of a test.

pub(crate) mod in_process;
mod rabbitmq;

use std::env;
use std::net::SocketAddr;

use leveret::rustls::pki_types::CertificateDer;

use crate::authority::{Authority, Issued};

/// How the broker does TLS.
pub(crate) struct Settings<'a> {
    pub(crate) certificate: &'a Issued,
    pub(crate) versions: Versions,
    /// Who has signed the certificate that a client has to have.
    pub(crate) clients: Option<CertificateDer<'static>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Versions {
    All,
    Only12,
    Only13,
}

pub(crate) struct Port {
    address: SocketAddr,
    _guard: Guard,
}

enum Guard {
    InProcess(#[allow(dead_code, reason = "held")] in_process::Acceptor),
    RabbitMq(#[allow(dead_code, reason = "held")] rabbitmq::Listener),
}

impl Port {
    /// One that shows this certificate.
    pub(crate) async fn new(certificate: &Issued) -> Self {
        Self::with(Settings::new(certificate)).await
    }

    pub(crate) async fn with(settings: Settings<'_>) -> Self {
        let (address, guard) = match env::var_os("AMQP_URL") {
            None => {
                let acceptor = in_process::Acceptor::start(&settings).await;
                (acceptor.address, Guard::InProcess(acceptor))
            }
            Some(_) => {
                let listener = rabbitmq::Listener::start(&settings);
                (listener.address, Guard::RabbitMq(listener))
            }
        };
        Self { address, _guard: guard }
    }

    /// At the name that the usual certificate is for.
    pub(crate) fn url(&self) -> String {
        self.url_at("localhost")
    }

    pub(crate) fn url_at(&self, host: &str) -> String {
        format!("amqps://guest:guest@{host}:{}/%2f", self.address.port())
    }
}

impl<'a> Settings<'a> {
    pub(crate) fn new(certificate: &'a Issued) -> Self {
        Self { certificate, versions: Versions::All, clients: None }
    }

    pub(crate) fn versions(self, versions: Versions) -> Self {
        Self { versions, ..self }
    }

    /// Demands a certificate from each client, signed by this CA.
    pub(crate) fn clients_of(self, authority: &Authority) -> Self {
        Self { clients: Some(authority.der()), ..self }
    }
}

//! A further TLS listener of RabbitMQ's, opened while it runs: no test has to start a broker of its own,
//! and nothing has to lie in files that the broker can see.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener};

use super::{Settings, Versions};
use crate::support::broker::Broker;

pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
}

impl Listener {
    pub(super) fn start(settings: &Settings<'_>) -> Self {
        let address = free_address();
        let options = options(settings);
        Broker::ctl(&[
            "eval",
            &format!(
                "rabbit_networking:ensure_ssl(), \
                 ok = rabbit_networking:start_ssl_listener({}, [{options}], 2).",
                erlang(address)
            ),
        ]);
        Self { address }
    }
}

fn options(settings: &Settings<'_>) -> String {
    let certificate = octets(&settings.certificate.der());
    let key = octets(settings.certificate.key_der().secret_der());
    let versions = match settings.versions {
        Versions::All => "'tlsv1.3', 'tlsv1.2'",
        Versions::Only12 => "'tlsv1.2'",
        Versions::Only13 => "'tlsv1.3'",
    };
    let clients = match &settings.clients {
        None => "{verify, verify_none}".to_owned(),
        Some(authority) => {
            let authority = octets(authority);
            format!(
                "{{cacerts, [{authority}]}}, {{verify, verify_peer}}, {{fail_if_no_peer_cert, true}}"
            )
        }
    };
    format!(
        "{{cert, {certificate}}}, {{key, {{'PrivateKeyInfo', {key}}}}}, {{versions, [{versions}]}}, \
         {clients}"
    )
}

/// One that was free a moment ago.
fn free_address() -> SocketAddr {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap()
}

fn erlang(address: SocketAddr) -> String {
    format!("{{\"{}\", {}}}", address.ip(), address.port())
}

fn octets(octets: &[u8]) -> String {
    let mut digits = String::new();
    octets.iter().for_each(|octet| write!(digits, "{octet:02x}").unwrap());
    format!("binary:decode_hex(<<\"{digits}\">>)")
}

impl Drop for Listener {
    fn drop(&mut self) {
        let stop = format!("rabbit_networking:stop_tcp_listener({}).", erlang(self.address));
        Broker::ctl(&["eval", &stop]);
    }
}

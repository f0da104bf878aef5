//! How to log in, and where to.

use std::net::SocketAddr;

use leveret_codec::LongStr;

use super::ConnectError;
use crate::connection::Credentials;
use crate::uri::{AuthMechanism, Uri};

pub(super) fn credentials(uri: &Uri) -> Result<Credentials, ConnectError> {
    let username = LongStr::try_from(uri.username())
        .map_err(|source| ConnectError::TooLong { what: "the user name", source })?;
    let password = uri.password().clone();
    Ok(match uri.auth_mechanism() {
        None | Some(AuthMechanism::Plain) => Credentials::Plain { username, password },
        Some(AuthMechanism::AmqPlain) => Credentials::AmqPlain { username, password },
        Some(AuthMechanism::External) => Credentials::External,
    })
}

/// Whether a password may go to this address as it is, where anybody on the way could read it: not
/// beyond this machine, unless the URI asks for the mechanism by name.
pub(super) fn may_log_in(asked_for: Option<AuthMechanism>, peer: SocketAddr) -> bool {
    match asked_for {
        // `External` sends none.
        Some(AuthMechanism::Plain | AuthMechanism::AmqPlain | AuthMechanism::External) => true,
        // An IPv6 socket shows the IPv4 address that it is connected to as a mapped one.
        None => peer.ip().to_canonical().is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MECHANISMS: [AuthMechanism; 3] =
        [AuthMechanism::Plain, AuthMechanism::AmqPlain, AuthMechanism::External];

    fn peer(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    #[test]
    fn a_password_may_go_to_this_machine() {
        for address in [
            "127.0.0.1:5672",
            "127.8.9.10:1",
            "[::1]:5672",
            "[::ffff:127.0.0.1]:5672",
            "[::ffff:7fff:ffff]:5672",
        ] {
            assert!(may_log_in(None, peer(address)), "{address}");
        }
    }

    #[test]
    fn a_password_goes_to_another_only_if_asked_to() {
        for address in [
            "192.168.0.1:5672",
            "10.0.0.1:5672",
            "169.254.1.1:5672",
            "128.0.0.1:5672",
            "0.0.0.0:5672",
            "8.8.8.8:5672",
            "[::]:5672",
            "[::2]:5672",
            "[fe80::1%1]:5672",
            "[fd00::1]:5672",
            "[2001:db8::1]:5672",
            "[::ffff:192.168.0.1]:5672",
            // IPv4-compatible, which is long out of use and routed like any other.
            "[::127.0.0.1]:5672",
        ] {
            assert!(!may_log_in(None, peer(address)), "{address}");
            for mechanism in MECHANISMS {
                assert!(may_log_in(Some(mechanism), peer(address)), "{mechanism:?} {address}");
            }
        }
    }
}

//! EXTERNAL: the client certificate is the login. It takes RabbitMQ's plugin rabbitmq_auth_mechanism_ssl,
//! which the broker inside the process has nothing like: `scripted` has what is sent.

use leveret::connection::ConnectionError;
use leveret::{Client, ConnectError, SessionError};

use super::call_and_serve;
use crate::authority::Authority;
use crate::patiently;
use crate::port::{Port, Settings, Versions};
use crate::support::broker::Broker;
use crate::support::operator::User;

#[tokio::test]
#[ignore = "needs a plugin of RabbitMQ's: cargo xtask test"]
async fn a_client_certificate_is_a_login() {
    let broker = Broker::shared().await;
    enable_plugin();
    let user = User::new(&broker, ".*", ".*", ".*");
    let authority = Authority::new();
    let (certificate, client) = (authority.broker(&["localhost"]), authority.client(&user.name));
    for versions in [Versions::Only12, Versions::Only13] {
        let settings = Settings::new(&certificate).clients_of(&authority).versions(versions);
        let port = Port::with(settings).await;
        // Of user and password, nothing is sent.
        let url = port.url().replace("guest:guest", "nobody:nothing");
        let url = format!("{url}?auth_mechanism=external");
        let options = authority.trusted().client_certificate(client.pem(), client.key_pem());
        call_and_serve(&url, &options).await;

        let client = patiently(Client::builder(&url).tls(options).connect()).await.unwrap();
        let users = Broker::ctl(&["list_connections", "user"]);
        assert!(users.lines().any(|line| line == user.name), "{users}");
        client.close().await;

        let stranger = authority.client("nobody-that-the-broker-knows");
        let options = authority.trusted().client_certificate(stranger.pem(), stranger.key_pem());
        let error = patiently(Client::builder(&url).tls(options).connect()).await.unwrap_err();
        let ConnectError::Session { source: SessionError::Connection(cause), .. } = &error else {
            panic!("{error:?}")
        };
        assert!(matches!(cause, ConnectionError::LoginRefused { .. }), "{error}");
    }
}

/// The common name in the certificate is the user. The plugin looks at the options that all listeners
/// have in common, whether it may trust certificates.
fn enable_plugin() {
    Broker::ctl(&["--tool", "rabbitmq-plugins", "enable", "rabbitmq_auth_mechanism_ssl"]);
    Broker::ctl(&[
        "eval",
        "{ok, Mechanisms} = application:get_env(rabbit, auth_mechanisms), \
         application:set_env(rabbit, auth_mechanisms, lists:usort(['EXTERNAL' | Mechanisms])), \
         application:set_env(rabbit, ssl_cert_login_from, common_name), \
         application:set_env(rabbit, ssl_options, \
         [{verify, verify_peer}, {fail_if_no_peer_cert, true}]).",
    ]);
}

//! Users who may not do everything. These tests run `rabbitmqctl`.

use leveret::connection::ConnectionError;
use leveret::{CallError, Client, ConnectError, Outcome, Queue, Server, SessionError};
use leveret_codec::ReplyCode;

use super::broker::{session_error, url_of};
use super::seen::{failure, text};
use super::server::expect;
use crate::fake::PASSWORD;
use crate::support::broker::{Broker, unique};
use crate::support::service::echo;

#[tokio::test]
async fn a_server_may_not_declare_its_queue() {
    let broker = Broker::shared().await;
    let user = User::with_permissions(&broker, ["^$", ".*", ".*"]);
    let name = unique("forbidden").to_string();
    let error =
        Server::builder(user.url()).handle(Queue::new(&name), echo).start().await.unwrap_err();

    let verb = if broker.at_least(4, 0) { "configure access" } else { "access" };
    let words = format!(
        "ACCESS_REFUSED - {verb} to queue '{name}' in vhost '{}' refused for user '{}'",
        broker.virtual_host, user.name
    );
    let hint = " (the user needs the permissions configure, to declare, and read, to consume)";
    expect(&error, &name, ReplyCode::ACCESS_REFUSED, &words, hint);
}

/// Permission to write to the default exchange is all that a client needs, and this one has none.
#[tokio::test]
async fn a_client_may_not_publish() {
    let broker = Broker::shared().await;
    let user = User::with_permissions(&broker, ["^$", "^$", "^$"]);
    let client = Client::connect(&user.url()).await.unwrap();
    // As after any other refusal, the client has subscribed anew the second time.
    for _ in 0..2 {
        let error = client.call("queue", "hello").await.unwrap_err();
        let verb = if broker.at_least(4, 0) { "write access" } else { "access" };
        let text = format!(
            "ACCESS_REFUSED - {verb} to exchange 'amq.default' in vhost '{}' refused for user '{}'",
            broker.virtual_host, user.name
        );
        let words = format!("the broker closed the channel of the call: 403 {text}");
        assert_eq!(failure(&error), (words, Outcome::Unknown));
        let code = ReplyCode::ACCESS_REFUSED;
        assert_eq!(error, CallError::ChannelClosed { code, text, written: true });
    }
    client.close().await;
}

#[tokio::test]
async fn a_user_may_not_enter_the_virtual_host() {
    let broker = Broker::shared().await;
    let user = User::without_permissions(&broker);
    let error = Client::connect(&user.url()).await.unwrap_err();
    let words = format!(
        "NOT_ALLOWED - access to vhost '{}' refused for user '{}'",
        broker.virtual_host, user.name
    );
    expect_refused(&broker, &error, words);
}

/// The broker says so in answer to the virtual host, whatever the limit is about.
#[tokio::test]
async fn a_user_has_no_connection_left() {
    let broker = Broker::shared().await;
    let user = User::with_permissions(&broker, [".*", ".*", ".*"]);
    Broker::ctl(&["set_user_limits", &user.name, r#"{"max-connections": 0}"#]);
    let error = Client::connect(&user.url()).await.unwrap_err();
    let words = format!(
        "NOT_ALLOWED - connection refused for user '{}': user connection limit (0) is reached",
        user.name
    );
    expect_refused(&broker, &error, words);
}

fn expect_refused(broker: &Broker, error: &ConnectError, words: String) {
    let virtual_host = broker.virtual_host.clone();
    let (_, address) = url_of("", "", "");
    assert_eq!(
        text(error),
        format!("{address}: the broker refused the virtual host \"{virtual_host}\": {words}")
    );
    let refused = ConnectionError::VirtualHostRefused { virtual_host, text: words };
    assert_eq!(session_error(error), &SessionError::from(refused));
}

/// A user that is deleted with the test, however that ends.
struct User {
    name: String,
    virtual_host: String,
}

impl User {
    fn without_permissions(broker: &Broker) -> Self {
        let name = unique("user").to_string();
        Broker::ctl(&["add_user", &name, PASSWORD]);
        Self { name, virtual_host: broker.virtual_host.clone() }
    }

    /// To configure, to write and to read.
    fn with_permissions(broker: &Broker, permissions: [&str; 3]) -> Self {
        let user = Self::without_permissions(broker);
        let set = ["set_permissions", "--vhost", &broker.virtual_host, &user.name];
        Broker::ctl(&[&set[..], &permissions].concat());
        user
    }

    fn url(&self) -> String {
        let (url, _) = url_of(&self.name, PASSWORD, &self.virtual_host.replace('/', "%2f"));
        url
    }
}

impl Drop for User {
    fn drop(&mut self) {
        Broker::ctl(&["delete_user", &self.name]);
    }
}

//! Options that cannot be, and what is said about them before anything is sent.

use std::process::Command;

use leveret::rustls::{ClientConfig, RootCertStore, crypto::ring::default_provider};
use leveret::{Client, ConnectError, Request, Server, TlsOptions};

use crate::authority::{Authority, File};
use crate::patiently;
use crate::port::Port;

/// Nobody listens there, and nobody has to.
const URL: &str = "amqps://127.0.0.1:1,127.0.0.1:2";

/// What a person reads, from a client and from a server.
async fn complaint(url: &str, options: TlsOptions) -> String {
    let error = Client::builder(url).tls(options.clone()).connect().await.unwrap_err();
    assert!(matches!(error, ConnectError::TlsOptions(_)), "{error:?}");
    let echo = |request: Request| async move { Ok(request.into_body()) };
    let same = Server::builder(url).tls(options).handle("queue", echo).start().await.err().unwrap();
    assert_eq!(error.to_string(), same.to_string());
    let text = error.to_string();
    text.strip_prefix("TLS cannot be used: ").expect("it says what it is about").to_owned()
}

#[tokio::test]
async fn files_that_are_missing() {
    let client = Authority::new().client("alice");
    let file = File::new(client.pem());
    let missing = "/nowhere/x.pem";
    for (options, what) in [
        (TlsOptions::new().ca_file(missing), "the CA certificate"),
        (
            TlsOptions::new().client_certificate_files(missing, file.path()),
            "the client certificate",
        ),
        (
            TlsOptions::new().client_certificate_files(file.path(), missing),
            "the key to the client certificate",
        ),
    ] {
        assert_eq!(
            complaint(URL, options).await,
            format!("cannot read {what} from {missing}: No such file or directory (os error 2)")
        );
    }
    for (parameter, what) in [
        ("cacertfile=/nowhere/x.pem".to_owned(), "the CA certificate"),
        ("certfile=/nowhere/x.pem".to_owned(), "the client certificate"),
        (
            format!("certfile={}&keyfile=/nowhere/x.pem", file.path()),
            "the key to the client certificate",
        ),
    ] {
        assert_eq!(
            complaint(&format!("{URL}?{parameter}"), TlsOptions::new()).await,
            format!("cannot read {what} from {missing}: No such file or directory (os error 2)")
        );
    }
}

#[tokio::test]
async fn what_is_no_pem() {
    let client = Authority::new().client("alice");
    let no_certificate = "cannot be used: there is no BEGIN CERTIFICATE in it";
    let file = File::new("hello");
    assert_eq!(
        complaint(URL, TlsOptions::new().ca("hello")).await,
        format!("the CA certificate {no_certificate}")
    );
    assert_eq!(
        complaint(URL, TlsOptions::new().ca_file(file.path())).await,
        format!("the CA certificate in {} {no_certificate}", file.path())
    );
    assert_eq!(
        complaint(URL, TlsOptions::new().ca(client.key_pem())).await,
        format!("the CA certificate {no_certificate}")
    );
    assert_eq!(
        complaint(URL, TlsOptions::new().client_certificate(client.key_pem(), client.key_pem()))
            .await,
        format!("the client certificate {no_certificate}")
    );
    assert_eq!(
        complaint(URL, TlsOptions::new().client_certificate(client.pem(), client.pem())).await,
        "the key to the client certificate cannot be used: there is no BEGIN PRIVATE KEY in it"
    );
    let cut_off = client.pem().replace("-----END CERTIFICATE-----", "");
    let text = complaint(URL, TlsOptions::new().ca(cut_off)).await;
    assert!(text.starts_with("the CA certificate cannot be used: missing section end"), "{text}");
    let empty = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
    let text = complaint(URL, TlsOptions::new().ca(empty)).await;
    assert!(text.starts_with("the CA certificate cannot be used: invalid peer"), "{text}");
}

#[tokio::test]
async fn keys_that_do_not_fit() {
    let authority = Authority::new();
    let (alice, bob) = (authority.client("alice"), authority.client("bob"));
    let options = TlsOptions::new().client_certificate(alice.pem(), bob.key_pem());
    assert_eq!(
        complaint(URL, options).await,
        "the key to the client certificate cannot be used: it is the key to another certificate"
    );
    let encrypted = alice.key_pem().replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let file = File::new(encrypted);
    let chain = File::new(alice.pem());
    let options = TlsOptions::new().client_certificate_files(chain.path(), file.path());
    assert_eq!(
        complaint(URL, options).await,
        format!(
            "the key to the client certificate in {} cannot be used: it is encrypted: decrypt it \
             first, as `openssl pkey` does",
            file.path()
        )
    );
}

#[tokio::test]
async fn options_that_contradict_each_other() {
    let config = ClientConfig::builder_with_provider(default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let ready = TlsOptions::with_config(config.into());
    assert_eq!(
        complaint(URL, ready.ca("hello")).await,
        "a ready rustls::ClientConfig has its CAs and its client certificate: of the other \
         TlsOptions, only server_name goes with it"
    );
    assert_eq!(
        complaint("amqp://localhost", TlsOptions::new()).await,
        "the URI begins with amqp://, which is without TLS: write amqps://"
    );
    let ca = Authority::new().pem();
    assert_eq!(
        complaint(URL, TlsOptions::new().ca(ca.clone()).server_name("no host")).await,
        "\"no host\" is neither a host's name nor an address, so no certificate can be for it"
    );
    assert_eq!(
        complaint("amqps://under%20score", TlsOptions::new().ca(ca)).await,
        "\"under score\" is neither a host's name nor an address, so no certificate can be for it"
    );
}

#[test]
fn nothing_shows_a_key() {
    let client = Authority::new().client("alice");
    let options = TlsOptions::new()
        .ca(client.pem())
        .client_certificate(client.pem(), client.key_pem())
        .server_name("rabbit.example");
    let builder = Client::builder(URL).tls(options.clone());
    for shown in [format!("{options:?}"), format!("{options:#?}"), format!("{builder:?}")] {
        assert!(shown.contains("rabbit.example") && !shown.contains("KEY"), "{shown}");
        let secret = client.key_pem();
        let line = secret.lines().nth(1).unwrap();
        let octets =
            format!("{}, {}, {}", line.as_bytes()[0], line.as_bytes()[1], line.as_bytes()[2]);
        assert!(!shown.contains(line) && !shown.contains(&octets), "{shown}");
    }
}

/// Which CAs the system trusts is asked of the environment, which no test can change for itself: so the
/// test runs itself again, as the client.
#[tokio::test]
async fn admin_the_cas_of_the_system_are_trusted() {
    const NAME: &str = "options::admin_the_cas_of_the_system_are_trusted";
    const CLIENT_OF: &str = "LEVERET_TEST_TLS_CLIENT_OF";
    if let Ok(url) = std::env::var(CLIENT_OF) {
        match patiently(Client::connect(&url)).await {
            Ok(client) => return client.close().await,
            Err(error) => panic!("{error}"),
        }
    }
    let (authority, other) = (Authority::new(), Authority::new());
    let certificate = authority.broker(&["localhost"]);
    let port = Port::new(&certificate).await;
    let own = File::new(other.pem());
    let with_own_ca = format!("{}?cacertfile={}", port.url(), own.path());
    for (ca, url, words) in [
        (authority.pem(), port.url(), "1 passed"),
        (other.pem(), port.url(), "signed by no CA that is trusted here"),
        ("nothing".to_owned(), port.url(), "this machine trusts no CA"),
        // One's own take the place of the system's.
        (authority.pem(), with_own_ca, "signed by no CA that is trusted here"),
    ] {
        let system = File::new(ca);
        let mut client = Command::new(std::env::current_exe().unwrap());
        client
            .args(["--exact", NAME])
            .env(CLIENT_OF, url)
            .env("SSL_CERT_FILE", system.path())
            .env_remove("SSL_CERT_DIR");
        let output = tokio::task::spawn_blocking(move || client.output()).await.unwrap().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(text.contains(words), "{text}");
    }
}

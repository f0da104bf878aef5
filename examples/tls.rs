//! A server and a client over TLS, with a CA of one's own: `cargo xtask rabbitmq start --tls` starts a
//! broker that has one, and says where its certificates lie.
//!
//! ```sh
//! AMQP_URL=amqps://guest:guest@localhost:25101 CA=.../ca.pem cargo run --features tls --example tls
//! ```
//!
//! Without `CA`, the system's CAs are trusted. `CERTIFICATE` and `KEY` are a client certificate and its key.

use std::env;
use std::process::ExitCode;

use leveret::{Client, Request, Server, TlsOptions};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let url = env::var("AMQP_URL").map_err(|_| "AMQP_URL is to be amqps://user:password@host")?;
    let mut tls = TlsOptions::new();
    if let Ok(ca) = env::var("CA") {
        tls = tls.ca_file(ca);
    }
    if let (Ok(certificate), Ok(key)) = (env::var("CERTIFICATE"), env::var("KEY")) {
        tls = tls.client_certificate_files(certificate, key);
    }

    let server = Server::builder(&url)
        .tls(tls.clone())
        .handle("leveret.tls", |request: Request| async move {
            Ok(format!("{} in confidence", request.text()?))
        })
        .start()
        .await?;
    let client = Client::builder(&url).tls(tls).connect().await?;
    println!("{}", client.call("leveret.tls", "Good morning").await?.text()?);

    client.close().await;
    server.shutdown().await?;
    Ok(())
}

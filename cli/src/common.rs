//! [`Common`]: where the broker is, and how to be its guest. Each command that connects does it so.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use leveret::{Client, ClientBuilder, Server, ServerBuilder, TlsOptions};

#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Common {
    /// The broker: amqp://user:password@host:port/vhost, or amqps://...
    ///
    /// Other users of this machine can see what is on a command line: a password is better off in
    /// AMQP_URL. Over a network, it is sent with amqps:// only, or where the URL ends in
    /// ?auth_mechanism=plain.
    #[arg(
        long,
        global = true,
        env = "AMQP_URL",
        hide_env_values = true,
        default_value = "amqp://localhost"
    )]
    pub(crate) url: String,

    /// The CA that has signed the broker's certificate, in PEM, instead of the system's CAs
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) cacert: Option<PathBuf>,

    /// The client certificate, in PEM
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) cert: Option<PathBuf>,

    /// The key of the client certificate, in PEM, if it is not in the same file
    #[arg(long, global = true, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,

    /// How long connecting may take, as in 2s or 500ms [default: 10s]
    #[arg(long, global = true, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(crate) connect_timeout: Option<Duration>,
}

/// As the broker's log and management pages show it.
const CONNECTION_NAME: &str = "leveret-cli";

impl Common {
    /// A client to be configured further.
    pub(crate) fn client(&self) -> ClientBuilder {
        let mut builder = Client::builder(self.url.as_str()).connection_name(CONNECTION_NAME);
        if let Some(tls) = self.tls() {
            builder = builder.tls(tls);
        }
        match self.connect_timeout {
            Some(timeout) => builder.connect_timeout(timeout),
            None => builder,
        }
    }

    /// A server to be configured further.
    pub(crate) fn server(&self) -> ServerBuilder {
        let mut builder = Server::builder(self.url.as_str()).connection_name(CONNECTION_NAME);
        if let Some(tls) = self.tls() {
            builder = builder.tls(tls);
        }
        match self.connect_timeout {
            Some(timeout) => builder.connect_timeout(timeout),
            None => builder,
        }
    }

    /// What the options say of TLS, if anything. Leveret refuses it where the URL asks for no TLS.
    fn tls(&self) -> Option<TlsOptions> {
        let mut options = TlsOptions::new();
        if let Some(ca) = &self.cacert {
            options = options.ca_file(ca);
        }
        if let Some(certificate) = &self.cert {
            options = options
                .client_certificate_files(certificate, self.key.as_ref().unwrap_or(certificate));
        }
        (self.cacert.is_some() || self.cert.is_some()).then_some(options)
    }
}

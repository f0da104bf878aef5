//! `call`: one request, or several in turn, and what comes back.

use std::io::{IsTerminal, Read, Write};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use leveret::{CallError, Client, Reconnect, Reply};

use crate::common::Common;
use crate::failure::{Failure, USAGE};
use crate::interrupt::unless_interrupted;
use crate::properties::{self, printable};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The queue; with --exchange, the routing key
    queue: String,

    /// The request's body: a text, - for stdin, or @FILE [default: empty]
    ///
    /// A text that is - or begins with @ has to come from stdin. One that begins with - and is no number
    /// has to follow --.
    #[arg(allow_negative_numbers = true)]
    body: Option<String>,

    /// A header, as text; may be given several times
    #[arg(short = 'H', long = "header", value_name = "KEY:VALUE", value_parser = header)]
    headers: Vec<(String, String)>,

    /// The MIME type of the body, such as application/json
    #[arg(short = 'T', long, value_name = "TYPE")]
    content_type: Option<String>,

    /// How long to wait for each reply, as in 2s or 500ms
    #[arg(
        short,
        long,
        value_name = "DURATION",
        default_value = "30s",
        value_parser = humantime::parse_duration
    )]
    timeout: Duration,

    /// Publish to this exchange, with QUEUE as the routing key
    #[arg(long)]
    exchange: Option<String>,

    /// Use a channel for this call alone, as for servers that do not send the correlation-id back
    #[arg(long)]
    own_channel: bool,

    /// Send the request N times, each after the reply to the one before, and print all replies
    ///
    /// Each ends in a newline then, unless --raw is given.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    replies: u64,

    /// Print the reply as it is, on a terminal, too, where otherwise a newline follows it
    #[arg(long, conflicts_with = "json")]
    raw: bool,

    /// Print the reply as indented JSON, or fail if it is none
    #[arg(long)]
    json: bool,

    /// Print each reply's properties on stderr, and a fault's body
    #[arg(short, long)]
    verbose: bool,
}

pub(crate) async fn run(options: &Options, common: &Common) -> Result<(), Failure> {
    unless_interrupted(async {
        let body = body(options.body.as_deref()).await?;
        // What is lost is not called again: that is for the user to decide.
        let client = common.client().reconnect(Reconnect::never()).connect().await?;
        for _ in 0..options.replies {
            match request(options, &client, body.clone()).await {
                Ok(reply) => options.print(&reply)?,
                Err(error) => {
                    options.tell_of_fault(&error);
                    client.close().await;
                    return Err(error.into());
                }
            }
        }
        client.close().await;
        Ok(())
    })
    .await
}

async fn request(options: &Options, client: &Client, body: Bytes) -> Result<Reply, CallError> {
    let mut request = client.request(&options.queue).body(body).timeout(options.timeout);
    for (name, value) in &options.headers {
        request = request.header(name, value.as_str());
    }
    if let Some(content_type) = &options.content_type {
        request = request.content_type(content_type);
    }
    if let Some(exchange) = &options.exchange {
        request = request.exchange(exchange);
    }
    if options.own_channel {
        request = request.own_channel();
    }
    request.send().await
}

impl Options {
    fn print(&self, reply: &Reply) -> Result<(), Failure> {
        if self.verbose {
            let headers = properties::headers(&reply.properties);
            let headers = headers.map(|(name, value)| (format!("header {name}"), value));
            let named = properties::named(&reply.properties).into_iter();
            for (name, value) in named.map(|(name, value)| (name.to_owned(), value)).chain(headers)
            {
                let name = printable(&name);
                anstream::eprintln!("{NAME}{name}:{NAME:#} {}", printable(&value));
            }
        }
        let mut octets = match self.json {
            true => pretty(&reply.body)?,
            false => reply.body.to_vec(),
        };
        let mut stdout = std::io::stdout().lock();
        if self.json || !self.raw && (self.replies > 1 || stdout.is_terminal()) {
            octets.push(b'\n');
        }
        stdout.write_all(&octets).and_then(|()| stdout.flush()).map_err(Failure::of_stdout)
    }

    fn tell_of_fault(&self, error: &CallError) {
        if let CallError::Fault(fault) = error
            && self.verbose
            && !fault.body().is_empty()
        {
            let body = String::from_utf8_lossy(fault.body());
            anstream::eprintln!("{NAME}the fault's body:{NAME:#} {}", printable(&body));
        }
    }
}

const NAME: anstyle::Style = anstyle::AnsiColor::Cyan.on_default();

fn pretty(body: &[u8]) -> Result<Vec<u8>, Failure> {
    serde_json::from_slice::<serde_json::Value>(body)
        .and_then(|value| serde_json::to_vec_pretty(&value))
        .map_err(|error| {
            Failure::other(format!("the reply is no JSON: {error}"))
                .hint("without --json, it is printed as it is")
        })
}

async fn body(argument: Option<&str>) -> Result<Bytes, Failure> {
    match argument {
        None => Ok(Bytes::new()),
        Some("-") => {
            read("stdin", || {
                let mut octets = Vec::new();
                std::io::stdin().lock().read_to_end(&mut octets).map(|_| octets)
            })
            .await
        }
        Some(text) => match text.strip_prefix('@') {
            Some(path) => {
                let path = Path::new(path).to_owned();
                read(&path.display().to_string(), || std::fs::read(path)).await
            }
            None => Ok(Bytes::from(text.to_owned())),
        },
    }
}

/// On a thread of its own: Ctrl-C does not wait for a terminal's user.
async fn read(
    what: &str,
    read: impl FnOnce() -> std::io::Result<Vec<u8>> + Send + 'static,
) -> Result<Bytes, Failure> {
    let octets = tokio::task::spawn_blocking(read).await;
    let octets = octets.map_err(|error| Failure::other(format!("cannot read {what}: {error}")))?;
    octets
        .map(Bytes::from)
        .map_err(|error| Failure::new(USAGE, format!("cannot read {what}: {error}")))
}

fn header(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once(':').ok_or("there is no \":\" between name and value")?;
    if name.is_empty() {
        return Err("there is no name before the \":\"");
    }
    Ok((name.to_owned(), value.trim_start_matches(' ').to_owned()))
}

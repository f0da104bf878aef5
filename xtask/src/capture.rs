//! `cargo xtask capture`: known answers for the codec, from a real conversation.
//!
//! A proxy between a program and RabbitMQ writes down each direction of each connection.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use clap::Args;

use crate::{Result, process, python::Interpreters, rabbitmq::Broker, workspace};

/// A client that is not Leveret's, so that the answers are not our own.
const DEFAULT_PROGRAM: [&str; 3] =
    ["sh", "-c", "exec \"$LEVERET_PYTHON\" tests/peers/conversation.py"];

#[derive(Args)]
pub(crate) struct Options {
    /// The RabbitMQ to talk to: 3.10, 4.0 or 4.3
    version: String,

    /// The program to record, run with AMQP_URL set [default: tests/peers/conversation.py]
    #[arg(last = true, value_name = "COMMAND")]
    program: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result {
    let broker = Broker::start("capture", &options.version)?;
    let directory =
        workspace().join("codec/tests/captures").join(format!("rabbitmq-{}", options.version));
    clear(&directory)?;

    let listener = TcpListener::bind("127.0.0.1:0")?;
    let (before, upstream, after) = split_uri(broker.uri())?;
    let uri = format!("{before}{}{after}", listener.local_addr()?);
    let proxy = Proxy { upstream, directory, relays: Arc::default() };
    let relays = Arc::clone(&proxy.relays);
    thread::spawn(move || proxy.serve(&listener));

    let mut words = options.program.iter().map(String::as_str).collect::<Vec<_>>();
    let python = if words.is_empty() {
        words.extend(DEFAULT_PROGRAM);
        Some(Interpreters::prepare()?)
    } else {
        None
    };
    let mut program = Command::new(words[0]);
    program.args(&words[1..]).current_dir(workspace()).env("AMQP_URL", uri);
    if let Some(python) = python {
        python.describe_to(&mut program);
    }
    let status = process::run(&mut program)?;

    // With the program gone its connections are over, but perhaps not all written.
    let relays = std::mem::take(&mut *relays.lock().unwrap_or_else(PoisonError::into_inner));
    let connections = relays.len() / 2;
    for relay in relays {
        relay.join().expect("a relay does not panic")?;
    }
    eprintln!("xtask: recorded {connections} connection(s)");
    if status.success() { Ok(()) } else { Err(format!("{}: {status}", words[0]).into()) }
}

/// Removes earlier captures, so that none of a longer run stays behind.
fn clear(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "bin") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// What comes before the address in `amqp://user:password@host:port/vhost`, the address and
/// what comes after.
fn split_uri(uri: &str) -> Result<(&str, SocketAddr, &str)> {
    let start = uri.find('@').ok_or("no credentials in the broker's URI")? + 1;
    let length = uri[start..].find('/').ok_or("no vhost in the broker's URI")?;
    let (address, after) = uri[start..].split_at(length);
    Ok((&uri[..start], address.parse()?, after))
}

struct Proxy {
    upstream: SocketAddr,
    directory: PathBuf,
    relays: Arc<Mutex<Vec<JoinHandle<io::Result<()>>>>>,
}

impl Proxy {
    fn serve(&self, listener: &TcpListener) {
        for (index, client) in listener.incoming().enumerate() {
            if let Err(error) = client.and_then(|client| self.connect(index + 1, client)) {
                eprintln!("xtask: connection {}: {error}", index + 1);
            }
        }
    }

    fn connect(&self, number: usize, client: TcpStream) -> io::Result<()> {
        let server = TcpStream::connect(self.upstream)?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let sent = File::create(self.directory.join(format!("{number}-client.bin")))?;
        let received = File::create(self.directory.join(format!("{number}-server.bin")))?;
        let (client_writer, server_writer) = (client.try_clone()?, server.try_clone()?);
        self.relays.lock().unwrap_or_else(PoisonError::into_inner).extend([
            thread::spawn(move || relay(client, server_writer, sent)),
            thread::spawn(move || relay(server, client_writer, received)),
        ]);
        Ok(())
    }
}

/// Copies one direction until it ends, into the record first.
fn relay(mut from: TcpStream, mut to: TcpStream, mut record: File) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    // A connection that one end resets is over like any other.
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        record.write_all(&buffer[..length])?;
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    Ok(())
}

//! leveret broker, with a client of Leveret's that calls through it.

use std::time::Duration;

use leveret::{CallError, Client, Queue, Request, Server};
use nix::sys::signal::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::program::{Running, leveret, patiently, run};

async fn echo(url: &str) -> Server {
    Server::builder(url)
        .connection_name("server")
        .handle(Queue::new("echo"), |request: Request| async move { Ok(request.into_body()) })
        .start()
        .await
        .unwrap()
}

/// It does not fall for a client that reconnects while it ends.
#[tokio::test]
async fn calls_go_through_it_until_a_signal_ends_it() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let broker = Running::broker(&["--port", "0"]).await;
        let server = echo(&broker.url).await;
        let client = Client::connect(broker.url.as_str()).await.unwrap();
        let reply = patiently(client.call("echo", "hello")).await.unwrap();
        assert_eq!(reply.text(), Ok("hello"));
        let error = client.call("nobody", "hello").await.unwrap_err();
        assert!(matches!(error, CallError::Unroutable { .. }), "{error}");

        broker.signal(signal);
        let (status, stderr) = broker.end().await;
        assert_eq!(status.code(), Some(0), "{signal}");
        assert_eq!(stderr, "behaves as RabbitMQ 4.3.6 and keeps nothing on disk; Ctrl-C ends it\n");
        drop((client, server));
    }
}

#[tokio::test]
async fn its_clients_are_told_that_it_ends() {
    let broker = Running::broker(&["--port", "0"]).await;
    let builder = Client::builder(broker.url.as_str());
    let client = builder.reconnect(leveret::Reconnect::never()).connect().await.unwrap();
    broker.signal(Signal::SIGTERM);
    let error = patiently(client.closed()).await.unwrap_err().to_string();
    assert!(error.contains("320") && error.contains("shutdown"), "{error}");
    assert_eq!(broker.end().await.0.code(), Some(0));
}

/// A peer that says nothing holds it up for two seconds, and no longer.
#[tokio::test]
async fn a_client_that_is_silent_does_not_keep_it() {
    let broker = Running::broker(&["--port", "0"]).await;
    let mut socket = TcpStream::connect(broker.url.trim_start_matches("amqp://")).await.unwrap();
    socket.write_all(b"AMQP\x00\x00\x09\x01").await.unwrap();
    socket.read_u8().await.unwrap();
    broker.signal(Signal::SIGINT);
    let ended = tokio::time::timeout(Duration::from_secs(20), broker.end()).await;
    assert_eq!(ended.unwrap().0.code(), Some(0));
}

#[tokio::test]
async fn it_behaves_as_it_is_told() {
    for (name, version) in [("3.10", "3.10.8"), ("4.0", "4.0.5"), ("4.3", "4.3.6")] {
        let broker = Running::broker(&["--port", "0", "--as", name]).await;
        let client = Client::connect(broker.url.as_str()).await.unwrap();
        let properties = client.server_properties();
        assert_eq!(properties.get("version").unwrap().as_str(), Some(version));
        client.close().await;
        broker.signal(Signal::SIGINT);
        assert_eq!(broker.end().await.0.code(), Some(0));
    }
    let said = run(&["broker", "--as", "3.9"]).await;
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.stderr.contains("3.10, 4.0, 4.3"), "{said:?}");
}

#[tokio::test]
async fn a_port_can_be_chosen_and_may_be_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let said = run(&["broker", "--port", &port]).await;
    assert_eq!((said.code, said.stdout.as_str()), (Some(1), ""));
    let expected = format!("leveret: cannot listen on 127.0.0.1:{port}: Address already in use");
    assert!(said.stderr.starts_with(&expected), "{}", said.stderr);
    assert!(said.stderr.contains("--port 0"), "{}", said.stderr);

    drop(taken);
    let broker = Running::broker(&["--port", &port]).await;
    assert_eq!(broker.url, format!("amqp://127.0.0.1:{port}"));
    broker.signal(Signal::SIGINT);
    assert_eq!(broker.end().await.0.code(), Some(0));
}

#[tokio::test]
async fn without_a_port_it_is_that_of_amqp() {
    let said = run(&["broker", "--help"]).await;
    assert!(said.stdout.contains("[default: 5672]"), "{}", said.stdout);
}

/// Each frame with its connection and its direction, as leveret decode prints it.
#[tokio::test]
async fn a_trace_has_the_frames_of_all_connections() {
    let mut broker = Running::broker(&["--port", "0", "--trace"]).await;
    let server = echo(&broker.url).await;
    let client = Client::connect(broker.url.as_str()).await.unwrap();
    patiently(client.call("echo", "hello")).await.unwrap();
    client.close().await;
    server.shutdown().await.unwrap();
    let mut lines = Vec::new();
    let mut ended = 0;
    while ended < 2 {
        let line = broker.line().await.unwrap();
        ended += usize::from(line.ends_with("] ended"));
        lines.push(line);
    }
    broker.signal(Signal::SIGINT);
    assert_eq!(broker.end().await.0.code(), Some(0));

    let position = |start: &str| {
        let found = lines.iter().position(|line| line.starts_with(start));
        found.unwrap_or_else(|| panic!("{start} is not in {lines:#?}"))
    };
    // 1 is the server and 2 the client: a request, its delivery, the reply, its delivery.
    let order = [
        "[2] client -> protocol header AMQP 0 0 9 1",
        "[2] client <- 0 connection.start ",
        "[2] client -> 0 connection.start-ok ",
        "[2] client -> 1 basic.consume queue=\"amq.rabbitmq.reply-to\" ",
        "[2] client -> 1 basic.publish exchange=\"\" routing-key=\"echo\" mandatory=true ",
        "[2] client -> 1 body of 5 octets: \"hello\"",
        "[1] client <- 1 basic.deliver consumer-tag=",
        "[1] client -> 1 basic.publish exchange=\"\" routing-key=\"amq.rabbitmq.reply-to.",
        "[2] client <- 1 basic.deliver consumer-tag=",
        "[2] client -> 0 connection.close ",
        "[2] client <- 0 connection.close-ok",
        "[2] ended",
    ]
    .map(position);
    assert!(order.is_sorted(), "{order:?} in {lines:#?}");
    let login = &lines[order[2]];
    assert!(login.contains("response=***") && !login.contains("guest"), "{login}");
}

#[tokio::test]
async fn a_trace_tells_where_there_are_no_frames() {
    let mut broker = Running::broker(&["--port", "0", "--trace"]).await;
    let address = broker.url.trim_start_matches("amqp://").to_owned();
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    patiently(socket.read_to_end(&mut answer)).await.unwrap();
    let lines = [broker.line().await, broker.line().await, broker.line().await];
    let expected = [
        "[1] client -> no frames any more: offset 0 (0x0): frame, octet 0: 0x47 is no frame type",
        "[1] client <- protocol header AMQP 3 1 0 0",
        "[1] ended",
    ];
    assert_eq!(lines, expected.map(|line| Some(line.to_owned())));
}

/// Whoever watches has gone: the broker goes as well, and says why.
#[tokio::test]
async fn a_trace_that_nobody_takes_ends_it() {
    let mut child = leveret(&["broker", "--port", "0", "--trace"]).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut url = String::new();
    while !url.ends_with('\n') {
        url.push(char::from(stdout.read_u8().await.unwrap()));
    }
    drop(stdout);
    let client = Client::connect(url.trim()).await;
    let output = patiently(child.wait_with_output()).await.unwrap();
    drop(client);
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("cannot write to stdout: Broken pipe"), "{stderr}");
}

//! What goes wrong, and the exit code that says so.

use std::process::Stdio;

use nix::sys::signal::Signal;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::support::admin::queue;
use crate::support::broker::{address, unique, url_at};
use crate::support::fifo::Gate;
use crate::support::relay::Relay;
use crate::support::{leveret, serve};

#[tokio::test]
async fn wrong_arguments_are_2() {
    leveret(&["call"]).run().await.failed(2, "<QUEUE>");
    leveret(&["call", "q", "", "-H", "no colon"]).run().await.failed(2, "there is no \":\"");
    leveret(&["call", "q", "", "-H", ":value"]).run().await.failed(2, "there is no name");
    leveret(&["call", "q", "-t", "soon"]).run().await.failed(2, "--timeout");
    leveret(&["call", "q", "--raw", "--json"]).run().await.failed(2, "cannot be used with");
    leveret(&["call", "q", "--replies", "0"]).run().await.failed(2, "--replies");
    leveret(&["serve", "q"]).run().await.failed(2, "--echo");
    leveret(&["serve", "q", "--echo", "--body", "x"]).run().await.failed(2, "cannot be used with");
    let name = "q".repeat(256);
    leveret(&["call", &name]).run().await.failed(2, "the queue");
    leveret(&["ping", &name]).run().await.failed(2, "the queue");
    let header = format!("{}:x", "h".repeat(256));
    leveret(&["call", "q", "", "-H", &header]).run().await.failed(2, "a header");
}

#[tokio::test]
async fn a_wrong_url_is_2_and_shows_no_password() {
    for url in ["http://alice:open-sesame@host", "amqp://alice:open-sesame@host:port"] {
        let ended = leveret(&["call", "q", "--url", url]).run().await;
        ended.failed(2, "");
        assert!(!ended.stderr.contains("open-sesame"), "{}", ended.stderr);
    }
    let help = leveret(&["call", "--help"]).env("AMQP_URL", "amqp://alice:open-sesame@host");
    let help = help.run().await;
    assert!(help.stdout.contains("AMQP_URL") && !help.stdout.contains("open-sesame"));
}

#[tokio::test]
async fn no_broker_is_3_for_each_command() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("amqp://{}", listener.local_addr().unwrap());
    drop(listener);
    for command in [&["call", "q"][..], &["serve", "q", "--echo"], &["ping"]] {
        let ended = leveret(&[command, &["--url", &url]].concat()).run().await;
        ended.failed(3, "nothing listens there");
        leveret(command).env("AMQP_URL", &url).run().await.failed(3, "nothing listens there");
    }
}

#[tokio::test]
async fn a_silent_broker_is_3_after_the_connect_timeout() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("amqp://{}", listener.local_addr().unwrap());
    for command in [&["call", "q"][..], &["serve", "q", "--echo"], &["ping"]] {
        let limit = ["--url", &url, "--connect-timeout", "200ms"];
        let ended = leveret(&[command, &limit].concat()).run().await;
        ended.failed(3, "it was silent");
    }
}

#[tokio::test]
async fn a_refused_login_is_3_for_each_command() {
    let url = format!("amqp://leveret-nobody:wrong@{}?auth_mechanism=plain", address());
    for command in [&["call", "q"][..], &["serve", "q", "--echo"], &["ping"]] {
        let ended = leveret(&[command, &["--url", &url]].concat()).run().await;
        ended.failed(3, "refused the login");
    }
}

#[tokio::test]
async fn a_queue_that_does_not_exist_is_4() {
    let name = unique("missing");
    leveret(&["call", &name]).run().await.failed(4, "there is no queue");
    leveret(&["ping", &name]).run().await.failed(4, "there is no queue");
    let served = leveret(&["serve", &name, "--echo", "--passive"]).run().await;
    served.failed(4, "it is to exist already");
}

#[tokio::test]
async fn no_reply_in_time_is_5() {
    let queue = queue("timeout").await;
    leveret(&["call", &queue, "-t", "200ms"]).run().await.failed(5, "no reply within 200ms");
    leveret(&["call", &queue, "--timeout", "0s"]).run().await.failed(5, "no reply within 0ns");
}

#[tokio::test]
async fn a_fault_is_6_and_verbose_shows_its_body() {
    let queue = queue("fault").await;
    let command = "echo details; echo out of stock >&2; exit 3";
    let _server = serve(&queue, &["--exec", "sh", "-c", command]).await;
    let ended = leveret(&["call", &queue]).run().await;
    ended.failed(6, "exit-3: out of stock");
    assert!(!ended.stderr.contains("details"), "{}", ended.stderr);
    leveret(&["call", &queue, "-v"]).run().await.failed(6, "the fault's body: details");
}

#[tokio::test]
async fn a_connection_lost_during_the_call_is_7() {
    let queue = queue("lost").await;
    let mut gate = Gate::new();
    let _server = serve(&queue, &["--exec", "sh", "-c", &gate.command()]).await;
    let relay = Relay::start().await;
    let call = leveret(&["call", &queue, "--url", &relay.url]).start();
    gate.has_begun().await;
    relay.cut();
    call.ended().await.failed(7, "the request may have run");
    gate.let_go().await;
}

#[tokio::test]
async fn an_interrupted_call_is_130() {
    let queue = queue("interrupted").await;
    let mut gate = Gate::new();
    let _server = serve(&queue, &["--exec", "sh", "-c", &gate.command()]).await;
    let call = leveret(&["call", &queue]).start();
    gate.has_begun().await;
    call.signal(Signal::SIGINT);
    call.ended().await.failed(130, "interrupted");
    gate.let_go().await;
}

#[tokio::test]
async fn who_waits_for_stdin_can_be_interrupted() {
    let mut call = leveret(&["call", "q", "-"]);
    call.command().stdin(Stdio::piped());
    let mut call = call.start();
    // More than a pipe holds: it is being read when this is done.
    let mut stdin = call.stdin();
    stdin.write_all(&[b'x'; 1 << 20]).await.unwrap();
    call.signal(Signal::SIGINT);
    call.ended().await.failed(130, "interrupted");
    drop(stdin);
}

#[tokio::test]
async fn a_url_of_the_command_line_counts_more_than_the_environment() {
    let queue = queue("url").await;
    let _server = serve(&queue, &["--echo"]).await;
    let url = url_at("amqp", &address());
    let call = leveret(&["--url", &url, "call", &queue, "hello"]).env("AMQP_URL", "nonsense");
    call.run().await.printed("hello");
}

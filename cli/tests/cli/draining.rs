//! `serve`: how it ends.

use nix::sys::signal::Signal;

use crate::support::admin::queue;
use crate::support::fifo::Gate;
use crate::support::{leveret, serve};

#[tokio::test]
async fn a_signal_lets_it_answer_what_it_has_begun() {
    for (signal, name) in [(Signal::SIGINT, "SIGINT"), (Signal::SIGTERM, "SIGTERM")] {
        let queue = queue("drained").await;
        let mut gate = Gate::new();
        let mut server = serve(&queue, &["--exec", "sh", "-c", &gate.command()]).await;
        let call = leveret(&["call", &queue, "hello"]).start();
        gate.has_begun().await;
        server.signal(signal);
        server.says(&format!("{name}: taking no more requests")).await;
        gate.let_go().await;
        call.ended().await.printed("hello");
        let ended = server.ended().await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stderr.contains("answered 1 requests"), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once_and_the_request_goes_back() {
    let queue = queue("aborted").await;
    let mut gate = Gate::new();
    let mut server = serve(&queue, &["--exec", "sh", "-c", &gate.command()]).await;
    let _call = leveret(&["call", &queue, "hello"]).start();
    gate.has_begun().await;
    server.signal(Signal::SIGTERM);
    server.says("SIGTERM: taking no more requests").await;
    server.signal(Signal::SIGINT);
    server.ended().await.failed(130, "interrupted");

    let again = ["--count", "1", "--exec", "sh", "-c", "echo $LEVERET_REDELIVERED"];
    let server = serve(&queue, &again).await.ended().await;
    assert!(server.stderr.contains("answered 1 requests"), "{}", server.stderr);
}

#[tokio::test]
async fn a_server_without_requests_ends_at_once() {
    let queue = queue("idle").await;
    let server = serve(&queue, &["--echo"]).await;
    server.signal(Signal::SIGINT);
    let ended = server.ended().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

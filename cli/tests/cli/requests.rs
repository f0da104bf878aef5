//! `call`: what else than a body goes with a request, and comes with its reply.

use crate::support::admin::{Admin, queue};
use crate::support::{leveret, serve};

#[tokio::test]
async fn headers_and_content_type_reach_the_server_and_verbose_shows_what_comes_back() {
    let queue = queue("properties").await;
    let _server = serve(&queue, &["--echo"]).await;
    let call = leveret(&[
        "call",
        &queue,
        "{}",
        "-H",
        "tenant:acme",
        "--header",
        "at: 10:30",
        "-T",
        "application/json",
        "-v",
    ]);
    let ended = call.run().await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "{}"));
    for line in ["content-type: application/json\n", "header tenant: acme\n", "header at: 10:30\n"]
    {
        assert!(ended.stderr.contains(line), "{line:?} is not in: {}", ended.stderr);
    }
    let long = leveret(&["call", &queue, "", "--content-type", "text/plain", "--verbose"]);
    assert!(long.run().await.stderr.contains("content-type: text/plain\n"));
}

#[tokio::test]
async fn what_a_server_sends_does_not_reach_the_terminal_as_escape_sequences() {
    let queue = queue("escapes").await;
    let _server = serve(&queue, &["--echo"]).await;
    let ended = leveret(&["call", &queue, "", "-H", "title:\x1b[2Jgone", "-v"]).run().await;
    assert!(ended.stderr.contains("header title: \\u{1b}[2Jgone\n"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_server_that_keeps_the_correlation_id_to_itself_is_called_on_an_own_channel() {
    let queue = queue("own-channel").await;
    let mut server = Admin::connect().await;
    let call = leveret(&["call", &queue, "hello", "--own-channel"]).run();
    let (ended, ()) = tokio::join!(call, server.answer_without_correlation_id(&queue));
    ended.printed("hello");
}

#[tokio::test]
async fn the_default_exchange_takes_a_request_and_others_say_no() {
    let queue = queue("exchange").await;
    let _server = serve(&queue, &["--echo"]).await;
    leveret(&["call", &queue, "hello", "--exchange", ""]).run().await.printed("hello");
    let unbound = leveret(&["call", &queue, "hello", "--exchange", "amq.direct"]).run().await;
    unbound.failed(4, "exchange \"amq.direct\" has no route");
    let missing = leveret(&["call", &queue, "hello", "--exchange", "no-such-exchange"]).run().await;
    missing.failed(4, "no exchange 'no-such-exchange'");
}

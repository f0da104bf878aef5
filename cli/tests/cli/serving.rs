//! `serve`: what a request is answered with.

use tokio::task::JoinSet;

use crate::support::admin::{Admin, queue};
use crate::support::broker::unique;
use crate::support::{leveret, serve};

#[tokio::test]
async fn a_text_answers_whatever_comes() {
    let queue = queue("text").await;
    let _server = serve(&queue, &["--body", "pong"]).await;
    leveret(&["call", &queue, "anything"]).run().await.printed("pong");
}

#[tokio::test]
async fn a_queue_is_declared_unless_it_is_passive() {
    let name = unique("declared");
    let mut server = leveret(&["serve", &name, "--echo"]).start();
    server.says(&format!("serving {name}")).await;
    leveret(&["call", &name, "hello"]).run().await.printed("hello");
    Admin::connect().await.delete(&name).await;

    // Not durable with x-expires, as `serve` would declare it.
    let other = queue("other").await;
    leveret(&["serve", &other, "--echo"]).run().await.failed(1, "other attributes");
}

#[tokio::test]
async fn a_command_finds_the_body_on_stdin_and_the_properties_in_its_environment() {
    let queue = queue("environment").await;
    let command = "cat; echo; env | grep ^LEVERET_";
    let _server = serve(&queue, &["--exec", "sh", "-c", command]).await;
    let call =
        leveret(&["call", &queue, "hello", "-T", "text/plain", "-H", "x-tenant:acme", "-t", "20s"]);
    let ended = call.run().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let lines: Vec<_> = ended.stdout.lines().collect();
    assert_eq!(lines[0], "hello");
    for line in [
        &format!("LEVERET_QUEUE={queue}"),
        &format!("LEVERET_ROUTING_KEY={queue}"),
        "LEVERET_EXCHANGE=",
        "LEVERET_REDELIVERED=0",
        "LEVERET_CONTENT_TYPE=text/plain",
        "LEVERET_HEADER_X_TENANT=acme",
    ] {
        assert!(lines.contains(&line), "{line} is not in {lines:#?}");
    }
    for name in [
        "LEVERET_CORRELATION_ID",
        "LEVERET_REPLY_TO",
        "LEVERET_MESSAGE_ID",
        "LEVERET_DELIVERY_MODE",
        "LEVERET_EXPIRATION",
    ] {
        assert!(
            lines.iter().any(|line| line.starts_with(&format!("{name}="))),
            "{name}: {lines:#?}"
        );
    }
    let left = lines.iter().find_map(|line| line.strip_prefix("LEVERET_TIME_LEFT_MS="));
    let left: u64 = left.unwrap().parse().unwrap();
    assert!((1..=20_000).contains(&left), "{left}");
}

#[tokio::test]
async fn a_command_may_be_faster_than_its_stdin() {
    let queue = queue("unread").await;
    let _server = serve(&queue, &["--exec", "echo", "-n", "done"]).await;
    let body = "x".repeat(1 << 20);
    leveret(&["call", &queue, "-"]).run_with(&body).await.printed("done");
}

#[tokio::test]
async fn a_large_body_goes_in_and_comes_out_at_the_same_time() {
    let queue = queue("large").await;
    let _server = serve(&queue, &["--exec", "cat"]).await;
    let body = "0123456789abcde\n".repeat(1 << 16);
    leveret(&["call", &queue, "-"]).run_with(&body).await.printed(&body);
}

#[tokio::test]
async fn what_becomes_of_a_command_is_said() {
    for (command, said) in [
        (&["sh", "-c", "kill -9 $$"][..], "signal-9: "),
        (&["sh", "-c", "head -c 5000 /dev/zero | tr '\\0' x >&2; echo end >&2; exit 1"], "xend\n"),
        (&["/no/such/program"], "exec: cannot run /no/such/program"),
    ] {
        let queue = queue("failing").await;
        let _server = serve(&queue, &[&["--exec"], command].concat()).await;
        leveret(&["call", &queue]).run().await.failed(6, said);
    }
}

#[tokio::test]
async fn with_a_prefetch_of_one_commands_run_one_after_the_other() {
    let queue = queue("prefetch").await;
    let directory = tempfile::tempdir().unwrap();
    let lock = directory.path().join("lock");
    let command = format!("mkdir '{0}' && cat && rmdir '{0}'", lock.display());
    let _server = serve(&queue, &["--prefetch", "1", "--exec", "sh", "-c", &command]).await;
    let mut calls = JoinSet::new();
    for _ in 0..5 {
        let call = leveret(&["call", &queue, "hello"]);
        calls.spawn(call.run());
    }
    for ended in calls.join_all().await {
        ended.printed("hello");
    }
}

#[tokio::test]
async fn a_delay_comes_before_the_answer() {
    let queue = queue("delay").await;
    let _server = serve(&queue, &["--echo", "--delay", "60s"]).await;
    leveret(&["call", &queue, "-t", "300ms"]).run().await.failed(5, "no reply within 300ms");
    let other = self::queue("short-delay").await;
    let _server = serve(&other, &["--echo", "--delay", "100ms"]).await;
    let start = std::time::Instant::now();
    leveret(&["call", &other, "hello"]).run().await.printed("hello");
    assert!(start.elapsed().as_millis() >= 100);
}

#[tokio::test]
async fn enough_requests_are_enough() {
    let queue = queue("count").await;
    let mut admin = Admin::connect().await;
    for _ in 0..3 {
        admin.publish(&queue, "hello").await;
    }
    let server = leveret(&["serve", &queue, "--passive", "--echo", "--count", "2"]).start();
    let ended = server.ended().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("answered 2 requests"), "{}", ended.stderr);
    let ping = leveret(&["ping", &queue, "--json"]).run().await;
    assert!(ping.stdout.contains("\"ready\": 1"), "{}", ping.stdout);
}

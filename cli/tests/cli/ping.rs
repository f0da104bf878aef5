//! `ping`: what is said of broker and queue.

use crate::support::admin::{Admin, queue};
use crate::support::{leveret, serve};

#[tokio::test]
async fn it_says_what_the_broker_is() {
    let ended = leveret(&["ping"]).run().await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let lines: Vec<_> = ended.stdout.lines().collect();
    assert!(lines[0].starts_with("broker           ") && lines[0].contains('.'), "{lines:?}");
    assert_eq!(lines[1..3], ["direct reply-to  yes", "TLS              no"]);
    assert!(lines[3].starts_with("round trip       ") && lines[3].contains(" ms"), "{lines:?}");
    assert_eq!(lines.len(), 4);
}

#[tokio::test]
async fn it_counts_messages_and_consumers() {
    let queue = queue("counted").await;
    let mut admin = Admin::connect().await;
    admin.publish(&queue, "one").await;
    admin.publish(&queue, "two").await;
    let ended = leveret(&["ping", &queue]).run().await;
    let (messages, consumers) = ("messages ready   2\n", "consumers        0\n");
    assert!(ended.stdout.ends_with(&format!("{messages}{consumers}")), "{}", ended.stdout);

    let served = self::queue("served").await;
    let _server = serve(&served, &["--echo"]).await;
    let ended = leveret(&["ping", &served]).run().await;
    assert!(ended.stdout.ends_with("consumers        1\n"), "{}", ended.stdout);
}

#[tokio::test]
async fn it_says_the_same_as_json() {
    let queue = queue("json-ping").await;
    let ended = leveret(&["ping", &queue, "--json"]).run().await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let answer: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert!(answer["product"].is_string() && answer["version"].is_string(), "{answer}");
    assert!(answer["round_trip_us"].is_u64(), "{answer}");
    assert_eq!((&answer["direct_reply_to"], &answer["tls"]), (&true.into(), &false.into()));
    let expected = serde_json::json!({"name": queue, "ready": 0, "consumers": 0});
    assert_eq!(answer["queue"], expected);
    let alone = leveret(&["ping", "--json"]).run().await;
    assert!(!alone.stdout.contains("queue"), "{}", alone.stdout);
}

//! `call`: where a request's body comes from, and how the reply's is printed.

use crate::support::{admin::queue, leveret, serve};

#[tokio::test]
async fn stdout_has_the_body_of_the_reply_and_nothing_else() {
    let queue = queue("body").await;
    let _server = serve(&queue, &["--echo"]).await;
    leveret(&["call", &queue, "hello"]).run().await.printed("hello");
    leveret(&["call", &queue]).run().await.printed("");
    leveret(&["call", &queue, "-5"]).run().await.printed("-5");
    leveret(&["call", &queue, "--", "--body"]).run().await.printed("--body");
}

#[tokio::test]
async fn a_body_comes_from_stdin_or_a_file() {
    let queue = queue("sources").await;
    let _server = serve(&queue, &["--echo"]).await;
    leveret(&["call", &queue, "-"]).run_with("from stdin\n").await.printed("from stdin\n");

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "from a file").unwrap();
    let argument = format!("@{}", file.path().display());
    leveret(&["call", &queue, &argument]).run().await.printed("from a file");

    let missing = leveret(&["call", &queue, "@/no/such/file"]).run().await;
    missing.failed(2, "cannot read /no/such/file");
}

#[tokio::test]
async fn json_is_printed_indented_and_as_exactly_as_it_came() {
    let queue = queue("json").await;
    let _server = serve(&queue, &["--echo"]).await;
    let body = r#"{"b":123456789012345678901234567890,"a":[1.10]}"#;
    let indented = "{\n  \"b\": 123456789012345678901234567890,\n  \"a\": [\n    1.10\n  ]\n}\n";
    leveret(&["call", &queue, body, "--json"]).run().await.printed(indented);
    leveret(&["call", &queue, body]).run().await.printed(body);

    let other = leveret(&["call", &queue, "<xml/>", "--json"]).run().await;
    other.failed(1, "the reply is no JSON");
}

#[tokio::test]
async fn a_request_is_sent_as_often_as_asked_for() {
    let queue = queue("replies").await;
    let server = serve(&queue, &["--echo", "--count", "6"]).await;
    leveret(&["call", &queue, "a", "--replies", "3"]).run().await.printed("a\na\na\n");
    leveret(&["call", &queue, "a", "--replies", "3", "--raw"]).run().await.printed("aaa");
    let server = server.ended().await;
    assert!(server.stderr.contains("answered 6 requests"), "{}", server.stderr);
}

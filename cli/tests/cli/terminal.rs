//! What is different on a terminal: colours, and a newline behind the reply.

use std::io::Read;
use std::process::Stdio;

use nix::pty::openpty;

use crate::support::admin::queue;
use crate::support::{leveret, serve};

/// What the command prints on a terminal, as stdout or stderr.
async fn on_terminal(arguments: &[&str], stderr: bool, environment: &[(&str, &str)]) -> String {
    let terminal = openpty(None, None).unwrap();
    let mut call = leveret(arguments).env("TERM", "xterm");
    for (name, value) in environment {
        call = call.env(name, value);
    }
    match stderr {
        true => call.command().stderr(Stdio::from(terminal.slave)),
        false => call.command().stdout(Stdio::from(terminal.slave)),
    };
    let running = call.start();
    let mut master = std::fs::File::from(terminal.master);
    let reading = tokio::task::spawn_blocking(move || {
        let (mut text, mut buffer) = (Vec::new(), [0; 1024]);
        // Linux says EIO when the other end has gone.
        while let Ok(1..) = master.read(&mut buffer).inspect(|n| text.extend(&buffer[..*n])) {}
        String::from_utf8(text).unwrap()
    });
    running.ended().await;
    reading.await.unwrap()
}

#[tokio::test]
async fn a_newline_follows_the_reply_on_a_terminal_unless_it_is_to_be_raw() {
    let queue = queue("terminal").await;
    let _server = serve(&queue, &["--echo"]).await;
    assert_eq!(on_terminal(&["call", &queue, "hello"], false, &[]).await, "hello\r\n");
    assert_eq!(on_terminal(&["call", &queue, "hello", "--raw"], false, &[]).await, "hello");
}

#[tokio::test]
async fn colours_are_for_terminals_that_want_them() {
    let usage = ["call"];
    let missing = ["call", "leveret-cli-test.no-such-queue"];
    for arguments in [&usage[..], &missing] {
        let coloured = on_terminal(arguments, true, &[]).await;
        assert!(coloured.contains("\x1b[") && coloured.contains("leveret:"), "{coloured:?}");
        let plain = on_terminal(arguments, true, &[("NO_COLOR", "1")]).await;
        assert!(!plain.contains('\x1b') && plain.contains("leveret:"), "{plain:?}");
        let piped = leveret(arguments).run().await;
        assert!(!piped.stderr.contains('\x1b') && piped.stderr.starts_with("leveret: "));
    }
}

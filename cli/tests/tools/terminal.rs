//! What shows on a terminal only.

use std::fs::File;
use std::io::Read;

use leveret::broker::Broker;

use super::bench::echo;
use super::program::{leveret, patiently};

#[tokio::test]
async fn the_bar_of_bench_is_for_terminals() {
    let broker = Broker::start().await.unwrap();
    let server = echo(&broker).await;
    let pty = nix::pty::openpty(None, None).unwrap();
    let arguments = ["bench", "echo", "--url", &broker.url(), "-n", "100"];
    let child = leveret(&arguments).env("TERM", "xterm").stderr(pty.slave).spawn().unwrap();
    let mut terminal = File::from(pty.master);
    // Reading ends with an error, when nobody writes any more.
    let reading = tokio::task::spawn_blocking(move || {
        let mut drawn = Vec::new();
        let end = terminal.read_to_end(&mut drawn);
        (String::from_utf8_lossy(&drawn).into_owned(), end)
    });
    let output = patiently(child.wait_with_output()).await.unwrap();
    assert!(output.status.success(), "{output:?}");
    let (drawn, _) = patiently(reading).await.unwrap();
    assert!(drawn.contains("calls, ") && drawn.contains("/s, 0 failed"), "{drawn:?}");
    // What is printed at the end is not part of it.
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("Calls    100: "));
    server.shutdown().await.unwrap();
}

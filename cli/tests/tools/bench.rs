//! leveret bench, against servers that are quick, slow, absent and at fault.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use leveret::broker::Broker;
use leveret::{Fault, Queue, Request, Server};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::sync::Notify;

use super::program::{Said, leveret, patiently, run};

pub(crate) async fn echo(broker: &Broker) -> Server {
    Server::builder(broker.url())
        .handle(Queue::new("echo"), |request: Request| async move { Ok(request.into_body()) })
        .start()
        .await
        .unwrap()
}

async fn bench(broker: &Broker, arguments: &[&str]) -> Said {
    let url = broker.url();
    let all: Vec<&str> = ["bench", "--url", &url].iter().chain(arguments).copied().collect();
    run(&all).await
}

async fn json(broker: &Broker, arguments: &[&str]) -> (Value, Said) {
    let said = bench(broker, &[arguments, &["--output", "json"]].concat()).await;
    let value = serde_json::from_str(&said.stdout).unwrap_or_else(|_| panic!("{said:?}"));
    (value, said)
}

#[tokio::test]
async fn as_text_it_is_a_report() {
    let broker = Broker::start().await.unwrap();
    let server = echo(&broker).await;
    let said = bench(&broker, &["echo", "-n", "200", "-c", "10"]).await;
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
    let text = said.stdout;
    assert!(text.starts_with("Calls    200: 200 succeeded, 0 failed\nTime     "), "{text}");
    for part in ["\nLatency\n  min     ", "\n  p99.9   ", "\nHistogram\n", "■", " calls/s\n"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let rows = text.lines().skip_while(|line| *line != "Histogram").skip(1);
    let counts = rows.map(|row| row.split_whitespace().nth(2).unwrap().parse::<u64>().unwrap());
    assert_eq!(counts.sum::<u64>(), 200, "{text}");
    assert!(!text.contains("Errors") && !text.contains("Missed"), "{text}");
    server.shutdown().await.unwrap();
}

/// So many calls, at once as well, with bodies of that size, and some that do not count before.
#[tokio::test]
async fn the_server_sees_what_was_asked_for() {
    let broker = Broker::start().await.unwrap();
    let (calls, octets) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicUsize::new(0)));
    let gate = Arc::new(Notify::new());
    let under_way = Arc::new(AtomicUsize::new(0));
    let (own_calls, own_octets) = (Arc::clone(&calls), Arc::clone(&octets));
    let (own_gate, own_under_way) = (Arc::clone(&gate), Arc::clone(&under_way));
    // Nobody is answered until four are there.
    let handler = move |request: Request| {
        let (gate, under_way) = (Arc::clone(&own_gate), Arc::clone(&own_under_way));
        own_calls.fetch_add(1, Ordering::SeqCst);
        own_octets.fetch_add(request.body.len(), Ordering::SeqCst);
        async move {
            let opened = gate.notified();
            if under_way.fetch_add(1, Ordering::SeqCst) == 3 {
                under_way.store(0, Ordering::SeqCst);
                gate.notify_waiters();
            } else {
                opened.await;
            }
            Ok("")
        }
    };
    let builder = Server::builder(broker.url()).handle(Queue::new("four"), handler);
    let server = builder.start().await.unwrap();
    let arguments = ["four", "-n", "12", "-c", "4", "--size", "300", "--warmup", "8"];
    let (report, said) = json(&broker, &arguments).await;
    assert_eq!(said.code, Some(0));
    assert_eq!((calls.load(Ordering::SeqCst), octets.load(Ordering::SeqCst)), (20, 6000));
    for (name, value) in [("calls", 12), ("succeeded", 12), ("failed", 0), ("missed", 0)] {
        assert_eq!(report[name], value, "{name} of {report}");
    }
    assert_eq!((&report["concurrency"], &report["size"]), (&Value::from(4), &Value::from(300)));
    assert_eq!((&report["corrected"], &report["target_rate"]), (&Value::from(false), &Value::Null));
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn json_and_csv_say_the_same() {
    let broker = Broker::start().await.unwrap();
    let server = echo(&broker).await;
    let (report, _) = json(&broker, &["echo", "-n", "50"]).await;
    assert_eq!((&report["queue"], &report["errors"]), (&"echo".into(), &serde_json::json!({})));
    let latency = |name: &str| report["latency_ms"][name].as_f64().unwrap();
    let names = ["min", "p50", "p75", "p90", "p95", "p99", "p99.9", "p99.99", "max"];
    assert!(names.map(latency).is_sorted() && latency("min") > 0.0, "{report}");
    assert!((latency("min")..=latency("max")).contains(&latency("mean")), "{report}");
    let rows = report["histogram"].as_array().unwrap();
    assert_eq!(rows.iter().map(|row| row["count"].as_u64().unwrap()).sum::<u64>(), 50);
    let rate = 50.0 / report["seconds"].as_f64().unwrap();
    assert!((report["rate"].as_f64().unwrap() - rate).abs() < 0.01 * rate, "{report}");

    let said = bench(&broker, &["echo", "-n", "50", "--output", "csv"]).await;
    let lines: Vec<&str> = said.stdout.lines().collect();
    let [header, values] = lines[..] else { panic!("{said:?}") };
    let columns: HashMap<&str, &str> = header.split(',').zip(values.split(',')).collect();
    assert_eq!(header.split(',').count(), values.split(',').count());
    for (name, value) in [("queue", "echo"), ("calls", "50"), ("failed", "0"), ("errors", "")] {
        assert_eq!(columns[name], value, "{said:?}");
    }
    for name in names {
        assert!(columns[format!("{name}_ms").as_str()].parse::<f64>().unwrap() > 0.0, "{said:?}");
    }
    server.shutdown().await.unwrap();
}

/// The one call that the server stalls is not all: those behind it were due meanwhile.
#[tokio::test]
async fn with_a_rate_a_stall_counts_for_those_who_had_to_wait() {
    let broker = Broker::start().await.unwrap();
    let calls = Arc::new(AtomicU64::new(0));
    let handler = move |_: Request| {
        let first = calls.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            if first {
                tokio::time::sleep(Duration::from_millis(400)).await;
            }
            Ok("")
        }
    };
    let builder = Server::builder(broker.url()).handle(Queue::new("stalls"), handler);
    let server = builder.start().await.unwrap();
    let (report, said) = json(&broker, &["stalls", "-n", "10", "-c", "1", "-q", "50"]).await;
    assert_eq!(said.code, Some(0));
    assert_eq!((&report["corrected"], &report["target_rate"]), (&true.into(), &50.0.into()));
    // The last was due 180 ms after the first, so it waited for the rest of the 400.
    assert!(report["latency_ms"]["min"].as_f64().unwrap() >= 200.0, "{report}");
    let text = bench(&broker, &["stalls", "-n", "2", "-q", "50"]).await.stdout;
    assert!(text.contains("Latency, from when each call was due"), "{text}");
    assert!(text.contains("calls/s, 50 asked for"), "{text}");
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_duration_ends_it_and_calls_not_made_are_told() {
    let broker = Broker::start().await.unwrap();
    let server = echo(&broker).await;
    let (report, said) = json(&broker, &["echo", "-z", "300ms", "-c", "2"]).await;
    assert_eq!(said.code, Some(0));
    let seconds = report["seconds"].as_f64().unwrap();
    assert!((0.3..5.0).contains(&seconds), "{report}");
    assert!(report["calls"].as_u64().unwrap() > 2, "{report}");
    server.shutdown().await.unwrap();

    // Nobody answers: the only caller waits for longer than calls are begun.
    let _queue = silent(&broker).await;
    let arguments = ["silent", "-z", "200ms", "-c", "1", "-q", "100", "-t", "400ms"];
    let (report, said) = json(&broker, &arguments).await;
    assert_eq!((&report["calls"], &report["missed"]), (&1.into(), &19.into()));
    assert_eq!(said.code, Some(5), "{said:?}");
}

/// A queue whose requests are never answered.
async fn silent(broker: &Broker) -> Server {
    let handler = |_: Request| async move { std::future::pending::<Result<&str, Fault>>().await };
    let builder = Server::builder(broker.url()).shutdown_timeout(Duration::ZERO);
    builder.handle(Queue::new("silent"), handler).start().await.unwrap()
}

#[tokio::test]
async fn errors_are_told_by_kind_and_only_their_worst_is_the_exit_code() {
    let broker = Broker::start().await.unwrap();
    let calls = Arc::new(AtomicU64::new(0));
    let handler = move |_: Request| {
        let number = calls.fetch_add(1, Ordering::SeqCst);
        async move { if number < 3 { Err(Fault::new("no", "not today")) } else { Ok("") } }
    };
    let builder = Server::builder(broker.url()).handle(Queue::new("moody"), handler);
    let server = builder.start().await.unwrap();
    let said = bench(&broker, &["moody", "-n", "3"]).await;
    assert_eq!(said.code, Some(6), "{said:?}");
    assert!(said.stdout.starts_with("Calls    3: 0 succeeded, 3 failed\n"), "{said:?}");
    assert!(said.stdout.contains("\nErrors\n  fault                    3  the server answered"));
    assert!(
        said.stderr.starts_with("leveret: no call succeeded: the server answered with a fault")
    );
    let (report, said) = json(&broker, &["moody", "-n", "2"]).await;
    assert_eq!((said.code, &report["errors"]), (Some(0), &serde_json::json!({})));
    server.shutdown().await.unwrap();

    let (report, said) = json(&broker, &["nobody", "-n", "5"]).await;
    assert_eq!((said.code, &report["errors"]["unroutable"]), (Some(4), &5.into()));
    assert_eq!(report["latency_ms"], serde_json::json!({}));
    let _queue = silent(&broker).await;
    let (report, said) = json(&broker, &["silent", "-n", "2", "-t", "100ms"]).await;
    assert_eq!((said.code, &report["errors"]["timeout"]), (Some(5), &2.into()));
}

#[tokio::test]
async fn some_errors_beside_replies_are_no_failure() {
    let broker = Broker::start().await.unwrap();
    let calls = Arc::new(AtomicU64::new(0));
    let handler = move |_: Request| {
        let odd = calls.fetch_add(1, Ordering::SeqCst) % 2 == 1;
        async move { if odd { Err(Fault::new("no", "not today")) } else { Ok("") } }
    };
    let builder = Server::builder(broker.url()).handle(Queue::new("moody"), handler);
    let server = builder.start().await.unwrap();
    let (report, said) = json(&broker, &["moody", "-n", "10"]).await;
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
    assert_eq!((&report["succeeded"], &report["errors"]["fault"]), (&5.into(), &5.into()));
    server.shutdown().await.unwrap();
}

/// It connects anew, but has no more calls to make.
#[tokio::test]
async fn a_connection_that_is_lost_is_an_error_of_its_own() {
    let broker = Broker::start().await.unwrap();
    let _queue = silent(&broker).await;
    let arguments =
        ["bench", "--url", &broker.url(), "silent", "-n", "3", "-c", "3", "--output", "json"];
    let child = leveret(&arguments).spawn().unwrap();
    patiently(broker.until(|broker| broker.stats().delivered == 3)).await;
    broker.drop_connections();
    let output = patiently(child.wait_with_output()).await.unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["errors"], serde_json::json!({"disconnected": 3}));
    assert_eq!(output.status.code(), Some(7));
}

#[tokio::test]
async fn ctrl_c_ends_it_with_what_there_is_so_far() {
    let broker = Broker::start().await.unwrap();
    let server = echo(&broker).await;
    let arguments = ["bench", "--url", &broker.url(), "echo", "-z", "1h", "--output", "json"];
    let child = leveret(&arguments).spawn().unwrap();
    patiently(broker.until(|broker| broker.stats().acknowledged > 100)).await;
    kill(Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()), Signal::SIGINT).unwrap();
    let output = patiently(child.wait_with_output()).await.unwrap();
    assert_eq!(output.status.code(), Some(130));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["succeeded"].as_u64().unwrap() > 50, "{report}");
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_makes_no_sense_is_wrong_usage() {
    for arguments in [["-n", "0"], ["-c", "0"], ["-z", "0s"], ["-q", "0"], ["--output", "xml"]] {
        let said = run(&[&["bench", "q"][..], &arguments].concat()).await;
        assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""), "{arguments:?}: {said:?}");
    }
    let said = run(&["bench", "q", "--url", "amqp://127.0.0.1:1"]).await;
    assert_eq!(said.code, Some(3), "{said:?}");
}

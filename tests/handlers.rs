//! How handlers run beside each other, in each kind of runtime.

#![allow(clippy::disallowed_methods, reason = "handlers that block their threads")]

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use leveret::broker::Broker;
use leveret::{CallError, Client, Fault, Request, Server, ServerBuilder};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Barrier;
use tokio::task::{JoinSet, block_in_place};

const PATIENCE: Duration = Duration::from_secs(20);

/// Blocks the threads that come here until there are enough of them, as a lock does.
#[derive(Clone)]
struct Gate {
    enough: usize,
    come: Arc<(Mutex<usize>, Condvar)>,
}

impl Gate {
    fn new(enough: usize) -> Self {
        Self { enough, come: Arc::default() }
    }

    /// Whether there were enough in time.
    fn wait(&self) -> bool {
        let (come, changed) = &*self.come;
        let mut come = come.lock().unwrap();
        *come += 1;
        changed.notify_all();
        let is_too_few = |come: &mut usize| *come < self.enough;
        !changed.wait_timeout_while(come, PATIENCE, is_too_few).unwrap().1.timed_out()
    }
}

fn threads(count: usize) -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(count);
    builder
}

/// What a client of a server in a runtime of its own comes to.
async fn with_server<T>(
    mut runtime: Builder,
    serve: impl FnOnce(ServerBuilder) -> ServerBuilder + Send + 'static,
    act: impl AsyncFnOnce(&Client) -> T,
) -> T {
    let broker = Broker::start().await.unwrap();
    let server = serve(Server::builder(broker.url()));
    let runtime: Runtime = runtime.enable_all().build().unwrap();
    let (started, is_started) = tokio::sync::oneshot::channel();
    let (stop, is_stopped) = tokio::sync::oneshot::channel::<()>();
    let thread = std::thread::spawn(move || {
        runtime.block_on(async {
            // The driver is a task of the runtime, and so are the handlers.
            let server = server.start().await.unwrap();
            started.send(()).unwrap();
            is_stopped.await.unwrap_err();
            server.shutdown().await.unwrap();
        });
    });
    is_started.await.unwrap();
    let client = Client::connect(broker.url()).await.unwrap();
    let result = act(&client).await;
    client.close().await;
    drop(stop);
    tokio::task::spawn_blocking(|| thread.join().unwrap()).await.unwrap();
    result
}

/// The answers to so many calls at once.
async fn calls(
    runtime: Builder,
    count: usize,
    serve: impl FnOnce(ServerBuilder) -> ServerBuilder + Send + 'static,
) -> Vec<Result<(), CallError>> {
    with_server(runtime, serve, async |client| {
        let mut calls = JoinSet::new();
        for number in 0..count {
            let client = client.clone();
            calls.spawn(async move {
                let reply = client.call("queue", number.to_string()).await;
                (number, reply.map(|reply| assert_eq!(reply.text(), Ok("done"))))
            });
        }
        let mut answers = calls.join_all().await;
        answers.sort_by_key(|(number, _)| *number);
        answers.into_iter().map(|(_, answer)| answer).collect()
    })
    .await
}

fn succeeded(success: bool) -> Result<&'static str, Fault> {
    if success { Ok("done") } else { Err(Fault::new("alone", "the others did not come")) }
}

#[tokio::test]
async fn a_handler_that_blocks_its_thread_leaves_the_others_to_the_other_threads() {
    let gate = Gate::new(3);
    let answers = calls(threads(4), 3, |server| {
        server.handle("queue", move |_: Request| {
            let gate = gate.clone();
            async move { succeeded(gate.wait()) }
        })
    });
    assert_eq!(answers.await, [Ok(()), Ok(()), Ok(())]);
}

/// There are more of them than the runtime has threads.
#[tokio::test]
async fn handlers_that_block_in_place_keep_none_waiting() {
    let gate = Gate::new(8);
    let answers = calls(threads(1), 8, |server| {
        server.handle("queue", move |_: Request| {
            let gate = gate.clone();
            async move { succeeded(block_in_place(|| gate.wait())) }
        })
    });
    assert!(answers.await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn handlers_that_wait_for_each_other_keep_none_waiting() {
    for runtime in [Builder::new_current_thread(), threads(2)] {
        let barrier = Arc::new(Barrier::new(300));
        let answers = calls(runtime, 300, |server| {
            server.prefetch(0).handle("queue", move |_: Request| {
                let barrier = Arc::clone(&barrier);
                async move {
                    barrier.wait().await;
                    Ok("done")
                }
            })
        });
        assert!(answers.await.iter().all(Result::is_ok));
    }
}

#[tokio::test]
async fn handlers_that_end_at_once_are_all_answered() {
    for runtime in [Builder::new_current_thread(), threads(2)] {
        let answers = calls(runtime, 1000, |server| {
            server.prefetch(0).handle("queue", |_: Request| async { Ok("done") })
        });
        assert!(answers.await.iter().all(Result::is_ok));
    }
}

/// What the first of two requests is answered arrives while the second blocks the thread.
#[tokio::test]
async fn an_answer_does_not_wait_for_the_next_handler_to_leave_its_thread() {
    let gate = Gate::new(2);
    let handlers = gate.clone();
    let serve = move |server: ServerBuilder| {
        server.handle("queue", move |request: Request| {
            let gate = handlers.clone();
            async move {
                match request.text() {
                    Ok("blocks") => succeeded(gate.wait()),
                    _ => Ok("done"),
                }
            }
        })
    };
    with_server(threads(2), serve, async |client| {
        for _ in 0..100 {
            gate.come.0.lock().map(|mut come| *come = 0).unwrap();
            // Written together, they are read together.
            let [first, second] = ["ends", "blocks"].map(|body| client.call("queue", body));
            let gate = gate.clone();
            let first = async move {
                let reply = first.await.unwrap();
                tokio::task::spawn_blocking(move || gate.wait()).await.unwrap();
                reply
            };
            let (first, second) = tokio::join!(first, second);
            assert_eq!((first.text(), second.unwrap().text()), (Ok("done"), Ok("done")));
        }
    })
    .await;
}

/// What is left of a handler when it has ended.
struct Rest {
    panics: bool,
}

impl Drop for Rest {
    fn drop(&mut self) {
        assert!(!self.panics, "in the end");
    }
}

/// In its beginning, in its course, and when what is left of it is dropped.
#[tokio::test]
async fn a_panic_is_the_answer_to_one_request_alone() {
    for runtime in [Builder::new_current_thread(), threads(2)] {
        let answers = calls(runtime, 40, |server| {
            server.handle("queue", |request: Request| {
                let number: u32 = request.text().unwrap().parse().unwrap();
                assert!(number % 4 != 1, "in the beginning");
                let rest = Rest { panics: number % 4 == 3 };
                async move {
                    let _rest = rest;
                    assert!(number % 4 != 2, "in its course");
                    Ok("done")
                }
            })
        });
        for (number, answer) in answers.await.into_iter().enumerate() {
            match answer {
                Ok(()) => assert_eq!(number % 4, 0),
                Err(CallError::Fault(fault)) => {
                    let expected = ["", "in the beginning", "in its course", "in the end"];
                    assert_eq!((fault.code(), fault.message()), ("panic", expected[number % 4]));
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}

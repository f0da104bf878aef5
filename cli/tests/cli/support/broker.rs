//! Where the broker is.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use leveret::broker::Broker;
use tokio::runtime;
use tokio::sync::oneshot;

/// That of `AMQP_URL`, or one inside this process.
pub(crate) fn url() -> String {
    std::env::var("AMQP_URL").unwrap_or_else(|_| in_process())
}

/// One for all tests, on a runtime of its own: each test's ends with the test.
fn in_process() -> String {
    static BROKER: OnceLock<Broker> = OnceLock::new();
    let start = || {
        let (started, broker) = oneshot::channel();
        thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                started.send(Broker::start().await.unwrap()).unwrap();
                std::future::pending::<()>().await;
            });
        });
        broker.blocking_recv().unwrap()
    };
    // On another thread: a test's own may not block.
    let url = thread::spawn(move || BROKER.get_or_init(start).url()).join().unwrap();
    url.replace("amqp://", "amqp://guest:guest@")
}

/// Host and port of the broker.
pub(crate) fn address() -> String {
    let uri: leveret::uri::Uri = url().parse().unwrap();
    uri.addresses()[0].to_string()
}

/// The broker's URL with another host and port, and another scheme.
pub(crate) fn url_at(scheme: &str, address: &str) -> String {
    let url = url();
    let rest = url.strip_prefix("amqp://").expect("AMQP_URL begins with amqp://");
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let login = authority.rsplit_once('@').map_or("guest:guest", |(login, _)| login);
    format!("{scheme}://{login}@{address}{path}")
}

/// A name that no other test uses, nor an earlier run on the same broker.
pub(crate) fn unique(purpose: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    format!("leveret-cli-test.{purpose}.{now:x}.{count}")
}

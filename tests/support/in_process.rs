//! The broker inside the test process, in the place of a RabbitMQ and its operator.

use std::sync::OnceLock;
use std::thread;

use leveret::ReplyCode;
use leveret::broker::{Broker, Pattern, Permissions, Version};
use tokio::runtime;
use tokio::sync::oneshot;

/// One for all tests of the process, on a runtime of its own: each test's ends with the test.
fn broker() -> &'static Broker {
    static BROKER: OnceLock<Broker> = OnceLock::new();
    BROKER.get_or_init(|| {
        let (started, broker) = oneshot::channel();
        thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let broker = Broker::builder().version(version()).start().await.unwrap();
                started.send(broker).unwrap();
                std::future::pending::<()>().await;
            });
        });
        broker.blocking_recv().unwrap()
    })
}

fn version() -> Version {
    let version = std::env::var("LEVERET_BROKER_VERSION").ok();
    match version.as_deref().or(crate::VERSION) {
        None | Some("4.3") => Version::V4_3,
        Some("4.0") => Version::V4_0,
        Some("3.10") => Version::V3_10,
        Some(other) => panic!("there is no behaviour of RabbitMQ {other} to take on"),
    }
}

pub(crate) fn url() -> String {
    // From another thread: a test's own may not block.
    let url = thread::spawn(|| broker().url()).join().unwrap();
    url.replace("amqp://", "amqp://guest:guest@") + "/%2f"
}

/// What `rabbitmqctl` does, as far as the tests ask for it.
pub(crate) fn ctl(arguments: &[&str]) -> String {
    let broker = broker();
    match arguments {
        ["add_user", name, password] => broker.add_user(*name, *password),
        ["delete_user", name] => broker.delete_user(name),
        ["set_permissions", "--vhost", host, user, configure, write, read] => {
            let [configure, write, read] = [configure, write, read].map(|text| pattern(text));
            assert!(broker.set_permissions(user, host, Permissions { configure, write, read }));
        }
        ["set_user_limits", user, r#"{"max-connections": 0}"#] => {
            assert!(broker.set_connection_limit(user, Some(0)));
        }
        ["add_vhost", name] => broker.add_virtual_host(*name),
        ["delete_vhost", name] => broker.delete_virtual_host(name),
        ["eval", "vm_memory_monitor:get_vm_memory_high_watermark()."] => return "0.4".to_owned(),
        ["set_vm_memory_high_watermark", "0.000001"] => broker.block("low on memory"),
        ["set_vm_memory_high_watermark", "0.4"] => broker.unblock(),
        ["close_all_connections", "--vhost", host, reason] => {
            for connection in broker.connections() {
                if connection.virtual_host().as_deref() == Some(host) {
                    connection.close(ReplyCode::CONNECTION_FORCED, reason);
                }
            }
        }
        ["list_connections", "state"] => {
            let states = broker.connections().into_iter();
            let states = states.map(|it| if it.is_blocked() { "blocked" } else { "running" });
            return states.collect::<Vec<_>>().join("\n");
        }
        other => panic!("the broker inside the process has no operator for {other:?}"),
    }
    String::new()
}

fn pattern(text: &str) -> Pattern {
    match text {
        ".*" => Pattern::All,
        "^$" => Pattern::None,
        _ => {
            let name = text.strip_prefix('^').and_then(|text| text.strip_suffix('$'));
            Pattern::Only(name.expect("a pattern of one name").replace('\\', ""))
        }
    }
}

//! What takes an operator: alarms and forced closes. These tests run `rabbitmqctl`.

use std::time::Duration;

use leveret::{CallError, Client, Outcome, Queue, Reconnect, Request, Server};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::support::broker::{Broker, unique};
use crate::support::operator::{MemoryAlarm, VirtualHost};
use crate::support::service::{client, echo_server, end, url};

const PATIENCE: Duration = Duration::from_secs(10);

/// A publish shows the alarm, and is not read. What comes after it is not even sent, until the
/// alarm is over; then it is.
#[tokio::test]
async fn item_41_calls_wait_for_the_end_of_an_alarm() {
    let _broker = Broker::exclusive().await;
    let (server, name) = echo_server("alarm").await;
    let client = client().await;
    let alarm = MemoryAlarm::raise();

    let first = tokio::spawn({
        let (client, name) = (client.clone(), name.clone());
        async move { client.call(name, "read later").await }
    });
    let blocked = async {
        loop {
            if let Some(reason) = client.blocked() {
                return reason;
            }
            tokio::task::yield_now().await;
        }
    };
    assert_eq!(timeout(PATIENCE, blocked).await.unwrap(), "low on memory");

    let call = client.request(&name).body("too late").timeout(Duration::from_millis(50)).send();
    let error = call.await.unwrap_err();
    assert!(matches!(error, CallError::Timeout { written: false, .. }), "{error:?}");
    assert_eq!(error.outcome(), Outcome::NotExecuted);
    let waiting = tokio::spawn({
        let (client, name) = (client.clone(), name.clone());
        async move { client.call(name, "sent later").await }
    });
    while client.stats().waiting == 0 {
        tokio::task::yield_now().await;
    }

    drop(alarm);
    assert_eq!(first.await.unwrap().unwrap().body, "read later");
    assert_eq!(waiting.await.unwrap().unwrap().body, "sent later");
    assert_eq!(client.blocked(), None);
    assert_eq!(server.stats().requests, 2);
    end(client, server).await;
}

/// An operator closes all connections: pending calls learn at once why, and so does the server.
#[tokio::test]
async fn item_43_a_forced_close_reaches_every_caller() {
    let broker = Broker::shared().await;
    let host = VirtualHost::new(&broker);
    let url =
        url().rsplit_once('/').map(|(address, _)| format!("{address}/{}", host.name)).unwrap();
    let (started, mut starts) = mpsc::unbounded_channel();
    let name = unique("forced").to_string();
    let server = Server::builder(&url)
        .reconnect(Reconnect::never())
        .handle(Queue::new(&name), move |_: Request| {
            let started = started.clone();
            async move {
                started.send(())?;
                std::future::pending::<()>().await;
                Ok(())
            }
        })
        .start()
        .await
        .unwrap();
    let client = Client::builder(&url).reconnect(Reconnect::never()).connect().await.unwrap();
    let call = tokio::spawn({
        let (client, name) = (client.clone(), name.clone());
        async move { client.call(name, "never answered").await }
    });
    starts.recv().await.unwrap();
    Broker::ctl(&["close_all_connections", "--vhost", &host.name, "maintenance"]);

    let text = "the broker closed the connection: \
                320 CONNECTION_FORCED - maintenance";
    let error = timeout(PATIENCE, call).await.unwrap().unwrap().unwrap_err();
    assert_eq!(error.to_string(), text);
    assert_eq!(error.outcome(), Outcome::Unknown);
    let stopped = timeout(PATIENCE, server.stopped()).await.unwrap();
    assert_eq!(stopped.unwrap_err().to_string(), text);

    let error = client.call(&name, "afterwards").await.unwrap_err();
    assert_eq!(error.to_string(), text);
    assert_eq!(error.outcome(), Outcome::NotExecuted);
}

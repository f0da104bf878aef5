//! Clients of several connections.

use std::time::Duration;

use leveret::broker::{Broker, ConnectionHandle};
use leveret::{CallError, Client, ConnectionState, Reconnect, ServerBuilder};

use super::{Stage, client_of, echoes, open, until, until_open};
use crate::patiently;

#[tokio::test]
async fn while_one_connection_is_away_new_calls_go_on_the_others() {
    let stage = Stage::new().await;
    let client = stage.client(2).await;
    let mut state = client.connection_state();
    assert_eq!(*state.borrow_and_update(), ConnectionState::Connected);

    // Its next one is not ready for as long as the test lasts.
    stage.broker.next_connection().stall_writes();
    open(&stage.broker, "client")[0].drop_now();
    until(|| client.stats().disconnects == 1).await;
    for _ in 0..10 {
        echoes(&client).await;
    }
    assert!(!state.has_changed().unwrap(), "calls can be made all the time");
    assert_eq!(client.stats().waiting, 0);

    stage.broker.drop_connections();
    let is_lost = |state: &ConnectionState| matches!(state, ConnectionState::Reconnecting { .. });
    patiently(state.wait_for(is_lost)).await.unwrap();
    patiently(state.wait_for(|state| *state == ConnectionState::Connected)).await.unwrap();
    client.close().await;
    assert_eq!(*state.borrow(), ConnectionState::Closed { cause: None });
}

#[tokio::test]
async fn only_the_calls_of_a_lost_connection_fail() {
    let mut stage = Stage::new().await;
    let client = stage.client(2).await;
    let calls = [stage.hold(&client).await, stage.hold(&client).await];
    open(&stage.broker, "client")[0].drop_now();
    until(|| client.stats().failures == 1).await;
    stage.go.add_permits(2);
    let mut results = Vec::new();
    for call in calls {
        results.push(patiently(call).await.unwrap());
    }
    results.sort_by_key(Result::is_err);
    assert_eq!(results[0].as_ref().unwrap().body, "hello");
    let error = results[1].as_ref().unwrap_err();
    assert!(matches!(error, CallError::Disconnected { written: true, .. }), "{error:?}");
}

#[tokio::test]
async fn a_lost_connection_has_its_part_of_the_calls_again_when_it_is_back() {
    let mut stage = Stage::new().await;
    let client = stage.client(2).await;
    open(&stage.broker, "client")[0].drop_now();
    until_open(&stage.broker, 2).await;
    until_open(&stage.broker, 3).await;
    // It is back when it gets a call: the other has one.
    let first = stage.hold(&client).await;
    let published = || open(&stage.broker, "client").iter().map(octets).min();
    let before = published();
    patiently(async {
        while published() == before {
            echoes(&client).await;
        }
    })
    .await;
    stage.go.add_permits(1);
    patiently(first).await.unwrap().unwrap();
}

fn octets(connection: &ConnectionHandle) -> u64 {
    connection.octets_received()
}

/// Each connection is told by what it publishes.
#[tokio::test]
async fn a_client_is_blocked_when_all_its_connections_are() {
    let stage = Stage::configured(ServerBuilder::separate_reply_connection).await;
    let client = stage.client(2).await;
    let state = client.connection_state();
    stage.broker.block("low on memory");
    echoes_unanswered(&client).await;
    until(|| blocked(&stage.broker) == 1).await;
    assert_eq!((client.blocked(), &*state.borrow()), (None, &ConnectionState::Connected));
    echoes_unanswered(&client).await;
    until(|| client.blocked().as_deref() == Some("low on memory")).await;
    let reason = "low on memory".to_owned();
    until(|| *state.borrow() == ConnectionState::Blocked { reason: reason.clone() }).await;
    stage.broker.unblock();
    until(|| client.blocked().is_none()).await;
    echoes(&client).await;
}

fn blocked(broker: &Broker) -> usize {
    open(broker, "client").iter().filter(|connection| connection.is_blocked()).count()
}

/// Sends a request to nobody, which the broker says of even where it blocks the connection.
async fn echoes_unanswered(client: &Client) {
    let error = patiently(client.call("nobody", "hello")).await.unwrap_err();
    assert!(matches!(error, CallError::Unroutable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_client_drains_all_its_connections() {
    let mut stage = Stage::new().await;
    let client = stage.client(3).await;
    let calls = [stage.hold(&client).await, stage.hold(&client).await];
    let draining = tokio::spawn({
        let client = client.clone();
        async move { client.drain(Duration::from_secs(60)).await }
    });
    // The one without a call is closed at once, and the others take no more.
    until_open(&stage.broker, 1 + 2).await;
    let error = client.call("echo", "hello").await.unwrap_err();
    assert_eq!(error, CallError::Closed { written: false });
    assert_eq!(client.stats().pending, 2);
    stage.go.add_permits(2);
    for call in calls {
        assert_eq!(patiently(call).await.unwrap().unwrap().body, "hello");
    }
    assert_eq!(patiently(draining).await.unwrap(), 0);
    until_open(&stage.broker, 1).await;
}

#[tokio::test]
async fn a_drain_that_ends_too_late_counts_the_calls_of_all_connections() {
    let mut stage = Stage::new().await;
    let client = stage.client(2).await;
    let calls = [stage.hold(&client).await, stage.hold(&client).await];
    assert_eq!(patiently(client.drain(Duration::from_millis(50))).await, 2);
    for call in calls {
        let error = patiently(call).await.unwrap().unwrap_err();
        assert_eq!(error, CallError::Closed { written: true });
    }
    until_open(&stage.broker, 1).await;
    stage.go.add_permits(2);
}

#[tokio::test]
async fn all_connections_go_with_the_last_clone() {
    let stage = Stage::new().await;
    let client = stage.client(3).await;
    until_open(&stage.broker, 1 + 3).await;
    drop(client);
    until_open(&stage.broker, 1).await;
}

#[tokio::test]
async fn a_client_is_of_no_more_use_when_all_its_connections_are_lost() {
    let stage = Stage::new().await;
    let builder = client_of(&stage.broker, 2).reconnect(Reconnect::never());
    let client = builder.connect().await.unwrap();
    open(&stage.broker, "client")[0].drop_now();
    until(|| client.stats().disconnects == 1).await;
    for _ in 0..4 {
        echoes(&client).await;
    }
    open(&stage.broker, "client")[0].drop_now();
    patiently(client.closed()).await.unwrap_err();
    let state = client.connection_state();
    until(|| matches!(*state.borrow(), ConnectionState::Closed { cause: Some(_) })).await;
}

#[tokio::test]
async fn a_client_that_is_closed_after_it_lost_a_connection_was_closed_by_its_user() {
    let stage = Stage::new().await;
    let builder = client_of(&stage.broker, 2).reconnect(Reconnect::never());
    let client = builder.connect().await.unwrap();
    open(&stage.broker, "client")[0].drop_now();
    until(|| client.stats().disconnects == 1).await;
    client.close().await;
    patiently(client.closed()).await.unwrap();
    let error = client.call("echo", "hello").await.unwrap_err();
    assert_eq!(error, CallError::Closed { written: false });
    let state = client.connection_state();
    until(|| *state.borrow() == ConnectionState::Closed { cause: None }).await;
}

//! Servers of several connections.

use std::sync::Arc;
use std::time::Duration;

use leveret::{Reconnect, ServerBuilder, SessionError};
use tokio::task::JoinHandle;

use super::{Stage, echoes, open, until, until_open};
use crate::patiently;

#[tokio::test]
async fn a_server_goes_on_with_the_connections_that_it_has() {
    let stage = Stage::configured(|builder| builder.connections(2)).await;
    let client = stage.client(1).await;
    let state = stage.server.connection_state();
    stage.broker.next_connection().stall_writes();
    open(&stage.broker, "server")[0].drop_now();
    until(|| stage.server.stats().disconnects == 1).await;
    for _ in 0..10 {
        echoes(&client).await;
    }
    assert!(!state.has_changed().unwrap(), "requests are served all the time");
    client.close().await;
    patiently(stage.server.shutdown()).await.unwrap();
}

#[tokio::test]
async fn a_server_has_stopped_when_all_its_connections_are_lost() {
    let configure = |builder: ServerBuilder| builder.connections(2).reconnect(Reconnect::never());
    let stage = Stage::configured(configure).await;
    let client = stage.client(1).await;
    open(&stage.broker, "server")[0].drop_now();
    until(|| stage.server.stats().disconnects == 1).await;
    echoes(&client).await;
    open(&stage.broker, "server")[0].drop_now();
    patiently(stage.server.stopped()).await.unwrap_err();
}

/// Also where one of the connections has nothing to do for it.
#[tokio::test]
async fn a_server_of_several_connections_ends_in_good_order() {
    let configure = |builder: ServerBuilder| builder.connections(3).prefetch(1);
    let mut stage = Stage::configured(configure).await;
    let client = stage.client(1).await;
    let calls = [stage.hold(&client).await, stage.hold(&client).await];
    let shutdown = tokio::spawn(stage.server.shutdown());
    until_open(&stage.broker, 1 + 2).await;
    stage.go.add_permits(2);
    for call in calls {
        assert_eq!(patiently(call).await.unwrap().unwrap().body, "hello");
    }
    patiently(shutdown).await.unwrap().unwrap();
    until_open(&stage.broker, 1).await;
}

/// All within one timeout, and not each within its own.
#[tokio::test]
async fn handlers_of_all_connections_are_aborted_at_the_same_time() {
    for has_reply_connection in [false, true] {
        let mut stage = Stage::configured(|builder| {
            let builder = builder.connections(2).prefetch(1);
            let builder = builder.shutdown_timeout(Duration::from_millis(100));
            if has_reply_connection { builder.separate_reply_connection() } else { builder }
        })
        .await;
        let client = stage.client(1).await;
        let calls = [stage.hold(&client).await, stage.hold(&client).await];
        let error = patiently(stage.server.shutdown()).await.unwrap_err();
        assert_eq!(error, SessionError::HandlersAborted { handlers: 2, replies: 0 });
        until_open(&stage.broker, 1).await;
        assert_eq!(stage.broker.queue("held").unwrap().ready, 2, "they are for another server");
        // Nothing of them is left here.
        until(|| Arc::strong_count(&stage.go) == 1).await;
        calls.iter().for_each(JoinHandle::abort);
    }
}

#[tokio::test]
async fn all_connections_go_with_a_server_that_is_dropped() {
    let configure = |builder: ServerBuilder| builder.connections(2).separate_reply_connection();
    let stage = Stage::configured(configure).await;
    until_open(&stage.broker, 4).await;
    drop(stage.server);
    until_open(&stage.broker, 0).await;
}

/// The connections for replies are made first, so they are the oldest.
#[tokio::test]
async fn what_cannot_send_its_replies_takes_no_more_requests() {
    let stage = Stage::configured(|builder| {
        builder.connections(2).separate_reply_connection().reconnect(Reconnect::never())
    })
    .await;
    let client = stage.client(1).await;
    open(&stage.broker, "server")[0].drop_now();
    until_open(&stage.broker, 1 + 2).await;
    for _ in 0..4 {
        echoes(&client).await;
    }
    open(&stage.broker, "server")[0].drop_now();
    patiently(stage.server.stopped()).await.unwrap_err();
    until_open(&stage.broker, 1).await;
}

//! A server whose end nobody waits for.

use super::{Pace, Stage, dropped_after, patiently, with_ever_more_polls};

#[tokio::test]
async fn a_shutdown_that_is_dropped_goes_on() {
    with_ever_more_polls(async |polls, pace| {
        let stage = Stage::new().await;
        stage.goes_on(polls).await;
        let Stage { broker, server, client, .. } = stage;
        let shut_down = dropped_after(polls, pace, server.shutdown()).await;
        let is_gone = |broker: &leveret::broker::Broker| {
            let consumers = broker.queue("echo").map(|queue| queue.consumers);
            (consumers, broker.stats().connections_open) == (Some(0), 1)
        };
        patiently(broker.until(is_gone)).await;
        patiently(client.close()).await;
        shut_down.is_some_and(|result| result.is_ok())
    })
    .await;
}

/// Even one that was never polled: the server was dropped with it.
#[tokio::test]
async fn a_shutdown_that_is_dropped_still_lets_handlers_finish() {
    for polls in [0, 1, 2, 3, 10, 100] {
        let stage = Stage::new().await;
        let call = stage.held_call().await;
        let Stage { broker, server, client, let_go } = stage;
        let shut_down = dropped_after(polls, Pace::EveryTurn, server.shutdown()).await;
        assert!(shut_down.is_none(), "a handler runs");
        let is_idle = |broker: &leveret::broker::Broker| {
            broker.queue("held").is_some_and(|queue| queue.consumers == 0)
        };
        patiently(broker.until(is_idle)).await;
        let_go.send_replace(true);
        assert_eq!(patiently(call).await.unwrap().unwrap().text(), Ok("held"));
        let is_gone = |broker: &leveret::broker::Broker| {
            let stats = broker.stats();
            (stats.ready, stats.unacknowledged, stats.connections_open) == (0, 0, 1)
        };
        patiently(broker.until(is_gone)).await;
        assert_eq!(client.stats().pending, 0);
    }
}

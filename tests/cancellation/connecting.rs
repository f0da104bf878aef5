//! A client and a server that do not get to be.

use leveret::broker::Broker;
use leveret::{Client, ServerStats};

use super::{Pace, Stage, builder, client, dropped_after, patiently, with_ever_more_polls};

#[tokio::test]
async fn a_client_that_nobody_waits_for_does_not_stay_connected() {
    let broker = Broker::start().await.unwrap();
    with_ever_more_polls(async |polls, pace| {
        let connecting = Client::connect(broker.url());
        let connected = dropped_after(polls, pace, connecting).await;
        if let Some(client) = connected {
            let client = client.unwrap();
            assert_eq!(broker.stats().connections_open, 1);
            patiently(client.close()).await;
            patiently(broker.until(|broker| broker.stats().connections_open == 0)).await;
            return true;
        }
        patiently(broker.until(|broker| broker.stats().connections_open == 0)).await;
        false
    })
    .await;
    assert!(broker.stats().connections_accepted > 2, "some had come to the broker");
}

#[tokio::test]
async fn of_several_connections_that_nobody_waits_for_none_stays() {
    let broker = Broker::start().await.unwrap();
    with_ever_more_polls(async |polls, pace| {
        let connecting = Client::builder(broker.url()).connections(3).connect();
        let connected = dropped_after(polls, pace, connecting).await;
        if let Some(client) = &connected {
            assert_eq!(broker.stats().connections_open, 3);
            patiently(client.as_ref().unwrap().close()).await;
        }
        patiently(broker.until(|broker| broker.stats().connections_open == 0)).await;
        connected.is_some()
    })
    .await;
    with_ever_more_polls(async |polls, pace| {
        let starting = builder(&broker).connections(2).separate_reply_connection().start();
        let started = dropped_after(polls, pace, starting).await.map(Result::unwrap);
        let has_started = started.is_some();
        if let Some(server) = started {
            assert_eq!(broker.stats().connections_open, 4);
            patiently(server.shutdown()).await.unwrap();
        }
        patiently(broker.until(|broker| broker.stats().connections_open == 0)).await;
        has_started
    })
    .await;
}

/// A client waits for the reply to a request that each server gets in its turn.
#[tokio::test]
async fn a_server_that_nobody_waits_for_does_not_stay_either() {
    let broker = Broker::start().await.unwrap();
    let first = patiently(builder(&broker).start()).await.unwrap();
    patiently(first.shutdown()).await.unwrap();
    let client = client(&broker).await;
    with_ever_more_polls(async |polls, pace| {
        let call = tokio::spawn({
            let client = client.clone();
            async move { client.call("echo", polls.to_string()).await }
        });
        let started = dropped_after(polls, pace, builder(&broker).start()).await;
        let ended = started.is_some();
        let server = match started {
            Some(server) => server.unwrap(),
            None => {
                patiently(broker.until(|broker| {
                    let consumers = broker.queue("echo").map(|queue| queue.consumers);
                    let stats = broker.stats();
                    (consumers, stats.unacknowledged, stats.connections_open) == (Some(0), 0, 1)
                }))
                .await;
                patiently(builder(&broker).start()).await.unwrap()
            }
        };
        // If the other has not answered it, this one does.
        let reply = patiently(call).await.unwrap().unwrap();
        assert_eq!(reply.text().unwrap(), polls.to_string());
        patiently(server.shutdown()).await.unwrap();
        patiently(broker.until(|broker| {
            let stats = broker.stats();
            (stats.ready, stats.unacknowledged, stats.connections_open) == (0, 0, 1)
        }))
        .await;
        ended
    })
    .await;
    assert_eq!(client.stats().pending, 0);
}

/// Connecting to a broker that says nothing takes its time, and can be left as well.
#[tokio::test]
async fn a_broker_that_is_silent_is_left() {
    let broker = Broker::start().await.unwrap();
    for polls in 0..5 {
        broker.next_connection().stall_writes();
        let connecting = Client::connect(broker.url());
        assert!(dropped_after(polls, Pace::EveryTurn, connecting).await.is_none());
    }
    patiently(broker.until(|broker| broker.stats().connections_open == 0)).await;
}

#[tokio::test]
async fn whoever_waits_for_the_end_of_a_server_may_go() {
    let stage = Stage::new().await;
    for polls in 0..5 {
        assert!(dropped_after(polls, Pace::EveryTurn, stage.server.stopped()).await.is_none());
        stage.goes_on(polls).await;
    }
    let ServerStats { running, held, .. } = stage.server.stats();
    assert_eq!((running, held), (0, 0));
}

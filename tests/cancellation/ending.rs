//! A client whose end nobody waits for, and those who wait for a change of its state.

use std::time::Duration;

use super::{Pace, Stage, dropped_after, is_closed, patiently, with_ever_more_polls};

#[tokio::test]
async fn a_close_that_has_begun_goes_on() {
    with_ever_more_polls(async |polls, pace| {
        let stage = Stage::new().await;
        let closed = dropped_after(polls, pace, stage.client.close()).await;
        ends_if_begun(&stage, polls).await;
        closed.is_some()
    })
    .await;
}

#[tokio::test]
async fn a_drain_that_has_begun_goes_on() {
    with_ever_more_polls(async |polls, pace| {
        let stage = Stage::new().await;
        let drained = dropped_after(polls, pace, stage.client.drain(Duration::from_secs(60))).await;
        ends_if_begun(&stage, polls).await;
        drained.is_some()
    })
    .await;
}

/// A client whose end has been polled for once says that it is closed, and soon is.
async fn ends_if_begun(stage: &Stage, polls: usize) {
    if polls == 0 {
        return stage.goes_on(polls).await;
    }
    is_closed(&stage.client).await;
    patiently(stage.client.closed()).await.unwrap();
    stage.nothing_is_left_but(1).await;
}

/// It has no limit any more, since that was the future's.
#[tokio::test]
async fn a_drain_that_is_dropped_still_waits_for_the_calls() {
    for polls in [1, 2, 3, 10, 100] {
        let stage = Stage::new().await;
        let call = stage.held_call().await;
        let limit = Duration::from_secs(60);
        let drained = dropped_after(polls, Pace::EveryTurn, stage.client.drain(limit)).await;
        assert!(drained.is_none(), "a call is pending");
        is_closed(&stage.client).await;
        stage.let_go.send_replace(true);
        assert_eq!(patiently(call).await.unwrap().unwrap().text(), Ok("held"));
        patiently(stage.client.closed()).await.unwrap();
        stage.nothing_is_left_but(1).await;
    }
}

#[tokio::test]
async fn whoever_waits_for_the_end_of_a_client_may_go() {
    with_ever_more_polls(async |polls, pace| {
        let stage = Stage::new().await;
        let closing = tokio::spawn({
            let client = stage.client.clone();
            async move {
                tokio::task::yield_now().await;
                client.close().await;
            }
        });
        let closed = dropped_after(polls, pace, stage.client.closed()).await;
        patiently(closing).await.unwrap();
        is_closed(&stage.client).await;
        stage.nothing_is_left_but(1).await;
        closed.is_some_and(|result| result.is_ok())
    })
    .await;
}

#[tokio::test]
async fn whoever_waits_for_another_state_may_go() {
    let stage = Stage::new().await;
    let mut lost = 0;
    with_ever_more_polls(async |polls, pace| {
        let mut state = stage.client.connection_state();
        stage.broker.connection("client").unwrap().drop_now();
        let changed = dropped_after(polls, pace, state.changed()).await;
        lost += 1;
        while stage.client.stats().disconnects < lost {
            patiently(state.changed()).await.unwrap();
        }
        stage.goes_on(polls).await;
        changed.is_some()
    })
    .await;
    stage.nothing_is_left_but(2).await;
}

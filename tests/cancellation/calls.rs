//! Calls that are dropped before they end: they are forgotten, and their replies go to nobody.

use std::collections::BTreeSet;

use leveret::broker::{Direction, ObservedFrame};
use leveret::{CallError, Reply, RequestBuilder};
use leveret_codec::{Frame, Method};

use super::{Pace, Stage, dropped_after, with_ever_more_polls};

/// Drops such a call at every point, and sees that nothing is left of it.
async fn drop_everywhere<'a>(
    stage: &'a Stage,
    request: impl Fn() -> RequestBuilder<'a>,
    judge: impl Fn(&str, Result<Reply, CallError>),
) {
    let mut number = 0;
    with_ever_more_polls(async |polls, pace| {
        number += 1;
        let word = format!("dropped {number}");
        let result = dropped_after(polls, pace, request().body(word.clone()).send()).await;
        stage.goes_on(number).await;
        match result {
            Some(result) => {
                judge(&word, result);
                true
            }
            None => false,
        }
    })
    .await;
    stage.nothing_is_left_but(2).await;
}

fn is_its_reply(word: &str, result: Result<Reply, CallError>) {
    assert_eq!(result.unwrap().text().unwrap(), word);
}

/// How many channels the client has open.
fn channels(stage: &Stage) -> usize {
    let mut open = BTreeSet::new();
    for ObservedFrame { direction, frame } in stage.broker.connection("client").unwrap().frames() {
        let Frame::Method { channel, method } = frame else { continue };
        match (direction, method) {
            (Direction::FromClient, Method::ChannelOpen(_)) => assert!(open.insert(channel)),
            // Where both sides have closed it, each of them hears so.
            (_, Method::ChannelCloseOk(_)) => {
                open.remove(&channel);
            }
            _ => {}
        }
    }
    open.len()
}

#[tokio::test]
async fn a_call_may_be_dropped_at_any_point() {
    let stage = Stage::new().await;
    drop_everywhere(&stage, || stage.client.request("echo"), is_its_reply).await;
    // Every request that was run was answered, to its call or to nobody.
    let run = stage.server.stats().requests;
    stage
        .until(|_| {
            let stats = stage.client.stats();
            stats.replies + stats.late_replies == run
        })
        .await;
    let stats = stage.client.stats();
    assert!(stats.dropped > 0 && stats.late_replies > 0, "{stats:?}");
    assert_eq!((stats.unknown_replies, stats.failures), (0, 0), "{stats:?}");
    assert_eq!(stats.calls, stats.replies + stats.dropped);
}

#[tokio::test]
async fn a_call_on_its_own_channel_takes_the_channel_with_it() {
    let stage = Stage::new().await;
    drop_everywhere(&stage, || stage.client.request("echo").own_channel(), is_its_reply).await;
    stage.until(|_| channels(&stage) == 1).await;
    let stats = stage.client.stats();
    assert!(stats.dropped > 0, "{stats:?}");
    assert_eq!(stats.calls, stats.replies + stats.dropped);
}

#[tokio::test]
async fn a_call_through_an_exchange_takes_no_more_than_it_was_lent() {
    let stage = Stage::new().await;
    let request = || stage.client.request("nowhere").exchange("amq.direct");
    let unroutable = |_: &str, result: Result<Reply, CallError>| {
        assert!(matches!(result, Err(CallError::Unroutable { .. })), "{result:?}");
    };
    drop_everywhere(&stage, request, unroutable).await;
    // One is kept for the next call of that kind.
    stage.until(|_| channels(&stage) <= 2).await;
    assert!(stage.client.stats().dropped > 0);
}

#[tokio::test]
async fn a_call_that_is_refused_may_be_dropped_before() {
    let stage = Stage::new().await;
    let request = || stage.client.request("nowhere").exchange("missing");
    let refused = |_: &str, result: Result<Reply, CallError>| {
        assert!(matches!(result, Err(CallError::Refused { .. })), "{result:?}");
    };
    drop_everywhere(&stage, request, refused).await;
    stage.until(|_| channels(&stage) == 1).await;
}

/// A call that waits for the end of an alarm has not been sent, and is not sent any more.
#[tokio::test]
async fn a_call_that_waits_may_be_dropped_as_well() {
    let stage = Stage::new().await;
    stage.broker.block("low on memory");
    // The first message tells the broker whom to block.
    let first = dropped_after(1, Pace::EveryTurn, stage.client.call("echo", "first")).await;
    assert!(first.is_none());
    stage.until(|_| stage.client.blocked().is_some()).await;
    for polls in 0..20 {
        let call = stage.client.call("echo", "dropped");
        assert!(dropped_after(polls, Pace::EveryTurn, call).await.is_none());
        assert_eq!(stage.client.stats().pending, 0);
    }
    stage.broker.unblock();
    stage.goes_on(0).await;
    stage.nothing_is_left_but(2).await;
    assert_eq!(stage.server.stats().requests, 2, "the first and the last");
}

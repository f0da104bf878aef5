//! The broker freezes, and goes on later as if nothing had been.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::broker::Cluster;
use crate::ledger::Ledger;
use crate::scene::{BOUND, Cast, Scene};

/// How long it stands still.
const FREEZE: Duration = Duration::from_secs(30);

/// Heartbeats are 60 seconds apart: nobody notices, and calls time out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a broker to freeze: cargo xtask faults"]
async fn calls_time_out_while_the_broker_is_frozen() {
    let cluster = Cluster::own();
    let cast = Cast::new("broker frozen", &cluster.url(0), &["Timeout"]);
    freeze(&cluster, cast).await;
}

/// Heartbeats are 4 seconds apart: both ends give the connection up, and a frozen broker answers
/// no new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a broker to freeze: cargo xtask faults"]
async fn a_frozen_broker_is_given_up_and_found_again() {
    let cluster = Cluster::own();
    let url = format!("{}?heartbeat=4", cluster.url(0));
    let errors = &["Disconnected", "Timeout"];
    let cast = Cast::new("broker frozen, heartbeat 4 s", &url, errors);
    let scene = freeze(&cluster, cast).await;
    assert!(scene.errors("Disconnected") > 0, "the connection was not given up");
}

async fn freeze(cluster: &Cluster, cast: Cast) -> Arc<Ledger> {
    let node = &cluster.nodes[0];
    let mut scene = Scene::begin(cluster, cast).await;
    scene.flow().await;
    let timeouts = scene.ledger.errors("Timeout");
    let paused = node.pause().await;
    sleep(FREEZE).await;
    let timeouts = scene.ledger.errors("Timeout") - timeouts;
    scene.expect(timeouts >= 64, &format!("all callers feel it: {timeouts} timeouts"));

    paused.apply().await;
    let accepts = node.accepts().await;
    scene.recover(accepts, BOUND, |success| success.ended >= accepts).await;
    scene.flow().await;
    scene.quieten().await;
    let ledger = Arc::clone(&scene.ledger);
    scene.end().await;
    ledger
}

//! The nodes of a cluster are killed and started again, one after the other.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use crate::broker::{Cluster, Node};
use crate::scene::{Cast, Scene};

/// How soon calls have to succeed after a kill: two nodes of three are left.
const BOUND: Duration = Duration::from_secs(5);

/// Clients and servers begin at different nodes, so that a kill takes the connections of some, and
/// at times the queue's leader.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster to kill: cargo xtask faults"]
async fn calls_succeed_again_after_each_node_is_killed() {
    let cluster = Cluster::own();
    assert_eq!(cluster.nodes.len(), 3, "a cluster of three nodes is wanted");
    let mut cast = Cast::new("node killed", "", &["Disconnected", "Timeout"]);
    cast.queue = cast.queue.argument("x-queue-type", "quorum");
    cast.clients = (0..3).map(|first| cluster.url(first)).collect();
    cast.servers = (0..2).map(|first| cluster.url(first)).collect();
    let mut scene = Scene::begin(&cluster, cast).await;
    for node in &cluster.nodes {
        can_be_spared(node).await;
        scene.flow().await;
        let disconnected = scene.ledger.errors("Disconnected");
        let killing = Instant::now();
        let killed = node.kill().await;
        let gone = Instant::now();
        scene.recover(killing, BOUND, |success| success.begun >= gone).await;
        let learned = || scene.ledger.errors("Disconnected") > disconnected;
        scene.until("the calls on that node learn it", learned).await;

        killed.apply().await;
        node.accepts().await;
    }
    scene.flow().await;
    scene.quieten().await;
    scene.end().await;
}

/// Waits until the other nodes could go on without this one: those that were down before have to
/// catch up first.
async fn can_be_spared(node: &Node) {
    const PATIENCE: Duration = Duration::from_secs(60);
    let spared = async {
        while node.tool("rabbitmq-queues", &["check_if_node_is_quorum_critical"]).await.is_err() {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(PATIENCE, spared).await.expect("the cluster is whole again in time");
}

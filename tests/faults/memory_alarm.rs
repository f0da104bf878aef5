//! The broker is low on memory: it reads nothing more of those who publish, until it is over.

use std::time::Instant;

use crate::broker::Cluster;
use crate::load::CALLS;
use crate::scene::{BOUND, Cast, Scene};

const TIMES: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a broker to disturb: cargo xtask faults"]
async fn calls_succeed_again_after_a_memory_alarm() {
    let cluster = Cluster::own();
    let node = &cluster.nodes[0];
    let cast = Cast::new("memory alarm", &cluster.url(0), &["Timeout"]);
    let mut scene = Scene::begin(&cluster, cast).await;
    for _ in 0..TIMES {
        scene.flow().await;
        let alarm = node.raise_memory_alarm().await;
        scene.until("the client is told", || scene.clients[0].blocked().is_some()).await;
        let timeouts = scene.ledger.errors("Timeout") + CALLS as u64;
        let felt = || scene.ledger.errors("Timeout") >= timeouts;
        scene.until("all callers feel it", felt).await;

        let clearing = Instant::now();
        let unblocked = || scene.clients[0].blocked().is_none();
        let ((), unblocked) =
            tokio::join!(alarm.apply(), scene.until("the client may go on", unblocked));
        scene.recover(unblocked, BOUND, |success| success.ended >= clearing).await;
    }
    scene.quieten().await;
    scene.end().await;
}

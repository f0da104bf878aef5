//! The queue is deleted under a running server.

use crate::broker::Cluster;
use crate::scene::{BOUND, Cast, Scene};

/// In a row: the server lets such a queue rest for longer each time, up to a second.
const TIMES: u64 = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a broker to disturb: cargo xtask faults"]
async fn calls_succeed_again_after_their_queue_is_deleted() {
    let cluster = Cluster::own();
    let node = &cluster.nodes[0];
    let cast = Cast::new("queue deleted", &cluster.url(0), &["Timeout", "Unroutable"]);
    let mut scene = Scene::begin(&cluster, cast).await;
    for time in 1..=TIMES {
        scene.flow().await;
        let delete = ["delete_queue", &scene.queue];
        let cancelled = || scene.servers[0].stats().cancelled_by_broker == time;
        let ((), deleted) =
            tokio::join!(node.ctl(&delete), scene.until("the server is told", cancelled));
        scene.recover(deleted, BOUND, |success| success.begun >= deleted).await;
    }
    scene.quieten().await;
    scene.end().await;
}

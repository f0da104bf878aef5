//! An operator closes all connections.

use crate::broker::Cluster;
use crate::scene::{BOUND, Cast, Scene};

const TIMES: usize = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a broker to disturb: cargo xtask faults"]
async fn calls_succeed_again_after_all_connections_are_closed() {
    let cluster = Cluster::own();
    let node = &cluster.nodes[0];
    let cast = Cast::new("connections closed", &cluster.url(0), &["Disconnected", "Timeout"]);
    let mut scene = Scene::begin(&cluster, cast).await;
    for _ in 0..TIMES {
        scene.flow().await;
        let disconnected = scene.ledger.errors("Disconnected");
        let learned = || scene.ledger.errors("Disconnected") > disconnected;
        let close = ["close_all_connections", "maintenance"];
        let ((), closed) =
            tokio::join!(node.ctl(&close), scene.until("the calls under way learn it", learned));
        scene.recover(closed, BOUND, |success| success.begun >= closed).await;
    }
    scene.quieten().await;
    scene.end().await;
}

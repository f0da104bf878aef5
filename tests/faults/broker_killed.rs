//! The broker is killed and started again, over and over.

use crate::broker::{Cluster, variable};
use crate::scene::{BOUND, Cast, Scene};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a broker to kill: cargo xtask faults"]
async fn calls_succeed_again_after_each_restart_of_the_broker() {
    let restarts = variable("LEVERET_FAULTS_RESTARTS").parse::<u32>().unwrap();
    let cluster = Cluster::own();
    let node = &cluster.nodes[0];
    let cast = Cast::new("broker killed", &cluster.url(0), &["Disconnected", "Timeout"]);
    let mut scene = Scene::begin(&cluster, cast).await;
    for _ in 0..restarts {
        scene.flow().await;
        let disconnected = scene.ledger.errors("Disconnected");
        let killed = node.kill().await;
        let learned = || scene.ledger.errors("Disconnected") > disconnected;
        scene.until("the calls under way learn it", learned).await;

        let restart = tokio::spawn(killed.apply());
        let accepts = node.accepts().await;
        scene.recover(accepts, BOUND, |success| success.ended >= accepts).await;
        restart.await.unwrap();
    }
    scene.quieten().await;
    scene.end().await;
}

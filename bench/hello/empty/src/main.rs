//! Does nothing, until it is killed.

use std::time::Duration;

#[tokio::main]
async fn main() {
    println!("ready");
    tokio::time::sleep(Duration::MAX).await;
}

//! Connects, and then does nothing until it is killed: `hello-idle amqp://localhost`.

use std::time::Duration;

use leveret::Client;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let uri = std::env::args().nth(1).ok_or("usage: URI")?;
    let client = Client::connect(uri).await?;
    println!("ready");
    tokio::time::sleep(Duration::MAX).await;
    client.close().await;
    Ok(())
}

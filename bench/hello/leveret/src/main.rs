//! One call: `hello-leveret amqp://localhost QUEUE BODY`.

use leveret::Client;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = std::env::args().skip(1).collect::<Vec<_>>();
    let [uri, queue, body] = &arguments[..] else { return Err("usage: URI QUEUE BODY".into()) };
    let client = Client::connect(uri).await?;
    println!("{}", client.call(queue, body.clone()).await?.text()?);
    client.close().await;
    Ok(())
}

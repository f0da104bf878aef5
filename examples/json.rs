//! Typed calls and handlers in JSON: `cargo run --example json --features json`.
//!
//! They meet at the RabbitMQ of `AMQP_URL`, or at a broker inside this process. At a RabbitMQ, either
//! end may as well be FastStream:
//!
//! ```python
//! @broker.subscriber("leveret.json")
//! async def divide(numbers: dict) -> dict:
//!     return {"quotient": numbers["a"] // numbers["b"]}
//!
//! reply = await broker.request({"a": 84, "b": 2}, queue="leveret.json")
//! print(await reply.decode())
//! ```

use leveret::broker::Broker;
use leveret::{CallError, Client, Fault, Server};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Numbers {
    a: i64,
    b: i64,
}

#[derive(Serialize, Deserialize)]
struct Quotient {
    quotient: i64,
}

async fn divide(Numbers { a, b }: Numbers) -> Result<Quotient, Fault> {
    let quotient = a.checked_div(b);
    let quotient = quotient.ok_or_else(|| Fault::new("no-quotient", format!("of {a} by {b}")))?;
    Ok(Quotient { quotient })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (url, _broker) = match std::env::var("AMQP_URL") {
        Ok(url) => (url, None),
        Err(_) => {
            let broker = Broker::start().await?;
            (broker.url(), Some(broker))
        }
    };
    let server = Server::builder(&url).handle_json("leveret.json", divide).start().await?;
    let client = Client::connect(&url).await?;

    let Quotient { quotient } = client.call_json("leveret.json", &Numbers { a: 84, b: 2 }).await?;
    println!("84 / 2 = {quotient}");

    // What the handler answers with, what it cannot read, and what the caller cannot.
    let by_zero = client.call_json::<Quotient>("leveret.json", &Numbers { a: 84, b: 0 });
    report(by_zero.await.map(drop));
    report(client.call_json::<Quotient>("leveret.json", &("84", "2")).await.map(drop));
    report(client.call_json::<String>("leveret.json", &Numbers { a: 84, b: 2 }).await.map(drop));

    client.close().await;
    server.shutdown().await?;
    Ok(())
}

fn report(result: Result<(), CallError>) {
    match result {
        Ok(()) => println!("no error"),
        Err(CallError::Fault(fault)) => println!("{}: {}", fault.code(), fault.message()),
        Err(error) => println!("{error} ({:?})", error.outcome()),
    }
}

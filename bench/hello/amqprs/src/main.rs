//! One call: `hello-amqprs HOST PORT QUEUE BODY`.

use amqprs::BasicProperties;
use amqprs::channel::{BasicConsumeArguments, BasicPublishArguments};
use amqprs::connection::{Connection, OpenConnectionArguments};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = std::env::args().skip(1).collect::<Vec<_>>();
    let [host, port, queue, body] = &arguments[..] else {
        return Err("usage: HOST PORT QUEUE BODY".into());
    };
    let login = OpenConnectionArguments::new(host, port.parse()?, "guest", "guest");
    let connection = Connection::open(&login).await?;
    let channel = connection.open_channel(None).await?;
    let mut replies = BasicConsumeArguments::new("amq.rabbitmq.reply-to", "");
    let (_, mut replies) = channel.basic_consume_rx(replies.manual_ack(false).finish()).await?;

    let mut properties = BasicProperties::default();
    properties.with_reply_to("amq.rabbitmq.reply-to").with_correlation_id("1");
    let to = BasicPublishArguments::new("", queue);
    channel.basic_publish(properties, body.clone().into_bytes(), to).await?;
    let reply = replies.recv().await.and_then(|reply| reply.content).ok_or("no reply")?;
    println!("{}", std::str::from_utf8(&reply)?);
    channel.close().await?;
    connection.close().await?;
    Ok(())
}

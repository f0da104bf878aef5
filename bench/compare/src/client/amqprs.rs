//! amqprs: its own queue of replies, read by a task; a consumer of the trait would have each delivery
//! boxed.

use std::sync::Arc;

use amqprs::BasicProperties;
use amqprs::channel::{BasicConsumeArguments, BasicPublishArguments, Channel, ConsumerMessage};
use amqprs::connection::{Connection, OpenConnectionArguments};
use tokio::sync::mpsc::UnboundedReceiver;

use super::pending::Pending;
use super::{Caller, Options};
use crate::Result;
use crate::uri::Uri;

const REPLY_TO: &str = "amq.rabbitmq.reply-to";

#[derive(Clone)]
pub(super) struct Amqprs {
    connection: Connection,
    channel: Channel,
    pending: Arc<Pending>,
    queue: Arc<str>,
    body: Arc<[u8]>,
}

impl Caller for Amqprs {
    async fn connect(options: &Options) -> Result<Self> {
        let uri = Uri::parse(&options.url)?;
        let arguments = OpenConnectionArguments::new(&uri.host, uri.port, &uri.user, &uri.password)
            .virtual_host(&uri.virtual_host)
            .finish();
        let connection = Connection::open(&arguments).await?;
        let channel = connection.open_channel(None).await?;
        let no_ack = BasicConsumeArguments::new(REPLY_TO, "").auto_ack(true).finish();
        let (_, replies) = channel.basic_consume_rx(no_ack).await?;
        let pending = Arc::new(Pending::default());
        tokio::spawn(receive(replies, Arc::clone(&pending)));
        Ok(Self {
            connection,
            channel,
            pending,
            queue: options.queue.as_str().into(),
            body: vec![0; options.body_size].into(),
        })
    }

    async fn call(&self) -> Result<usize> {
        let (correlation_id, reply) = self.pending.call();
        let properties = BasicProperties::default()
            .with_reply_to(REPLY_TO)
            .with_correlation_id(&correlation_id.to_string())
            .finish();
        let arguments = BasicPublishArguments::new("", &self.queue);
        self.channel.basic_publish(properties, self.body.to_vec(), arguments).await?;
        Ok(reply.await?.len())
    }

    async fn close(self) -> Result {
        self.channel.close().await?;
        Ok(self.connection.close().await?)
    }
}

async fn receive(mut replies: UnboundedReceiver<ConsumerMessage>, pending: Arc<Pending>) {
    while let Some(reply) = replies.recv().await {
        let (Some(properties), Some(body)) = (reply.basic_properties, reply.content) else {
            unreachable!("a message is delivered when all of it is there");
        };
        let correlation_id = properties.correlation_id().map(String::as_str);
        pending.reply(correlation_id, body).expect("every reply has its caller");
    }
}

//! lapin: a stream of replies in a task, which costs less than a delegate, as each delivery to one is
//! spawned.

use std::sync::Arc;

use futures_util::{FutureExt as _, StreamExt as _};
use lapin::options::{BasicConsumeOptions, BasicPublishOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer};

use super::pending::Pending;
use super::{Caller, Options};
use crate::Result;

const REPLY_TO: &str = "amq.rabbitmq.reply-to";

#[derive(Clone)]
pub(super) struct Lapin {
    connection: Arc<Connection>,
    channel: Channel,
    pending: Arc<Pending>,
    queue: ShortString,
    body: Arc<[u8]>,
}

impl Caller for Lapin {
    async fn connect(options: &Options) -> Result<Self> {
        let connection = Connection::connect(&options.url, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        let no_ack = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let replies = channel
            .basic_consume(REPLY_TO.into(), "".into(), no_ack, FieldTable::default())
            .await?;
        let pending = Arc::new(Pending::default());
        tokio::spawn(receive(replies, Arc::clone(&pending)));
        Ok(Self {
            connection: Arc::new(connection),
            channel,
            pending,
            queue: options.queue.as_str().into(),
            body: vec![0; options.body_size].into(),
        })
    }

    async fn call(&self) -> Result<usize> {
        let (correlation_id, reply) = self.pending.call();
        let properties = BasicProperties::default()
            .with_reply_to(REPLY_TO.into())
            .with_correlation_id(correlation_id.to_string().into());
        let publish = self.channel.basic_publish(
            ShortString::default(),
            self.queue.clone(),
            BasicPublishOptions::default(),
            &self.body,
            properties,
        );
        // The first poll hands the request over. The rest of it waits until that is written, which the
        // reply tells as well; to be woken for it costs a quarter of the call.
        publish.now_or_never().transpose()?;
        Ok(reply.await?.len())
    }

    async fn close(self) -> Result {
        Ok(self.connection.close(200, ShortString::default()).await?)
    }
}

async fn receive(mut replies: Consumer, pending: Arc<Pending>) {
    while let Some(Ok(reply)) = replies.next().await {
        let correlation_id = reply.properties.correlation_id().as_ref().map(ShortString::as_str);
        pending.reply(correlation_id, reply.data).expect("every reply has its caller");
    }
}

//! lapin: a stream of requests, answered one by one in a task without waiting for anything to be written.
//! A delegate, or a task a request, costs more.

use futures_util::{FutureExt as _, StreamExt as _};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer};
use tokio::sync::oneshot;

use super::{Options, PREFETCH, Served, ready};
use crate::Result;

pub(super) async fn run(options: &Options, served: Served, stop: oneshot::Receiver<()>) -> Result {
    let connection = Connection::connect(&options.url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
    let requests = channel
        .basic_consume(
            options.queue.as_str().into(),
            "".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await?;
    ready();

    let serving = tokio::spawn(serve(requests, channel, served));
    _ = stop.await;
    connection.close(200, ShortString::default()).await?;
    serving.await?
}

async fn serve(mut requests: Consumer, channel: Channel, served: Served) -> Result {
    // The last thing that comes is the end of the connection.
    while let Some(Ok(request)) = requests.next().await {
        answer(request, &channel)?;
        served.one_more();
    }
    Ok(())
}

/// The first poll of either future hands over what is to be sent; the rest would wait, for one request
/// after the other, until it is written.
fn answer(request: Delivery, channel: &Channel) -> Result {
    let reply_to = request.properties.reply_to().clone().ok_or("a request without reply-to")?;
    let mut properties = BasicProperties::default();
    if let Some(correlation_id) = request.properties.correlation_id() {
        properties = properties.with_correlation_id(correlation_id.clone());
    }
    let publish = channel.basic_publish(
        ShortString::default(),
        reply_to,
        BasicPublishOptions::default(),
        &request.data,
        properties,
    );
    publish.now_or_never().transpose()?;
    // The channel's own is one queue fewer than the delivery's.
    let acknowledge = channel.basic_ack(request.delivery_tag, BasicAckOptions::default());
    acknowledge.now_or_never().transpose()?;
    Ok(())
}

//! amqprs: its own queue of requests, read by a task; a consumer of the trait would have each delivery
//! boxed. To publish and to acknowledge is no more than to hand over.

use amqprs::BasicProperties;
use amqprs::channel::{
    BasicAckArguments, BasicConsumeArguments, BasicPublishArguments, BasicQosArguments, Channel,
    ConsumerMessage,
};
use amqprs::connection::{Connection, OpenConnectionArguments};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;

use super::{Options, PREFETCH, Served, ready};
use crate::Result;
use crate::uri::Uri;

pub(super) async fn run(options: &Options, served: Served, stop: oneshot::Receiver<()>) -> Result {
    let uri = Uri::parse(&options.url)?;
    let arguments = OpenConnectionArguments::new(&uri.host, uri.port, &uri.user, &uri.password)
        .virtual_host(&uri.virtual_host)
        .finish();
    let connection = Connection::open(&arguments).await?;
    let channel = connection.open_channel(None).await?;
    channel.basic_qos(BasicQosArguments::new(0, PREFETCH, false)).await?;
    let (_, requests) =
        channel.basic_consume_rx(BasicConsumeArguments::new(&options.queue, "")).await?;
    ready();

    let serving = tokio::spawn(serve(requests, channel.clone(), served));
    _ = stop.await;
    serving.abort();
    channel.close().await?;
    Ok(connection.close().await?)
}

async fn serve(mut requests: UnboundedReceiver<ConsumerMessage>, channel: Channel, served: Served) {
    while let Some(request) = requests.recv().await {
        answer(request, &channel).await.expect("a request is answered");
        served.one_more();
    }
}

async fn answer(request: ConsumerMessage, channel: &Channel) -> Result {
    let (Some(deliver), Some(request), Some(body)) =
        (request.deliver, request.basic_properties, request.content)
    else {
        unreachable!("a message is delivered when all of it is there");
    };
    let mut properties = BasicProperties::default();
    if let Some(correlation_id) = request.correlation_id() {
        properties.with_correlation_id(correlation_id);
    }
    let reply_to = request.reply_to().ok_or("a request without reply-to")?;
    let arguments = BasicPublishArguments::new("", reply_to);
    channel.basic_publish(properties, body, arguments).await?;
    channel.basic_ack(BasicAckArguments::new(deliver.delivery_tag(), false)).await?;
    Ok(())
}

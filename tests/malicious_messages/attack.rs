//! The two ways to attack: as a client of a server, and as a server of a client.

use std::time::Duration;

use leveret::{
    BasicProperties, Client, Fault, Queue, Reconnect, Reply, Request, Server, ServerStats, ShortStr,
};
use leveret_codec::{basic, queue as queue_method};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::broker::{Broker, unique};
use crate::support::service::{client, queue, server};
use crate::support::wire::{Content, Wire};

const PATIENCE: Duration = Duration::from_secs(20);

/// A server that sends back all that it gets, and an attacker with a queue for what comes of it.
pub(crate) struct Victim {
    pub(crate) broker: Broker,
    pub(crate) server: Server,
    pub(crate) queue: ShortStr,
    pub(crate) attacker: Wire,
    /// The attacker's own queue, consumed on its channel 1.
    pub(crate) replies: ShortStr,
}

impl Victim {
    pub(crate) async fn new(purpose: &str) -> Self {
        Self::serving(queue(purpose)).await
    }

    pub(crate) async fn serving((name, queue): (String, Queue)) -> Self {
        let broker = Broker::shared().await;
        let mut attacker = broker.channel().await;
        let replies = consume_own_queue(&mut attacker).await;
        let name = ShortStr::try_from(name).unwrap();
        let server = server().handle(queue, echo_all);
        // What ends its connection is to show.
        let server = server.reconnect(Reconnect::never()).start().await.unwrap();
        Self { broker, server, queue: name, attacker, replies }
    }

    /// The properties of a request to which the attacker wants a reply.
    pub(crate) fn asking(&self) -> BasicProperties {
        BasicProperties { reply_to: Some(self.replies.clone()), ..BasicProperties::default() }
    }

    pub(crate) async fn request(&mut self, properties: BasicProperties, body: &[u8]) {
        self.attacker.publish(1, &self.queue, properties, body).await;
    }

    /// Asks, and waits for the answer.
    pub(crate) async fn ask(&mut self, properties: BasicProperties, body: &[u8]) -> Content {
        let properties = BasicProperties { reply_to: Some(self.replies.clone()), ..properties };
        self.request(properties, body).await;
        self.attacker.expect_delivery(1).await.1
    }

    /// Whatever came before, the server serves the next one, and ends in good order, with nothing
    /// left in its queue. What it has done in all.
    pub(crate) async fn serves_the_next(mut self) -> ServerStats {
        // What the attacker has published is in the queue, not overtaken by another connection.
        passively(&mut self.attacker, &self.queue).await;
        let client = client().await;
        let queue = self.queue.to_string();
        assert_eq!(client.call(&queue, "the next").await.unwrap().body, "the next");
        client.close().await;
        assert_eq!(self.server.stats().channels_closed, 0);
        let idle = async {
            while self.server.stats().running > 0 {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, idle).await.expect("all requests are answered");
        let stats = self.server.stats();
        self.server.shutdown().await.unwrap();
        self.attacker.close().await;
        assert_eq!(ready(&self.broker, &self.queue).await, 0, "requests are left");
        stats
    }
}

/// A server by hand, and the client that calls it.
pub(crate) struct Impostor {
    pub(crate) client: Client,
    pub(crate) wire: Wire,
    pub(crate) queue: ShortStr,
    _broker: Broker,
}

/// A call under way: what is needed to reply to it.
pub(crate) struct Asked {
    pub(crate) address: ShortStr,
    pub(crate) correlation_id: ShortStr,
    pub(crate) call: JoinHandle<Result<Reply, leveret::CallError>>,
}

impl Asked {
    /// The properties of an honest reply.
    pub(crate) fn properties(&self) -> BasicProperties {
        let correlation_id = Some(self.correlation_id.clone());
        BasicProperties { correlation_id, ..BasicProperties::default() }
    }

    pub(crate) async fn ends(self) -> Result<Reply, leveret::CallError> {
        timeout(PATIENCE, self.call).await.expect("the call ends").unwrap()
    }
}

impl Impostor {
    pub(crate) async fn new() -> Self {
        let broker = Broker::shared().await;
        let mut wire = broker.channel().await;
        let queue = consume_own_queue(&mut wire).await;
        Self { client: client().await, wire, queue, _broker: broker }
    }

    /// The client calls, and the request has arrived.
    pub(crate) async fn asked(&mut self) -> Asked {
        self.asked_by(self.client.clone(), false).await
    }

    pub(crate) async fn asked_by(&mut self, client: Client, own_channel: bool) -> Asked {
        let queue = self.queue.to_string();
        let call = tokio::spawn(async move {
            let request = client.request(queue).timeout(PATIENCE).body("question");
            let request = if own_channel { request.own_channel() } else { request };
            request.send().await
        });
        let (_, Content { properties, .. }) = self.wire.expect_delivery(1).await;
        let correlation_id = properties.correlation_id.unwrap();
        Asked { address: properties.reply_to.unwrap(), correlation_id, call }
    }

    pub(crate) async fn reply(&mut self, asked: &Asked, properties: BasicProperties, body: &[u8]) {
        self.wire.publish(1, &asked.address, properties, body).await;
    }

    /// Whatever came before, the client makes the next call.
    pub(crate) async fn goes_on(mut self) -> leveret::Stats {
        let asked = self.asked().await;
        self.reply(&asked, asked.properties(), b"the next").await;
        assert_eq!(asked.ends().await.unwrap().body, "the next");
        let stats = self.client.stats();
        assert_eq!(stats.pending, 0);
        self.client.close().await;
        self.wire.close().await;
        stats
    }
}

/// A handler that gives back all that came.
pub(crate) async fn echo_all(request: Request) -> Result<Reply, Fault> {
    Ok(Reply { body: request.body, properties: request.properties })
}

/// A queue that goes with its connection, consumed on channel 1 without acknowledgements.
pub(crate) async fn consume_own_queue(wire: &mut Wire) -> ShortStr {
    let queue = unique("attacker");
    let declare =
        queue_method::Declare { queue: queue.clone(), exclusive: true, ..Default::default() };
    wire.call::<queue_method::DeclareOk>(1, declare).await;
    let consume = basic::Consume { queue: queue.clone(), no_ack: true, ..Default::default() };
    wire.call::<basic::ConsumeOk>(1, consume).await;
    queue
}

/// How many messages wait in a queue.
pub(crate) async fn ready(broker: &Broker, queue: &ShortStr) -> u32 {
    let mut wire = broker.channel().await;
    let declared = passively(&mut wire, queue).await;
    wire.close().await;
    declared.message_count
}

/// The queue as it is, when all is in it that was published before on channel 1.
async fn passively(wire: &mut Wire, queue: &ShortStr) -> queue_method::DeclareOk {
    let queue = queue.clone();
    wire.call(1, queue_method::Declare { queue, passive: true, ..Default::default() }).await
}

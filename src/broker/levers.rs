//! The levers of a [`Broker`]: what a test looks at, and what it has go wrong.

use std::sync::Arc;
use std::time::Duration;

use leveret_codec::{ReplyCode, ShortStr};
use tokio::io::DuplexStream;

use super::connections::ConnectionHandle;
use super::counts::{BrokerStats, QueueStats};
use super::lines::Plan;
use super::node::Node;
use super::observe::{Direction, Observer};
use super::transport::Faults;
use super::{Broker, BrokerBuilder, listener};

impl BrokerBuilder {
    /// Keeps the frames of each connection, for [`ConnectionHandle::frames`]: the last 10,000, and
    /// of those no more than 16 MiB.
    pub fn record_frames(mut self) -> Self {
        self.records = true;
        self
    }

    /// Has all octets seen as they pass, with the number of their connection
    /// ([`ConnectionHandle::id`]) and their direction. When a connection has ended, either direction
    /// is told of once more, with no octets.
    ///
    /// Frames may come in pieces, and several in one. Logins are among them: what is shown of them is
    /// `see`'s to judge. It runs in the connection's own task, which waits for it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::sync::mpsc;
    ///
    /// use leveret::Client;
    /// use leveret::broker::{Broker, Direction};
    ///
    /// let (seen, passed) = mpsc::channel();
    /// let broker = Broker::builder()
    ///     .on_octets(move |connection, direction, octets| {
    ///         let _ = seen.send((connection, direction, octets.to_vec()));
    ///     })
    ///     .start()
    ///     .await?;
    /// let client = Client::connect(&broker.url()).await?;
    /// let (connection, direction, octets) = passed.recv()?;
    /// assert_eq!((connection, direction), (1, Direction::FromClient));
    /// assert_eq!(octets, b"AMQP\x00\x00\x09\x01");
    /// # client.close().await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_octets(
        mut self,
        see: impl Fn(u64, Direction, &[u8]) + Send + Sync + 'static,
    ) -> Self {
        self.observer = Some(Observer(Arc::new(see)));
        self
    }
}

/// # Connections
impl Broker {
    /// A connection without a socket: the broker serves the other end. For programs that can speak
    /// AMQP over any stream, and for tests that write their frames themselves.
    ///
    /// It has to be called inside a tokio runtime.
    pub fn connect(&self) -> DuplexStream {
        const BUFFER: usize = 0x1_0000;
        let (near, far) = tokio::io::duplex(BUFFER);
        listener::serve(&self.shared, far);
        near
    }

    /// The connections that there were, oldest first: those that are open, and the last 100 of
    /// those that have ended.
    pub fn connections(&self) -> Vec<ConnectionHandle> {
        let lines = self.shared.lines.all().into_iter();
        lines.map(|line| ConnectionHandle::new(Arc::clone(&self.shared), line)).collect()
    }

    /// The newest connection whose client calls itself by this name, in the client property
    /// `connection_name`.
    pub fn connection(&self, name: &str) -> Option<ConnectionHandle> {
        self.connections().into_iter().rfind(|it| it.connection_name().as_deref() == Some(name))
    }

    /// Drops every connection, as if the broker had died: no word is sent, not even what was
    /// about to be. New connections are accepted.
    pub fn drop_connections(&self) {
        self.shared.drop_connections();
    }

    /// Closes every connection with a code, as a broker does that shuts down: 320, usually.
    /// See [`ConnectionHandle::close`].
    pub fn close_connections(&self, code: ReplyCode, text: &str) {
        self.connections().iter().for_each(|connection| connection.close(code, text));
    }

    /// Has something happen to the next connection, from its beginning on. Called again, it is
    /// about the connection after that.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use leveret::Client;
    /// use leveret::broker::Broker;
    ///
    /// let broker = Broker::start().await?;
    /// broker.next_connection().refuse();
    /// broker.next_connection().drop_after_sending(100);
    /// assert!(Client::connect(&broker.url()).await.is_err());
    /// assert!(Client::connect(&broker.url()).await.is_err());
    /// assert!(Client::connect(&broker.url()).await.is_ok());
    /// # Ok(())
    /// # }
    /// ```
    pub fn next_connection(&self) -> NextConnection<'_> {
        NextConnection { broker: self, number: self.shared.lines.add_plan() }
    }
}

/// # Alarms and queues
///
/// A queue is known here by its name alone: what is done to it is done in every virtual host that
/// has one of that name.
impl Broker {
    /// Raises an alarm: `low on memory`, `low on disk`.
    ///
    /// As in RabbitMQ, that holds up only those who publish: their first message arrives, they are
    /// told with `connection.blocked` if they have announced that they understand it, and nothing
    /// more is read from them until [`unblock`](Self::unblock).
    pub fn block(&self, reason: &str) {
        self.shared.with(|node, _| node.set_alarm(ShortStr::truncated(reason)));
    }

    /// Ends the alarm. Those who were told of it hear that it is over, and all are read again.
    pub fn unblock(&self) {
        self.shared.with(|node, _| node.clear_alarm());
    }

    /// Cancels the consumers of a queue, which stays. Those who have announced that they
    /// understand it are sent `basic.cancel`; others, as with RabbitMQ, hear nothing. How many
    /// there were.
    pub fn cancel_consumers(&self, queue: &str) -> usize {
        let queue = ShortStr::truncated(queue);
        self.shared.with(|node, now| node.cancel_consumers(&queue, now))
    }

    /// Deletes a queue, as an operator would: its messages are gone, its consumers cancelled.
    /// Whether there was one.
    pub fn delete_queue(&self, queue: &str) -> bool {
        let queue = ShortStr::truncated(queue);
        self.shared.with(|node, _| node.delete_queues(&queue))
    }

    /// What a queue holds, if there is one.
    pub fn queue(&self, queue: &str) -> Option<QueueStats> {
        let queue = ShortStr::truncated(queue);
        self.shared.query(|node| node.queue_stats(&queue))
    }

    /// What the broker has done so far, and what it holds.
    pub fn stats(&self) -> BrokerStats {
        let (queues, held) = self.shared.query(Node::totals);
        let stats = self.shared.lines.stats();
        BrokerStats { queues, ready: held.ready, unacknowledged: held.unacknowledged, ..stats }
    }

    /// Waits until the condition holds, which is asked again whenever something has happened in
    /// the broker. It may wait for ever: limit it with [`tokio::time::timeout`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use leveret::{Client, Request, Server};
    /// # let broker = leveret::broker::Broker::start().await?;
    /// # let server = Server::builder(&broker.url())
    /// #     .handle("ping", |request: Request| async move { Ok(request.into_body()) })
    /// #     .start()
    /// #     .await?;
    /// # let client = Client::connect(&broker.url()).await?;
    /// client.call("ping", "hello").await?;
    /// // The server sends the reply first and acknowledges the request then.
    /// broker.until(|broker| broker.stats().acknowledged == 1).await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn until(&self, mut condition: impl FnMut(&Self) -> bool) {
        self.shared.lines.until(|| condition(self)).await;
    }
}

/// What is to happen to the next connection; see [`Broker::next_connection`].
#[derive(Debug, Clone, Copy)]
pub struct NextConnection<'a> {
    broker: &'a Broker,
    number: u64,
}

#[allow(clippy::return_self_not_must_use, reason = "each takes effect at once")]
impl NextConnection<'_> {
    /// Closes the socket at once. The client can connect, but hears nothing.
    pub fn refuse(self) -> Self {
        self.plan(|plan| plan.refuses = true)
    }

    /// Says and reads nothing for a while after the socket is there.
    pub fn delay(self, delay: Duration) -> Self {
        self.plan(|plan| plan.delay = delay)
    }

    /// Drops the connection when so many octets have gone to the client.
    pub fn drop_after_sending(self, octets: u64) -> Self {
        self.faults(|faults| faults.may_send = Some(octets))
    }

    /// Drops the connection when so many octets have come from the client. They have their effect;
    /// answers are not sent any more.
    pub fn drop_after_receiving(self, octets: u64) -> Self {
        self.faults(|faults| faults.may_receive = Some(octets))
    }

    /// Reads nothing until [`ConnectionHandle::resume_reads`].
    pub fn stall_reads(self) -> Self {
        self.faults(|faults| faults.stalls_reads = true)
    }

    /// Sends nothing until [`ConnectionHandle::resume_writes`].
    pub fn stall_writes(self) -> Self {
        self.faults(|faults| faults.stalls_writes = true)
    }

    fn faults(self, change: impl FnOnce(&mut Faults)) -> Self {
        self.plan(|plan| change(&mut plan.faults))
    }

    fn plan(self, change: impl FnOnce(&mut Plan)) -> Self {
        self.broker.shared.lines.change_plan(self.number, change);
        self
    }
}

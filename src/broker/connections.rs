//! [`ConnectionHandle`]: one connection, as a test sees it and gets at it.

use std::fmt;
use std::sync::Arc;

use leveret_codec::{FieldTable, ReplyCode};

use super::listener::Shared;
use super::observe::{ObservedFrame, Transcript};
use super::transport::{Faults, Line};

/// A connection to a [`Broker`](super::Broker), open or ended.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use leveret::broker::Broker;
/// use leveret::{Client, ConnectionState};
///
/// let broker = Broker::builder().record_frames().start().await?;
/// let client = Client::builder(&broker.url()).connection_name("shop").connect().await?;
/// assert!(client.call("nobody", "hello").await.is_err());
///
/// let connection = broker.connection("shop").ok_or("not connected")?;
/// let transcript = connection.transcript().to_string();
/// assert!(transcript.contains(r#"client <- 1 basic.return 312 NO_ROUTE ""/"nobody""#));
///
/// let mut state = client.connection_state();
/// connection.drop_now();
/// state.wait_for(|state| matches!(state, ConnectionState::Reconnecting { .. })).await?;
/// state.wait_for(|state| *state == ConnectionState::Connected).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ConnectionHandle {
    shared: Arc<Shared>,
    line: Arc<Line>,
}

impl ConnectionHandle {
    pub(super) fn new(shared: Arc<Shared>, line: Arc<Line>) -> Self {
        Self { shared, line }
    }

    // ------------------------------------------------------------------ what is known of it

    /// Its number: 1 for the broker's first connection.
    pub fn id(&self) -> u64 {
        self.line.id.0
    }

    /// Whether it has not ended yet.
    pub fn is_open(&self) -> bool {
        self.line.is_open()
    }

    /// What the client calls the connection, if it does.
    pub fn connection_name(&self) -> Option<String> {
        let name = self.line.guest().client_properties.get("connection_name")?;
        name.as_str().map(str::to_owned)
    }

    /// What the client says of itself: product, version, capabilities. Empty before the login.
    pub fn client_properties(&self) -> FieldTable {
        self.line.guest().client_properties
    }

    /// The user, once the connection has been opened.
    pub fn user(&self) -> Option<String> {
        self.line.guest().user
    }

    /// The virtual host, once the connection has been opened.
    pub fn virtual_host(&self) -> Option<String> {
        self.line.guest().virtual_host
    }

    /// Whether it has published while an alarm is on, and is not read until that is over.
    pub fn is_blocked(&self) -> bool {
        let id = self.line.id;
        self.shared.query(|node| node.sessions.get(&id).is_some_and(|session| session.blocked))
    }

    /// How many octets have come from the client.
    pub fn octets_received(&self) -> u64 {
        let (received, _) = self.line.counts();
        received.octets
    }

    /// How many octets have gone to the client.
    pub fn octets_sent(&self) -> u64 {
        let (_, sent) = self.line.counts();
        sent.octets
    }

    /// The frames so far, both ways, in the order in which they passed the socket. There are none
    /// unless [`record_frames`](super::BrokerBuilder::record_frames) is on.
    pub fn frames(&self) -> Vec<ObservedFrame> {
        self.line.transcript().frames
    }

    /// The frames so far, and what else there is to know of them. It prints as a line a frame.
    pub fn transcript(&self) -> Transcript {
        self.line.transcript()
    }

    // ------------------------------------------------------------------ AMQP

    /// Closes the connection with a code, and awaits the client's answer. The code's name is put
    /// before the text, as RabbitMQ does: 320 with `broker shuts down` arrives as
    /// `CONNECTION_FORCED - broker shuts down`.
    pub fn close(&self, code: ReplyCode, text: &str) {
        self.shared.with(|node, now| node.close_session(self.line.id, now, code, text));
    }

    /// Closes a channel with a code, as [`close`](Self::close) does. Whether it was open.
    pub fn close_channel(&self, channel: u16, code: ReplyCode, text: &str) -> bool {
        self.shared.with(|node, now| node.close_channel(self.line.id, now, channel, code, text))
    }

    /// Sends octets as they are, after the frames that are about to be sent. Whether the
    /// connection was still there.
    pub fn send_raw(&self, octets: impl AsRef<[u8]>) -> bool {
        self.shared.with(|node, _| node.send_raw(self.line.id, octets.as_ref()))
    }

    // ------------------------------------------------------------------ the socket

    /// Drops the connection without a word, not even what was about to be sent.
    pub fn drop_now(&self) {
        self.shared.drop_connection(&self.line);
    }

    /// Drops the connection when so many more octets have gone to the client.
    pub fn drop_after_sending(&self, octets: u64) {
        self.fault(|faults| faults.may_send = Some(octets));
    }

    /// Drops the connection when so many more octets have come from the client. They have their
    /// effect; answers are not sent any more.
    pub fn drop_after_receiving(&self, octets: u64) {
        self.fault(|faults| faults.may_receive = Some(octets));
    }

    /// Reads nothing more. The broker's heartbeat, where there is one, counts that as silence.
    pub fn stall_reads(&self) {
        self.fault(|faults| faults.stalls_reads = true);
    }

    /// Reads on.
    pub fn resume_reads(&self) {
        self.fault(|faults| faults.stalls_reads = false);
    }

    /// Sends nothing more, not even heartbeats.
    pub fn stall_writes(&self) {
        self.fault(|faults| faults.stalls_writes = true);
    }

    /// Sends what has gathered, and goes on.
    pub fn resume_writes(&self) {
        self.fault(|faults| faults.stalls_writes = false);
    }

    fn fault(&self, change: impl FnOnce(&mut Faults)) {
        self.line.fault(change);
        self.shared.lines.changed();
    }
}

impl fmt::Debug for ConnectionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionHandle")
            .field("id", &self.id())
            .field("connection_name", &self.connection_name())
            .field("user", &self.user())
            .field("virtual_host", &self.virtual_host())
            .field("is_open", &self.is_open())
            .finish()
    }
}

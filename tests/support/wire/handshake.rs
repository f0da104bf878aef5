//! The dialogue that opens a connection, of which a test may change its side.

use leveret_codec::{FieldTable, LongStr, ProtocolHeader, Secret, ShortStr, connection};
use tokio::net::TcpStream;

use super::Wire;
use crate::support::broker::Broker;

/// What the clients of RabbitMQ's makers announce.
pub(crate) const CAPABILITIES: [&str; 6] = [
    "publisher_confirms",
    "exchange_exchange_bindings",
    "basic.nack",
    "consumer_cancel_notify",
    "connection.blocked",
    "authentication_failure_close",
];

/// What the client says, step by step.
pub(crate) struct Handshake {
    pub(crate) capabilities: &'static [&'static str],
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) virtual_host: String,
    /// Makes an answer of what the broker offers.
    pub(crate) tune: fn(connection::Tune) -> connection::TuneOk,
}

impl Handshake {
    /// One that `broker` accepts.
    pub(crate) fn new(broker: &Broker) -> Self {
        Self {
            capabilities: &CAPABILITIES,
            user: broker.user.clone(),
            password: broker.password.clone(),
            virtual_host: broker.virtual_host.clone(),
            tune: accept,
        }
    }

    pub(crate) async fn open(self, stream: TcpStream) -> Wire {
        let mut wire = self.until_open(stream).await;
        let connection::OpenOk {} = wire.expect(0).await;
        wire
    }

    /// As far as connection.open, without the answer to it.
    pub(crate) async fn until_open(self, stream: TcpStream) -> Wire {
        let virtual_host = ShortStr::try_from(&*self.virtual_host).unwrap();
        let mut wire = self.until_tune_ok(stream).await;
        wire.send(0, connection::Open { virtual_host }).await;
        wire
    }

    /// As far as connection.tune-ok, to which there is no answer.
    pub(crate) async fn until_tune_ok(self, stream: TcpStream) -> Wire {
        let tune_ok = self.tune;
        let mut wire = self.until_start_ok(stream).await;
        let tune: connection::Tune = wire.expect(0).await;
        let answer = tune_ok(tune);
        wire.payload_max = answer.frame_max.saturating_sub(8).max(1);
        wire.send(0, answer).await;
        wire
    }

    /// As far as connection.start-ok, without the answer to it.
    pub(crate) async fn until_start_ok(self, stream: TcpStream) -> Wire {
        let mut wire = Wire::new(stream);
        wire.send_header(ProtocolHeader::AMQP_0_9_1).await;
        let start: connection::Start = wire.expect(0).await;
        wire.server_properties = start.server_properties;
        wire.send(0, self.start_ok()).await;
        wire
    }

    pub(crate) fn start_ok(&self) -> connection::StartOk {
        let mut capabilities = FieldTable::new();
        for capability in self.capabilities {
            capabilities.insert(*capability, true).unwrap();
        }
        let mut client_properties = FieldTable::new();
        client_properties.insert("product", "Leveret's tests").unwrap();
        client_properties.insert("capabilities", capabilities).unwrap();
        let response = format!("\0{}\0{}", self.user, self.password);
        connection::StartOk {
            client_properties,
            mechanism: ShortStr::from_static("PLAIN"),
            response: Secret(LongStr::try_from(response).unwrap()),
            locale: ShortStr::from_static("en_US"),
        }
    }
}

impl Wire {
    async fn send_header(&mut self, header: ProtocolHeader) {
        use futures_util::SinkExt;
        super::patiently("sending", self.frames.send(header)).await.unwrap();
    }
}

fn accept(offer: connection::Tune) -> connection::TuneOk {
    let connection::Tune { channel_max, frame_max, heartbeat } = offer;
    connection::TuneOk { channel_max, frame_max, heartbeat }
}

//! What a server costs at least: a request's body goes back as it comes, even before all of it has come,
//! and all requests of a batch are acknowledged at once.

use tokio::sync::oneshot;

use super::{Options, PREFETCH, Served, ready};
use crate::Result;
use crate::wire::{self, CHANNEL, Ends, Header, Output, Peer, Piece, Reader, id, unexpected};

pub(super) async fn run(options: &Options, served: Served, stop: oneshot::Receiver<()>) -> Result {
    let mut connected = wire::connect(&options.url)?;
    let [high, low] = PREFETCH.to_be_bytes();
    connected.ask(id::BASIC_QOS, &[0, 0, 0, 0, high, low, 0], id::BASIC_QOS_OK)?;
    connected.consume(&options.queue, false)?;
    ready();

    let mut floor =
        Floor { served, request: Request::Deliver, acknowledge: None, is_overdue: false };
    let stream = connected.into_stream()?;
    let stop = async { _ = stop.await };
    let output = Output::new(Vec::new());
    tokio::spawn(async move { wire::exchange(stream, output, &mut floor, stop).await }).await?
}

struct Floor {
    served: Served,
    request: Request,
    /// The last request that was answered.
    acknowledge: Option<u64>,
    /// Its acknowledgement was not possible when its batch ended: a reply had begun.
    is_overdue: bool,
}

/// What is to come next.
enum Request {
    Deliver,
    Header { delivery_tag: u64 },
    Body { delivery_tag: u64, left: usize },
}

impl Floor {
    fn answered(&mut self, delivery_tag: u64, output: &mut Output) {
        self.request = Request::Deliver;
        self.served.one_more();
        self.acknowledge = Some(delivery_tag);
        if self.is_overdue {
            self.acknowledge(output);
        }
    }

    fn acknowledge(&mut self, output: &mut Output) {
        self.is_overdue = false;
        if let Some(delivery_tag) = self.acknowledge.take() {
            let mut arguments = [1; 9];
            // The last octet stays: this one and all before it.
            arguments[..8].copy_from_slice(&delivery_tag.to_be_bytes());
            wire::method(&mut output.octets, CHANNEL, id::BASIC_ACK, &arguments);
        }
    }
}

impl Peer for Floor {
    fn piece(&mut self, piece: Piece<'_>, output: &mut Output) -> Result {
        match (&mut self.request, piece) {
            (Request::Deliver, Piece::Method(payload)) => {
                let mut reader = Reader(payload);
                if reader.u32()? != id::BASIC_DELIVER {
                    return Err(unexpected(payload).into());
                }
                reader.short_string()?;
                self.request = Request::Header { delivery_tag: reader.u64()? };
            }
            (Request::Header { delivery_tag }, Piece::Header(payload)) => {
                let delivery_tag = *delivery_tag;
                let Header { body_size, correlation_id, reply_to } = Header::parse(payload)?;
                wire::publish(&mut output.octets, reply_to, wire::OPTIONAL);
                wire::header(&mut output.octets, CHANNEL, body_size, correlation_id, None);
                match body_size {
                    0 => self.answered(delivery_tag, output),
                    left => self.request = Request::Body { delivery_tag, left: left as usize },
                }
            }
            (Request::Body { delivery_tag, left }, Piece::Body { octets, ended }) => {
                let delivery_tag = *delivery_tag;
                output.octets.extend_from_slice(octets);
                if let Some(size) = ended {
                    *left = left.checked_sub(size).ok_or("a body is too long")?;
                    if *left == 0 {
                        self.answered(delivery_tag, output);
                    }
                }
            }
            _ => return Err("a frame out of order".into()),
        }
        Ok(())
    }

    fn batch_ends(&mut self, output: &mut Output) -> Result<Ends> {
        match self.request {
            Request::Body { .. } => self.is_overdue = self.acknowledge.is_some(),
            Request::Deliver | Request::Header { .. } => self.acknowledge(output),
        }
        Ok(Ends::No)
    }
}

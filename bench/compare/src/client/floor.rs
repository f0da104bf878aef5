//! What a client costs at least: every reply has the next request copied, as it was encoded before the
//! first, with another correlation-id.

use std::future::pending;
use std::sync::Arc;
use std::time::Instant;

use super::Options;
use crate::run::Run;
use crate::wire::{self, Ends, Header, Output, Peer, Piece, Reader, id, unexpected};
use crate::{Implementation, Result};

pub(super) async fn run(options: &Options, run: Arc<Run>) -> Result {
    let mut connected = wire::connect(&options.url)?;
    connected.consume("amq.rabbitmq.reply-to", true)?;
    let mut output = Output::new(encoded(|out| wire::body(out, options.body_size)));
    let mut floor = Floor::new(options, run);
    for number in 0..options.in_flight {
        floor.request(number as u32, &mut output);
    }
    let stream = connected.into_stream()?;
    // A task like any other, so that it runs where others do.
    tokio::spawn(async move { wire::exchange(stream, output, &mut floor, pending()).await }).await?
}

const REPLY_TO: &[u8] = b"amq.rabbitmq.reply-to";

struct Floor {
    run: Arc<Run>,
    body_size: usize,
    /// The frames of a request, without its body.
    request: Vec<u8>,
    correlation_id_at: usize,
    slots: Vec<Slot>,
    reply: Reply,
    /// Callers that go on.
    left: usize,
}

/// A caller.
struct Slot {
    begin: Instant,
    generation: u32,
}

/// What is to come next.
enum Reply {
    Deliver,
    Header,
    Body { number: u32, left: usize },
}

impl Floor {
    fn new(options: &Options, run: Arc<Run>) -> Self {
        let (request, correlation_id_at) = match options.implementation {
            Implementation::FullFloor => full_request(options),
            _ => plain_request(options),
        };
        let begin = Instant::now();
        Self {
            run,
            body_size: options.body_size,
            request,
            correlation_id_at,
            slots: (0..options.in_flight).map(|_| Slot { begin, generation: 0 }).collect(),
            reply: Reply::Deliver,
            left: options.in_flight,
        }
    }

    fn request(&mut self, number: u32, output: &mut Output) {
        let correlation_id = encode(number, self.slots[number as usize].generation);
        let at = output.octets.len() + self.correlation_id_at;
        output.octets.extend_from_slice(&self.request);
        output.octets[at..at + correlation_id.len()].copy_from_slice(&correlation_id);
        output.body();
    }

    fn replied(&mut self, number: u32, output: &mut Output) {
        self.reply = Reply::Deliver;
        let slot = &mut self.slots[number as usize];
        let end = Instant::now();
        if self.run.ended(slot.begin, end) {
            slot.begin = end;
            slot.generation = slot.generation.wrapping_add(1);
            self.request(number, output);
        } else {
            self.left -= 1;
        }
    }

    /// Whose reply this is.
    fn caller(&self, header: &Header<'_>) -> Result<u32> {
        let correlation_id: &[u8; 8] =
            header.correlation_id.last_chunk().ok_or("a foreign correlation-id")?;
        let number = decode(correlation_id);
        match self.slots.get(number as usize) {
            Some(slot) if encode(number, slot.generation) == *correlation_id => Ok(number),
            _ => Err("a reply to no request".into()),
        }
    }
}

impl Peer for Floor {
    fn piece(&mut self, piece: Piece<'_>, output: &mut Output) -> Result {
        match (&mut self.reply, piece) {
            (Reply::Deliver, Piece::Method(payload)) => {
                if Reader(payload).u32()? != id::BASIC_DELIVER {
                    return Err(unexpected(payload).into());
                }
                self.reply = Reply::Header;
            }
            (Reply::Header, Piece::Header(payload)) => {
                let header = Header::parse(payload)?;
                let number = self.caller(&header)?;
                if header.body_size != self.body_size as u64 {
                    return Err(format!("a reply of {} octets", header.body_size).into());
                }
                match self.body_size {
                    0 => self.replied(number, output),
                    left => self.reply = Reply::Body { number, left },
                }
            }
            (Reply::Body { number, left }, Piece::Body { ended, .. }) => {
                let number = *number;
                if let Some(size) = ended {
                    *left = left.checked_sub(size).ok_or("a body is too long")?;
                    if *left == 0 {
                        self.replied(number, output);
                    }
                }
            }
            _ => return Err("a frame out of order".into()),
        }
        Ok(())
    }

    fn batch_ends(&mut self, _: &mut Output) -> Result<Ends> {
        Ok(if self.left == 0 { Ends::Yes } else { Ends::No })
    }
}

/// The least that makes it a request, and where its correlation-id is.
fn plain_request(options: &Options) -> (Vec<u8>, usize) {
    let request = encoded(|out| {
        wire::publish(out, options.queue.as_bytes(), wire::OPTIONAL);
        let body_size = options.body_size as u64;
        wire::header(out, wire::CHANNEL, body_size, &encode(0, 0), Some(REPLY_TO));
    });
    let behind = 1 + REPLY_TO.len() + 1;
    let correlation_id_at = request.len() - behind - 8;
    (request, correlation_id_at)
}

/// What Leveret sends: a mode, a time to live, a message-id, a correlation-id of that length, and that
/// it is to come back if there is no such queue.
fn full_request(options: &Options) -> (Vec<u8>, usize) {
    const ID: [u8; 33] = [b'0'; 33];
    let request = encoded(|out| {
        wire::publish(out, options.queue.as_bytes(), wire::MANDATORY);
        wire::full_header(out, options.body_size as u64, &ID, REPLY_TO, b"30000");
    });
    let behind = 1 + REPLY_TO.len() + 1 + b"30000".len() + 1 + ID.len() + 1;
    let correlation_id_at = request.len() - behind - 8;
    (request, correlation_id_at)
}

fn encoded(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

/// Printable, as every library takes a correlation-id to be: six bits an octet, four octets for the
/// caller, four for how many calls it has made.
fn encode(number: u32, generation: u32) -> [u8; 8] {
    let digit = |value: u32, index: u32| (value >> (6 * index)) as u8 % 64 + b'0';
    let mut correlation_id = [0; 8];
    for index in 0..4 {
        correlation_id[index as usize] = digit(number, index);
        correlation_id[index as usize + 4] = digit(generation, index);
    }
    correlation_id
}

fn decode(correlation_id: &[u8; 8]) -> u32 {
    (0..4).rev().fold(0, |number, index| {
        number << 6 | u32::from(correlation_id[index].wrapping_sub(b'0') % 64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_correlation_id_is_printable_and_tells_caller_and_call() {
        for number in [0, 1, 63, 64, 9_999, 100_000] {
            let first = encode(number, 0);
            assert!(first.iter().all(u8::is_ascii_graphic));
            assert_eq!(decode(&first), number);
            assert_eq!(decode(&encode(number, 12_345)), number);
            assert_ne!(first, encode(number, 1));
        }
    }
}

//! The few frames that the floor and the null responder need, made by hand. Nothing here is Leveret's,
//! so that what is measured is beside something else.

mod handshake;
mod input;
mod link;

pub(crate) use self::handshake::connect;
pub(crate) use self::input::{Input, Piece};
pub(crate) use self::link::{Ends, Output, Peer, exchange};

use crate::Result;

pub(crate) const METHOD: u8 = 1;
pub(crate) const HEADER: u8 = 2;
pub(crate) const BODY: u8 = 3;
pub(crate) const HEARTBEAT: u8 = 8;
pub(crate) const FRAME_END: u8 = 0xce;

/// A frame's type, channel and size.
pub(crate) const FRAME_HEADER_SIZE: usize = 7;

/// The largest that RabbitMQ offers.
pub(crate) const FRAME_MAX: u32 = 131_072;

/// The one channel of the floor.
pub(crate) const CHANNEL: u16 = 1;

pub(crate) const BASIC: u16 = 60;

/// Class and method, as one number.
pub(crate) mod id {
    pub(crate) const CONNECTION_START: u32 = 0x000a_000a;
    pub(crate) const CONNECTION_START_OK: u32 = 0x000a_000b;
    pub(crate) const CONNECTION_TUNE: u32 = 0x000a_001e;
    pub(crate) const CONNECTION_TUNE_OK: u32 = 0x000a_001f;
    pub(crate) const CONNECTION_OPEN: u32 = 0x000a_0028;
    pub(crate) const CONNECTION_OPEN_OK: u32 = 0x000a_0029;
    pub(crate) const CONNECTION_CLOSE: u32 = 0x000a_0032;
    pub(crate) const CONNECTION_CLOSE_OK: u32 = 0x000a_0033;
    pub(crate) const CHANNEL_OPEN: u32 = 0x0014_000a;
    pub(crate) const CHANNEL_OPEN_OK: u32 = 0x0014_000b;
    pub(crate) const CHANNEL_CLOSE: u32 = 0x0014_0028;
    pub(crate) const CHANNEL_CLOSE_OK: u32 = 0x0014_0029;
    pub(crate) const QUEUE_DECLARE: u32 = 0x0032_000a;
    pub(crate) const QUEUE_DECLARE_OK: u32 = 0x0032_000b;
    pub(crate) const QUEUE_DELETE: u32 = 0x0032_0028;
    pub(crate) const QUEUE_DELETE_OK: u32 = 0x0032_0029;
    pub(crate) const BASIC_QOS: u32 = 0x003c_000a;
    pub(crate) const BASIC_QOS_OK: u32 = 0x003c_000b;
    pub(crate) const BASIC_CONSUME: u32 = 0x003c_0014;
    pub(crate) const BASIC_CONSUME_OK: u32 = 0x003c_0015;
    pub(crate) const BASIC_CANCEL: u32 = 0x003c_001e;
    pub(crate) const BASIC_CANCEL_OK: u32 = 0x003c_001f;
    pub(crate) const BASIC_PUBLISH: u32 = 0x003c_0028;
    pub(crate) const BASIC_DELIVER: u32 = 0x003c_003c;
    pub(crate) const BASIC_ACK: u32 = 0x003c_0050;
}

/// Appends a frame, whose payload `write` appends.
pub(crate) fn frame(out: &mut Vec<u8>, kind: u8, channel: u16, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(kind);
    out.extend_from_slice(&channel.to_be_bytes());
    let size_at = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    let size = (out.len() - size_at - 4) as u32;
    out[size_at..size_at + 4].copy_from_slice(&size.to_be_bytes());
    out.push(FRAME_END);
}

/// Appends a method frame; `arguments` are encoded.
pub(crate) fn method(out: &mut Vec<u8>, channel: u16, id: u32, arguments: &[u8]) {
    frame(out, METHOD, channel, |out| {
        out.extend_from_slice(&id.to_be_bytes());
        out.extend_from_slice(arguments);
    });
}

/// Appends basic.publish to the default exchange.
pub(crate) fn publish(out: &mut Vec<u8>, routing_key: &[u8], mandatory: u8) {
    frame(out, METHOD, CHANNEL, |out| {
        out.extend_from_slice(&id::BASIC_PUBLISH.to_be_bytes());
        // Reserved, and the exchange.
        out.extend_from_slice(&[0, 0, 0]);
        short_string(out, routing_key);
        out.push(mandatory);
    });
}

/// Whether a message comes back if there is no queue for it, as a bit of basic.publish.
pub(crate) const OPTIONAL: u8 = 0;
pub(crate) const MANDATORY: u8 = 1;

const HAS_CORRELATION_ID: u16 = 1 << 10;
const HAS_REPLY_TO: u16 = 1 << 9;

/// Appends a content header with a correlation-id, and a reply-to if there is one.
pub(crate) fn header(
    out: &mut Vec<u8>,
    channel: u16,
    body_size: u64,
    correlation_id: &[u8],
    reply_to: Option<&[u8]>,
) {
    frame(out, HEADER, channel, |out| {
        out.extend_from_slice(&BASIC.to_be_bytes());
        // The weight, which is unused.
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&body_size.to_be_bytes());
        let reply_to_flag = if reply_to.is_some() { HAS_REPLY_TO } else { 0 };
        out.extend_from_slice(&(HAS_CORRELATION_ID | reply_to_flag).to_be_bytes());
        short_string(out, correlation_id);
        if let Some(reply_to) = reply_to {
            short_string(out, reply_to);
        }
    });
}

const HAS_DELIVERY_MODE: u16 = 1 << 12;
const HAS_EXPIRATION: u16 = 1 << 8;
const HAS_MESSAGE_ID: u16 = 1 << 7;

/// Appends a content header with all that Leveret gives a request; its message-id is its correlation-id.
pub(crate) fn full_header(
    out: &mut Vec<u8>,
    body_size: u64,
    correlation_id: &[u8],
    reply_to: &[u8],
    expiration: &[u8],
) {
    frame(out, HEADER, CHANNEL, |out| {
        out.extend_from_slice(&BASIC.to_be_bytes());
        // The weight, which is unused.
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&body_size.to_be_bytes());
        let flags =
            HAS_DELIVERY_MODE | HAS_CORRELATION_ID | HAS_REPLY_TO | HAS_EXPIRATION | HAS_MESSAGE_ID;
        out.extend_from_slice(&flags.to_be_bytes());
        // Not to be written to disk.
        out.push(1);
        for text in [correlation_id, reply_to, expiration, correlation_id] {
            short_string(out, text);
        }
    });
}

/// Appends the frames of a body of zeros.
pub(crate) fn body(out: &mut Vec<u8>, mut size: usize) {
    let largest = FRAME_MAX as usize - FRAME_HEADER_SIZE - 1;
    while size > 0 {
        let part = size.min(largest);
        frame(out, BODY, CHANNEL, |out| out.resize(out.len() + part, 0));
        size -= part;
    }
}

pub(crate) fn short_string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(u8::try_from(text.len()).expect("a short string"));
    out.extend_from_slice(text);
}

pub(crate) fn long_string(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(&(text.len() as u32).to_be_bytes());
    out.extend_from_slice(text);
}

/// What matters of a content header.
pub(crate) struct Header<'a> {
    pub(crate) body_size: u64,
    pub(crate) correlation_id: &'a [u8],
    pub(crate) reply_to: &'a [u8],
}

impl<'a> Header<'a> {
    /// # Errors
    /// It is none of class basic, or cut off.
    pub(crate) fn parse(payload: &'a [u8]) -> Result<Self> {
        let mut reader = Reader(payload);
        let class = reader.u16()?;
        reader.take(2)?;
        let body_size = reader.u64()?;
        let flags = reader.u16()?;
        if class != BASIC || flags & 1 != 0 {
            return Err("a content header of an unknown kind".into());
        }
        let has = |bit: u32| flags & (1 << bit) != 0;
        // Content type and content encoding.
        for bit in [15, 14] {
            if has(bit) {
                reader.short_string()?;
            }
        }
        if has(13) {
            let headers = reader.u32()?;
            reader.take(headers as usize)?;
        }
        // Delivery mode and priority.
        for bit in [12, 11] {
            if has(bit) {
                reader.take(1)?;
            }
        }
        let correlation_id = if has(10) { reader.short_string()? } else { &[] };
        let reply_to = if has(9) { reader.short_string()? } else { &[] };
        Ok(Self { body_size, correlation_id, reply_to })
    }
}

/// Takes from the front, and no more than there is.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or("a frame is cut off")?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk().ok_or("a frame is cut off")?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    pub(crate) fn short_string(&mut self) -> Result<&'a [u8]> {
        let size = self.u8()?;
        self.take(size.into())
    }
}

/// For what the peer was not to send: the method's number, and the words that are in it.
pub(crate) fn unexpected(payload: &[u8]) -> String {
    let words: String = String::from_utf8_lossy(payload)
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect();
    let id = payload.first_chunk().map_or(0, |id| u32::from_be_bytes(*id));
    format!("unexpected method {}.{}: {}", id >> 16, id & 0xffff, words.trim())
}

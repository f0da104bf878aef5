//! Replies without properties, which most are: written without making the properties that they get.
//!
//! ```text
//!  basic.publish                      content header
//! ┌────────┬──────┬─────────┬──────┐ ┌────────┬───────────┬───────┬──────┬────────────────┐
//! │ to the default  │ reply  │ bits │ │ class, │ body size │ flags │ mode │ correlation-id │
//! │ exchange        │ address│      │ │ weight │           │       │      │                │
//! └────────┴──────┴─────────┴──────┘ └────────┴───────────┴───────┴──────┴────────────────┘
//! ```

use bytes::{BufMut, BytesMut};
use leveret_codec::{FRAME_END, FrameKind};

use super::destination::Destination;

/// `basic`, of which both are.
const CLASS: u8 = 60;
const PUBLISH: u8 = 40;

/// The flags of the properties delivery-mode and correlation-id.
const DELIVERY_MODE: u8 = 0x10;
const CORRELATION_ID: u8 = 0x04;

/// Not to be written to disk.
const TRANSIENT: u8 = 1;

/// Appends the frames of method and header.
pub(super) fn write(channel: u16, destination: &Destination, body_size: u64, out: &mut BytesMut) {
    let [high, low] = channel.to_be_bytes();
    let (reply_to, correlation_id) = (destination.address(), destination.correlation_id());
    let length = |octets: &[u8]| u8::try_from(octets.len()).unwrap_or(u8::MAX);

    // Class, method, a reserved short, no octets of exchange, the address, the bits.
    let address = length(reply_to);
    let [size_high, size_low] = 9_u16.saturating_add(address.into()).to_be_bytes();
    let method = FrameKind::Method as u8;
    out.put_slice(&[
        method, high, low, 0, 0, size_high, size_low, 0, CLASS, 0, PUBLISH, 0, 0, 0, address,
    ]);
    out.put_slice(reply_to);

    // Class, weight, body size, flags, the mode, the correlation-id.
    let id = correlation_id.map_or(0, |id| 1_u16.saturating_add(length(id).into()));
    let [size_high, size_low] = 15_u16.saturating_add(id).to_be_bytes();
    let header = FrameKind::Header as u8;
    out.put_slice(&[0, FRAME_END, header, high, low, 0, 0, size_high, size_low, 0, CLASS, 0, 0]);
    out.put_u64(body_size);
    match correlation_id {
        Some(id) => {
            out.put_slice(&[DELIVERY_MODE | CORRELATION_ID, 0, TRANSIENT, length(id)]);
            out.put_slice(id);
            out.put_u8(FRAME_END);
        }
        None => out.put_slice(&[DELIVERY_MODE, 0, TRANSIENT, FRAME_END]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use leveret_codec::{BasicProperties, ShortStr, basic, encode_header};

    #[test]
    fn a_reply_is_written_as_it_is_in_full() {
        for (length, body_size) in (0..=255).zip([0, 1, 64, 1 << 40, u64::MAX].into_iter().cycle())
        {
            let reply_to = ShortStr::copied(&vec![b'a'; length]).unwrap();
            let id = ShortStr::copied(&vec![b'i'; 255 - length]).unwrap();
            for correlation_id in [None, Some(id)] {
                let channel = 257 * u16::try_from(length).unwrap();
                let mut written = BytesMut::from(&b"before"[..]);
                let id = correlation_id.as_ref().map(ShortStr::as_bytes);
                let destination = Destination::new(reply_to.as_bytes(), id);
                write(channel, &destination, body_size, &mut written);

                let mut in_full = BytesMut::from(&b"before"[..]);
                let publish =
                    basic::Publish { routing_key: reply_to.clone(), ..basic::Publish::default() };
                publish.encode_frame(channel, &mut in_full);
                let properties = BasicProperties {
                    correlation_id,
                    delivery_mode: Some(TRANSIENT),
                    ..BasicProperties::default()
                };
                encode_header(channel, body_size, &properties, &mut in_full);
                assert_eq!(written, in_full, "{length} octets");
            }
        }
    }
}

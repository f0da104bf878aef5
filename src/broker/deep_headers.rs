//! Headers that nest deeper than the codec reads. RabbitMQ passes on tables of any depth, and a
//! message of such is a test of whoever receives it: so it is passed on unread.

use bytes::{BufMut, Bytes, BytesMut};
use leveret_codec::{ContentHeader, DecodeError, FrameKind, Problem, ShortStr};

/// Reads a content header; beside it, headers that are too deep to be among its properties. Whether
/// RabbitMQ could read what lies deepest in them is not known here.
pub(super) fn read(payload: &Bytes) -> Result<(ContentHeader, Option<Bytes>), DecodeError> {
    match ContentHeader::decode(payload) {
        Ok(header) => Ok((header, None)),
        Err(error) if matches!(error.problem(), Problem::TooDeep { .. }) => {
            let (header, headers) = ContentHeader::decode_without_headers(payload)?;
            Ok((header, Some(headers)))
        }
        Err(error) => Err(error),
    }
}

/// Appends the frame of a content header with such headers among its properties.
pub(super) fn write(channel: u16, header: &ContentHeader, headers: &Bytes, out: &mut BytesMut) {
    let mut payload = BytesMut::new();
    header.encode(&mut payload);
    if let Some(flags) = payload.get_mut(FLAGS_AT) {
        *flags |= HEADERS;
    }
    let texts = [&header.properties.content_type, &header.properties.content_encoding];
    let lengths = texts.into_iter().flatten().map(ShortStr::len);
    // Each has its length in front.
    let place =
        lengths.fold(VALUES_AT, |place, length| place.saturating_add(length).saturating_add(1));
    let behind = payload.split_off(place.min(payload.len()));
    payload.put_u32(u32::try_from(headers.len()).unwrap_or(u32::MAX));
    payload.put_slice(headers);
    payload.put_slice(&behind);

    out.put_u8(FrameKind::Header as u8);
    out.put_u16(channel);
    out.put_u32(u32::try_from(payload.len()).unwrap_or(u32::MAX));
    out.put_slice(&payload);
    out.put_u8(FRAME_END);
}

/// Where the flags are in a content header, and the first value behind them.
const FLAGS_AT: usize = 12;
const VALUES_AT: usize = 14;

/// The flag of the headers, in the first of the two octets.
const HEADERS: u8 = 0x20;

const FRAME_END: u8 = 0xce;

//! Headers that nest deeper than the codec reads. RabbitMQ passes on tables of any depth, and a
//! message of such is a test of whoever receives it: so it is passed on unread.

use bytes::{Bytes, BytesMut};
use leveret_codec::{ContentHeader, DecodeError, FrameKind, Problem, RawFrame};

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
pub(super) fn write(channel: u16, header: &ContentHeader, headers: &[u8], out: &mut BytesMut) {
    let mut payload = BytesMut::new();
    header.encode_with_headers(headers, &mut payload);
    RawFrame { kind: FrameKind::Header, channel, payload: payload.freeze() }.encode(out);
}

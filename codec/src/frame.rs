//! [`Frame`]: the unit of the connection (AMQP 0-9-1, 4.2.3).
//!
//! ```text
//! octet  type        1 method, 2 content header, 3 body, 8 heartbeat
//! short  channel     0 for the connection itself
//! long   size        of the payload
//! octets payload
//! octet  end         0xCE
//! ```

use core::fmt;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::error::Problem;
use crate::{BasicProperties, ContentHeader, DecodeError, Method};

/// The octet after every payload.
pub const FRAME_END: u8 = 0xce;

/// Octets of a frame around its payload.
pub const FRAME_OVERHEAD: u32 = 8;

/// Octets of a frame before its payload: type, channel, size.
pub const FRAME_HEADER_SIZE: usize = 7;

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameKind {
    /// A method.
    Method = 1,
    /// A content header, after a method that carries content.
    Header = 2,
    /// A piece of a content body.
    Body = 3,
    /// A sign of life.
    Heartbeat = 8,
}

/// A frame as it lies in a buffer. Nothing is copied, and nothing is shared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FrameRef<'a> {
    /// What the payload is.
    pub kind: FrameKind,
    /// The channel it belongs to.
    pub channel: u16,
    /// The octets between header and end.
    pub payload: &'a [u8],
}

/// A frame whose payload has not been looked at.
#[derive(Clone, PartialEq, Eq)]
pub struct RawFrame {
    /// What the payload is.
    pub kind: FrameKind,
    /// The channel it belongs to.
    pub channel: u16,
    /// The octets between header and end.
    pub payload: Bytes,
}

/// A frame.
///
/// ```
/// use bytes::BytesMut;
/// use leveret_codec::{Frame, basic};
///
/// let frame = Frame::method(1, basic::Ack { delivery_tag: 7, multiple: false });
/// let mut octets = BytesMut::new();
/// frame.encode(&mut octets);
/// assert_eq!(octets[..7], [1, 0, 1, 0, 0, 0, 13]);
///
/// let decoded = Frame::decode(&mut octets, 131_072)?;
/// assert_eq!(decoded, Some(frame));
/// assert!(octets.is_empty());
/// # Ok::<(), leveret_codec::DecodeError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    /// A method.
    Method {
        /// The channel.
        channel: u16,
        /// The method.
        method: Method,
    },
    /// A content header.
    Header {
        /// The channel.
        channel: u16,
        /// Size and properties.
        header: ContentHeader,
    },
    /// A piece of a content body.
    Body {
        /// The channel.
        channel: u16,
        /// The piece.
        payload: Bytes,
    },
    /// A sign of life, on channel 0.
    Heartbeat,
}

/// Not derived: the payload may hold a password.
impl fmt::Debug for FrameRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe("FrameRef", self.kind, self.channel, self.payload, f)
    }
}

/// Not derived either.
impl fmt::Debug for RawFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe("RawFrame", self.kind, self.channel, &self.payload, f)
    }
}

fn describe(
    name: &str,
    kind: FrameKind,
    channel: u16,
    payload: &[u8],
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    f.debug_struct(name)
        .field("kind", &kind)
        .field("channel", &channel)
        .field("payload_len", &payload.len())
        .finish()
}

impl<'a> FrameRef<'a> {
    /// Reads the frame at the front of `buffer`, if it is there as a whole.
    ///
    /// `max_payload` of a kind of frame is judged on the first seven octets, so an oversized frame
    /// is refused before any of it is waited for. `Ok(None)` asks for more octets.
    ///
    /// # Errors
    /// [`DecodeError`] for octets that begin no frame, or end none.
    #[inline]
    pub fn decode(
        buffer: &'a [u8],
        max_payload: impl FnOnce(FrameKind) -> u32,
    ) -> Result<Option<Self>, DecodeError> {
        let error = |offset, problem| Err(DecodeError::new("frame", offset, problem));
        let Some((&[first, channel_0, channel_1, size_0, size_1, size_2, size_3], rest)) =
            buffer.split_first_chunk::<FRAME_HEADER_SIZE>()
        else {
            // The first octet tells.
            return buffer
                .first()
                .map_or(Ok(None), |first| FrameKind::expect(*first).map(|_| None));
        };
        let kind = FrameKind::expect(first)?;
        let channel = u16::from_be_bytes([channel_0, channel_1]);
        let size = u32::from_be_bytes([size_0, size_1, size_2, size_3]);
        let limit = max_payload(kind);
        if size > limit {
            return error(3, Problem::FrameTooLarge { size, limit });
        }
        if kind == FrameKind::Heartbeat && (size, channel) != (0, 0) {
            return error(1, Problem::BadHeartbeat);
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let Some((payload, [octet, ..])) = rest.split_at_checked(size) else { return Ok(None) };
        if *octet != FRAME_END {
            let end = FRAME_HEADER_SIZE.saturating_add(size);
            return error(end, Problem::BadFrameEnd { octet: *octet });
        }
        Ok(Some(Self { kind, channel, payload }))
    }

    /// The size of the whole frame in octets.
    #[inline]
    pub fn encoded_len(&self) -> usize {
        self.payload.len().saturating_add(FRAME_HEADER_SIZE).saturating_add(1)
    }
}

impl RawFrame {
    /// Takes one frame off the front of `buffer`, as [`FrameRef::decode`] reads it. `Ok(None)` asks
    /// for more octets and takes nothing.
    ///
    /// # Errors
    /// [`DecodeError`] for octets that begin no frame, or end none.
    pub fn decode(
        buffer: &mut BytesMut,
        max_payload: impl FnOnce(FrameKind) -> u32,
    ) -> Result<Option<Self>, DecodeError> {
        let Some(frame) = FrameRef::decode(buffer, max_payload)? else { return Ok(None) };
        let (FrameRef { kind, channel, payload }, length) = (frame, frame.encoded_len());
        let size = payload.len();
        let mut payload = buffer.split_to(length);
        payload.advance(FRAME_HEADER_SIZE);
        payload.truncate(size);
        Ok(Some(Self { kind, channel, payload: payload.freeze() }))
    }

    /// Appends the frame, whatever its payload says.
    pub fn encode(&self, out: &mut BytesMut) {
        encode_frame(self.kind, self.channel, out, |out| out.put_slice(&self.payload));
    }
}

impl FrameKind {
    #[inline]
    fn expect(octet: u8) -> Result<Self, DecodeError> {
        match octet {
            1 => Ok(Self::Method),
            2 => Ok(Self::Header),
            3 => Ok(Self::Body),
            8 => Ok(Self::Heartbeat),
            _ => Err(DecodeError::new("frame", 0, Problem::UnknownFrameType { octet })),
        }
    }
}

impl Frame {
    /// A method frame.
    pub fn method(channel: u16, method: impl Into<Method>) -> Self {
        Self::Method { channel, method: method.into() }
    }

    /// Takes one frame off the front of `buffer`, as [`RawFrame::decode`] does, and decodes its
    /// payload, of which nothing may be left over. `max_payload` holds for every kind.
    ///
    /// # Errors
    /// [`DecodeError`]; the connection is then beyond repair.
    pub fn decode(buffer: &mut BytesMut, max_payload: u32) -> Result<Option<Self>, DecodeError> {
        RawFrame::decode(buffer, |_| max_payload)?.map(Self::try_from).transpose()
    }

    /// Appends the frame.
    ///
    /// The peer's frame-max is the caller's to keep. A body longer than a frame can announce is
    /// written as several body frames, which mean the same.
    pub fn encode(&self, out: &mut BytesMut) {
        match self {
            Self::Method { channel, method } => {
                encode_frame(FrameKind::Method, *channel, out, |out| method.encode(out));
            }
            Self::Header { channel, header } => {
                encode_frame(FrameKind::Header, *channel, out, |out| header.encode(out));
            }
            Self::Body { channel, payload } if payload.is_empty() => {
                encode_frame(FrameKind::Body, *channel, out, |_| {});
            }
            Self::Body { channel, payload } => encode_body(*channel, payload, u32::MAX, out),
            Self::Heartbeat => encode_frame(FrameKind::Heartbeat, 0, out, |_| {}),
        }
    }
}

impl TryFrom<RawFrame> for Frame {
    type Error = DecodeError;

    fn try_from(RawFrame { kind, channel, payload }: RawFrame) -> Result<Self, DecodeError> {
        Ok(match kind {
            FrameKind::Method => Self::Method { channel, method: Method::decode(&payload)? },
            FrameKind::Header => Self::Header { channel, header: ContentHeader::decode(&payload)? },
            FrameKind::Body => Self::Body { channel, payload },
            FrameKind::Heartbeat => Self::Heartbeat,
        })
    }
}

/// Appends a content header as a frame, as [`Frame::encode`] does, without being moved into one.
pub fn encode_header(
    channel: u16,
    body_size: u64,
    properties: &BasicProperties,
    out: &mut BytesMut,
) {
    encode_frame(FrameKind::Header, channel, out, |out| {
        properties.encode_header(body_size, out);
    });
}

/// Appends `body` as body frames of at most `max_payload` octets each; for an empty one, nothing.
pub fn encode_body(channel: u16, body: &[u8], max_payload: u32, out: &mut BytesMut) {
    let size = usize::try_from(max_payload).unwrap_or(usize::MAX).max(1);
    let [channel_0, channel_1] = channel.to_be_bytes();
    for piece in body.chunks(size) {
        // No more than `max_payload`.
        let size = u32::try_from(piece.len()).unwrap_or(u32::MAX);
        let [size_0, size_1, size_2, size_3] = size.to_be_bytes();
        let kind = FrameKind::Body as u8;
        out.put_slice(&[kind, channel_0, channel_1, size_0, size_1, size_2, size_3]);
        out.put_slice(piece);
        out.put_u8(FRAME_END);
    }
}

/// The size is not known before the payload is written, so it is filled in afterwards.
#[inline]
pub(crate) fn encode_frame(
    kind: FrameKind,
    channel: u16,
    out: &mut BytesMut,
    payload: impl FnOnce(&mut BytesMut),
) {
    let [channel_0, channel_1] = channel.to_be_bytes();
    out.put_slice(&[kind as u8, channel_0, channel_1, 0, 0, 0, 0]);
    let start = out.len();
    payload(out);
    // What methods and properties can hold is bounded so that this cannot saturate.
    let size = u32::try_from(out.len().saturating_sub(start)).unwrap_or(u32::MAX);
    let size_at = start.saturating_sub(size_of::<u32>());
    if let Some(field) = out.get_mut(size_at..start) {
        field.copy_from_slice(&size.to_be_bytes());
    }
    out.put_u8(FRAME_END);
}

/// The eight octets that begin a connection: `AMQP`, then protocol id and version (4.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProtocolHeader {
    /// The four octets after `AMQP`.
    pub version: [u8; 4],
}

impl ProtocolHeader {
    /// What Leveret speaks. RabbitMQ answers any other with the header that it would take.
    pub const AMQP_0_9_1: Self = Self { version: [0, 0, 9, 1] };

    const NAME: [u8; 4] = *b"AMQP";

    /// Reads a header off the front of `buffer`. `None`: it begins otherwise, or is not complete.
    pub fn decode(buffer: &[u8]) -> Option<Self> {
        let (header, _) = buffer.split_first_chunk::<8>()?;
        let (name, version) = header.split_first_chunk::<4>()?;
        (*name == Self::NAME).then_some(Self { version: *version.first_chunk()? })
    }

    /// Whether `buffer` is the beginning of a header, or a header.
    pub fn could_begin(buffer: &[u8]) -> bool {
        !buffer.is_empty() && buffer.iter().zip(&Self::NAME).all(|(octet, name)| octet == name)
    }

    /// Appends the header.
    pub fn encode(self, out: &mut BytesMut) {
        out.put_slice(&Self::NAME);
        out.put_slice(&self.version);
    }
}

impl fmt::Display for ProtocolHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [id, major, minor, revision] = self.version;
        write!(f, "AMQP {id} {major} {minor} {revision}")
    }
}

//! [`AmqpCodec`]: AMQP frames over any byte stream with tokio-util's `Framed`.

use bytes::BytesMut;
use tokio_util::codec::{Decoder, Encoder};

use crate::{DecodeError, FRAME_OVERHEAD, Frame, ProtocolHeader};

/// A [`Decoder`] and [`Encoder`] of [`Frame`]s, for protocol-level tests and tools.
///
/// It knows no connection: the protocol header, limits and order are the user's.
///
/// ```
/// use leveret_codec::AmqpCodec;
/// use tokio_util::codec::Framed;
///
/// # let stream = tokio_test_stream();
/// let mut frames = Framed::new(stream, AmqpCodec::new(131_072));
/// # fn tokio_test_stream() -> std::io::Cursor<Vec<u8>> { Default::default() }
/// ```
#[derive(Debug, Clone)]
pub struct AmqpCodec {
    frame_max: u32,
    header_possible: bool,
}

/// A frame could not be read from the stream.
#[derive(Debug, thiserror::Error)]
pub enum FramedError {
    /// The peer sent octets that are no frame.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The stream failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl AmqpCodec {
    /// Refuses frames of more than `frame_max` octets, header and end included.
    pub fn new(frame_max: u32) -> Self {
        Self { frame_max, header_possible: true }
    }

    /// Changes the limit, as after the tuning of a connection.
    pub fn set_frame_max(&mut self, frame_max: u32) {
        self.frame_max = frame_max;
    }
}

impl Decoder for AmqpCodec {
    type Item = Frame;
    type Error = FramedError;

    /// A protocol header in place of the first frame is the error
    /// [`Problem::ProtocolHeader`](crate::Problem::ProtocolHeader): the peer refuses the version.
    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Frame>, FramedError> {
        if self.header_possible && ProtocolHeader::could_begin(buffer) {
            let Some(header) = ProtocolHeader::decode(buffer) else { return Ok(None) };
            return Err(DecodeError::version_refused(header).into());
        }
        let frame = Frame::decode(buffer, self.frame_max.saturating_sub(FRAME_OVERHEAD))?;
        self.header_possible &= frame.is_none();
        Ok(frame)
    }
}

impl Encoder<Frame> for AmqpCodec {
    type Error = std::io::Error;

    fn encode(&mut self, frame: Frame, out: &mut BytesMut) -> Result<(), std::io::Error> {
        frame.encode(out);
        Ok(())
    }
}

impl Encoder<ProtocolHeader> for AmqpCodec {
    type Error = std::io::Error;

    fn encode(&mut self, header: ProtocolHeader, out: &mut BytesMut) -> Result<(), std::io::Error> {
        header.encode(out);
        Ok(())
    }
}

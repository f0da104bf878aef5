//! [`DeliverRef`]: the one method that comes with each message, read without a copy.

use crate::DecodeError;
use crate::wire::{Reader, Wire};

/// `basic.deliver` as it lies in a buffer.
///
/// ```
/// use leveret_codec::{DeliverRef, Method, ShortStr, basic};
///
/// let deliver = basic::Deliver {
///     consumer_tag: ShortStr::from_static("ctag"),
///     delivery_tag: 7,
///     ..basic::Deliver::default()
/// };
/// let mut payload = bytes::BytesMut::new();
/// Method::from(deliver).encode(&mut payload);
///
/// let read = DeliverRef::decode(&payload)?.expect("basic.deliver");
/// assert_eq!((read.consumer_tag, read.delivery_tag), (&b"ctag"[..], 7));
/// # Ok::<(), leveret_codec::DecodeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliverRef<'a> {
    /// The consumer that gets it.
    pub consumer_tag: &'a [u8],
    /// What an acknowledgement names.
    pub delivery_tag: u64,
    /// Whether it may have been delivered before.
    pub redelivered: bool,
    /// Where it was published.
    pub exchange: &'a [u8],
    /// What it was published with.
    pub routing_key: &'a [u8],
}

impl<'a> DeliverRef<'a> {
    /// Class 60, method 60.
    const IDS: [u8; 4] = [0, 60, 0, 60];

    /// Reads the payload of a method frame: all of it, and nothing more. `None`: it is another
    /// method.
    ///
    /// # Errors
    /// [`DecodeError`] names the offset and the fault, as
    /// [`Method::decode`](crate::Method::decode) does.
    #[inline]
    pub fn decode(payload: &'a [u8]) -> Result<Option<Self>, DecodeError> {
        let Some((&Self::IDS, fields)) = payload.split_first_chunk() else { return Ok(None) };
        let mut reader = Reader::behind(Self::IDS.len(), "basic.deliver", fields);
        let read = Self {
            consumer_tag: reader.short_octets()?,
            delivery_tag: u64::decode(&mut reader)?,
            // The first of the octet's bits.
            redelivered: reader.octet()? & 1 == 1,
            exchange: reader.short_octets()?,
            routing_key: reader.short_octets()?,
        };
        reader.finish()?;
        Ok(Some(read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::basic::Deliver;
    use crate::{Method, ShortStr};
    use bytes::BytesMut;

    fn deliver(routing_key: &'static str) -> Deliver {
        Deliver {
            consumer_tag: ShortStr::from_static("amq.ctag-1"),
            delivery_tag: u64::MAX,
            redelivered: true,
            exchange: ShortStr::from_static("e"),
            routing_key: ShortStr::from_static(routing_key),
        }
    }

    fn payload(method: impl Into<Method>) -> BytesMut {
        let mut payload = BytesMut::new();
        method.into().encode(&mut payload);
        payload
    }

    #[test]
    fn it_reads_what_the_table_of_methods_says() {
        let sent = deliver("a routing key");
        let payload = payload(sent.clone());
        let read = DeliverRef::decode(&payload).unwrap().unwrap();
        assert_eq!(read.consumer_tag, sent.consumer_tag.as_bytes());
        assert_eq!((read.delivery_tag, read.redelivered), (u64::MAX, true));
        assert_eq!(read.exchange, sent.exchange.as_bytes());
        assert_eq!(read.routing_key, sent.routing_key.as_bytes());
    }

    #[test]
    fn it_leaves_other_methods_alone() {
        let other = payload(crate::basic::Ack { delivery_tag: 1, multiple: false });
        assert_eq!(DeliverRef::decode(&other), Ok(None));
    }

    #[test]
    fn it_finds_the_faults_that_the_table_of_methods_finds() {
        let whole = payload(deliver("key"));
        let longer = [&whole[..], b"x"].concat();
        let cut = (4..whole.len()).map(|end| &whole[..end]).chain([&longer[..]]);
        for octets in cut {
            let expected = Method::decode_copied(octets).unwrap_err();
            assert_eq!(DeliverRef::decode(octets), Err(expected));
        }
    }
}

//! [`ContentHeader`] and [`BasicProperties`]: what a message says about its body
//! (AMQP 0-9-1, 4.2.6.1 and class basic).

mod borrowed;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::error::Problem;
use crate::wire::{Reader, Wire};
use crate::{DecodeError, FieldTable, ShortStr};

use self::borrowed::Borrowed;
pub use self::borrowed::ContentHeaderRef;

/// The class id of basic, the only class with content.
const BASIC: u16 = 60;

impl BasicProperties {
    /// Fills in those that the payload of a header frame has, and leaves the others as they are. Gives
    /// back the size of the body that follows.
    ///
    /// This is for a buffer that is used again: what does not fit into its value is copied.
    ///
    /// # Errors
    /// [`DecodeError`], as for [`ContentHeader::decode`]. Some may be filled in then.
    #[inline]
    pub fn fill_in(&mut self, payload: &[u8]) -> Result<u64, DecodeError> {
        read_header(&mut Reader::copying("content header", payload), self)
    }

    /// Decodes the octets of properties alone, which [`ContentHeaderRef`] tells from the rest of a
    /// header. What does not fit into its value is copied.
    ///
    /// # Errors
    /// [`DecodeError`], as for [`ContentHeader::decode`].
    pub fn decode_copied(octets: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::behind(FLAGS_AT, "content header", octets);
        let properties = Self::decode(&mut reader)?;
        reader.finish()?;
        Ok(properties)
    }

    pub(crate) fn encode_header(&self, body_size: u64, out: &mut BytesMut) {
        out.put_u16(BASIC);
        out.put_u16(0);
        out.put_u64(body_size);
        self.encode(out);
    }
}

/// Where in the payload the flags of the properties are: behind class, weight and body size.
const FLAGS_AT: usize = 12;

/// The flags of the properties that come first.
const CONTENT_TYPE: u16 = 0x8000;
const CONTENT_ENCODING: u16 = 0x4000;
const HEADERS: u16 = 0x2000;

/// The payload of a content header frame.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct ContentHeader {
    /// Octets of body that follow in body frames. With 0, no body frame follows at all.
    pub body_size: u64,
    /// The message's properties.
    pub properties: BasicProperties,
}

impl ContentHeader {
    /// Decodes the payload of a header frame: all of it, and nothing more.
    ///
    /// Tables share the payload's memory, and so do strings that do not fit into their value.
    ///
    /// # Errors
    /// [`DecodeError`] names the offset and the fault.
    pub fn decode(payload: &Bytes) -> Result<Self, DecodeError> {
        Self::read(Reader::new("content header", payload))
    }

    fn read(mut reader: Reader<'_>) -> Result<Self, DecodeError> {
        let mut properties = BasicProperties::default();
        let body_size = read_header(&mut reader, &mut properties)?;
        Ok(Self { body_size, properties })
    }

    /// Decodes all but the headers, which are taken by their length and not looked at: what is left
    /// of a message whose headers [`decode`](Self::decode) refuses. Beside it, the octets of the
    /// headers, without the length in front.
    ///
    /// # Errors
    /// [`DecodeError`], if it is not the headers that are at fault.
    pub fn decode_without_headers(payload: &Bytes) -> Result<(Self, Bytes), DecodeError> {
        let mut reader = Reader::new("content header", payload);
        reader.octets(FLAGS_AT)?;
        let flags = u16::decode(&mut reader)?;
        let first = reader;
        for mask in [CONTENT_TYPE, CONTENT_ENCODING] {
            if flags & mask != 0 {
                reader.short_octets()?;
            }
        }
        let before = first.into_rest();
        let before = before.slice(..before.len().saturating_sub(reader.remaining()));
        let headers = match flags & HEADERS {
            0 => Bytes::new(),
            _ => reader.long_octets()?,
        };
        let mut rest = BytesMut::with_capacity(payload.len().saturating_sub(headers.len()));
        rest.put_slice(&payload.slice(..FLAGS_AT));
        rest.put_u16(flags & !HEADERS);
        rest.put_slice(&before);
        rest.put_slice(&reader.into_rest());
        Ok((Self::decode(&rest.freeze())?, headers))
    }

    /// Appends the payload of a header frame with these octets as its headers, given without the
    /// length in front, in place of its own: what
    /// [`decode_without_headers`](Self::decode_without_headers) has taken apart.
    pub fn encode_with_headers(&self, headers: &[u8], out: &mut BytesMut) {
        let BasicProperties { content_type, content_encoding, .. } = &self.properties;
        let before = [content_type, content_encoding].into_iter().flatten();
        let mut first = BytesMut::new();
        before.for_each(|text| text.encode(&mut first));
        let mut rest = BytesMut::new();
        let properties = BasicProperties { headers: None, ..self.properties.clone() };
        Self { body_size: self.body_size, properties }.encode(&mut rest);

        out.put_slice(&rest.split_to(FLAGS_AT.min(rest.len())));
        out.put_u16(rest.get_u16() | HEADERS);
        out.put_slice(&rest.split_to(first.len().min(rest.len())));
        out.put_u32(u32::try_from(headers.len()).unwrap_or(u32::MAX));
        out.put_slice(headers);
        out.put_slice(&rest);
    }

    /// Appends the payload of a header frame.
    pub fn encode(&self, out: &mut BytesMut) {
        self.properties.encode_header(self.body_size, out);
    }
}

/// They are large, so they are filled in where they are to stay.
#[inline]
fn read_header(
    reader: &mut Reader<'_>,
    properties: &mut BasicProperties,
) -> Result<u64, DecodeError> {
    let body_size = read_body_size(reader)?;
    properties.read(reader)?;
    reader.finish()?;
    Ok(body_size)
}

/// What comes before the properties.
#[inline]
fn read_body_size(reader: &mut Reader<'_>) -> Result<u64, DecodeError> {
    let class = u16::decode(reader)?;
    if class != BASIC {
        return Err(reader.error(Problem::NoContent { class }));
    }
    let _weight = u16::decode(reader)?;
    u64::decode(reader)
}

/// The type of a property read where it lies, written out.
macro_rules! borrowed {
    (ShortStr, $lifetime:lifetime) => {
        &$lifetime[u8]
    };
    (FieldTable, $lifetime:lifetime) => {
        &$lifetime[u8]
    };
    ($number:ident, $lifetime:lifetime) => {
        $number
    };
}

macro_rules! properties {
    ($($mask:literal $name:ident: $type:ident, $doc:literal;)*) => {
        /// The 14 properties of a message, each of which may be absent.
        ///
        /// ```
        /// use leveret_codec::{BasicProperties, ShortStr};
        ///
        /// let properties = BasicProperties {
        ///     content_type: Some(ShortStr::from_static("application/json")),
        ///     expiration: Some(ShortStr::from_static("30000")),
        ///     ..BasicProperties::default()
        /// };
        /// # assert!(properties.reply_to.is_none());
        /// ```
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        #[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
        pub struct BasicProperties {
            $(#[doc = $doc] pub $name: Option<$type>,)*
        }

        impl BasicProperties {
            /// None of them.
            pub const EMPTY: Self = Self { $($name: None,)* };

            /// A word of flags, then the flagged values. Like RabbitMQ, this ignores the two
            /// lowest bits, which flag nothing.
            #[inline]
            fn read(&mut self, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
                let flags = u16::decode(reader)?;
                $(if flags & $mask != 0 {
                    self.$name = Some(<$type>::decode(reader)?);
                })*
                Ok(())
            }
        }

        /// The properties of a message as they lie in a buffer: nothing is copied, and the headers have
        /// not been looked at.
        ///
        /// ```
        /// use leveret_codec::PropertiesRef;
        ///
        /// // The flags of delivery-mode and correlation-id, and the two.
        /// let properties = PropertiesRef::decode(b"\x14\x00\x01\x02id")?;
        /// assert_eq!(properties.delivery_mode, Some(1));
        /// assert_eq!(properties.correlation_id, Some(&b"id"[..]));
        /// assert_eq!(properties.headers, None);
        /// # Ok::<(), leveret_codec::DecodeError>(())
        /// ```
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct PropertiesRef<'a> {
            $(#[doc = $doc] pub $name: Option<borrowed!($type, 'a)>,)*
        }

        impl<'a> PropertiesRef<'a> {
            /// Reads flags and values: all of the octets, and nothing more. Whatever is read so,
            /// [`BasicProperties::decode_copied`] decodes, if there are no headers.
            ///
            /// # Errors
            /// [`DecodeError`], as for [`ContentHeader::decode`].
            #[inline]
            pub fn decode(octets: &'a [u8]) -> Result<Self, DecodeError> {
                let mut reader = Reader::behind(FLAGS_AT, "content header", octets);
                let flags = u16::decode(&mut reader)?;
                let mut properties = Self::default();
                $(if flags & $mask != 0 {
                    properties.$name = Some(<$type as Borrowed>::borrow(&mut reader)?);
                })*
                reader.finish()?;
                Ok(properties)
            }
        }

        impl Wire for BasicProperties {
            fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                let mut properties = Self::default();
                properties.read(reader)?;
                Ok(properties)
            }

            fn encode(&self, out: &mut BytesMut) {
                let mut flags = 0u16;
                $(if self.$name.is_some() {
                    flags |= $mask;
                })*
                out.put_u16(flags);
                $(if let Some(value) = &self.$name {
                    value.encode(out);
                })*
            }
        }
    };
}

properties! {
    0x8000 content_type: ShortStr, "MIME type of the body.";
    0x4000 content_encoding: ShortStr, "Such as \"utf-8\" or \"gzip\".";
    0x2000 headers: FieldTable, "Named values of any kind.";
    0x1000 delivery_mode: u8, "1 is transient, 2 persistent.";
    0x0800 priority: u8, "For priority queues.";
    0x0400 correlation_id: ShortStr, "Which request a reply answers. Any octets.";
    0x0200 reply_to: ShortStr, "Where to send the reply.";
    0x0100 expiration: ShortStr, "Time to live in a queue: milliseconds, in decimal.";
    0x0080 message_id: ShortStr, "The message's name.";
    0x0040 timestamp: u64, "When it was sent: seconds since 1970.";
    0x0020 message_type: ShortStr, "`type`: the kind of message.";
    0x0010 user_id: ShortStr, "The sender; RabbitMQ refuses any other than the user logged in.";
    0x0008 app_id: ShortStr, "The sending program.";
    0x0004 cluster_id: ShortStr, "Reserved.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// The order of flags and values, from RabbitMQ's own encoder.
    #[test]
    fn rabbitmq_encodes_properties_so() {
        let properties = BasicProperties {
            delivery_mode: Some(1),
            correlation_id: Some(ShortStr::from_static("c")),
            reply_to: Some(ShortStr::from_static("r")),
            expiration: Some(ShortStr::from_static("1000")),
            ..BasicProperties::default()
        };
        let mut out = BytesMut::new();
        properties.encode(&mut out);
        let expected: Vec<u8> = [&[0x17, 0x00, 0x01, 0x01][..], b"c\x01r\x041000"].concat();
        assert_eq!(out, expected);
    }
}

//! [`ContentHeaderRef`], and properties read where they lie.

use super::read_body_size;
use crate::wire::{Reader, Wire};
use crate::{DecodeError, FieldTable, ShortStr};

/// The payload of a content header frame as it lies in a buffer, with properties that have not been
/// looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentHeaderRef<'a> {
    /// Octets of body that follow.
    pub body_size: u64,
    /// Flags and values, which [`PropertiesRef`](crate::PropertiesRef) reads.
    pub properties: &'a [u8],
}

impl<'a> ContentHeaderRef<'a> {
    /// Reads what comes before the properties.
    ///
    /// # Errors
    /// [`DecodeError`], as for [`ContentHeader::decode`](crate::ContentHeader::decode).
    #[inline]
    pub fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::copying("content header", payload);
        let body_size = read_body_size(&mut reader)?;
        let properties = reader.octets(reader.remaining())?;
        Ok(Self { body_size, properties })
    }
}

/// A property read where it lies.
pub(super) trait Borrowed {
    type Ref<'a>;

    fn borrow<'a>(reader: &mut Reader<'a>) -> Result<Self::Ref<'a>, DecodeError>;
}

impl Borrowed for ShortStr {
    type Ref<'a> = &'a [u8];

    #[inline]
    fn borrow<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
        reader.short_octets()
    }
}

/// Its octets, unchecked.
impl Borrowed for FieldTable {
    type Ref<'a> = &'a [u8];

    #[inline]
    fn borrow<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
        let length = u32::decode(reader)?;
        reader.octets(usize::try_from(length).unwrap_or(usize::MAX))
    }
}

macro_rules! numbers_borrowed {
    ($($type:ty)*) => {$(
        impl Borrowed for $type {
            type Ref<'a> = $type;

            #[inline]
            fn borrow<'a>(reader: &mut Reader<'a>) -> Result<$type, DecodeError> {
                Self::decode(reader)
            }
        }
    )*};
}

numbers_borrowed!(u8 u64);

#[cfg(test)]
mod tests {
    use super::super::FLAGS_AT;
    use super::*;
    use crate::{BasicProperties, ContentHeader, PropertiesRef};
    use bytes::{BufMut, Bytes, BytesMut};

    fn all() -> BasicProperties {
        let text = |text| Some(ShortStr::from_static(text));
        let mut headers = FieldTable::new();
        headers.insert("name", 1).unwrap();
        BasicProperties {
            content_type: text("type"),
            content_encoding: text(""),
            headers: Some(headers),
            delivery_mode: Some(2),
            priority: Some(3),
            correlation_id: text("correlation"),
            reply_to: text("a reply address that does not fit into its value"),
            expiration: text("1000"),
            message_id: text("message"),
            timestamp: Some(u64::MAX),
            message_type: text("kind"),
            user_id: text("user"),
            app_id: text("app"),
            cluster_id: text("cluster"),
        }
    }

    #[test]
    fn what_is_read_where_it_lies_is_what_is_decoded() {
        let header = ContentHeader { body_size: u64::MAX - 1, properties: all() };
        let mut payload = BytesMut::new();
        header.encode(&mut payload);
        let read = ContentHeaderRef::decode(&payload).unwrap();
        assert_eq!(read.body_size, header.body_size);
        assert_eq!(BasicProperties::decode_copied(read.properties), Ok(all()));

        let (read, all) = (PropertiesRef::decode(read.properties).unwrap(), all());
        assert_eq!(read.reply_to, all.reply_to.as_ref().map(ShortStr::as_bytes));
        assert_eq!(read.content_encoding, Some(&b""[..]));
        assert_eq!((read.priority, read.timestamp), (all.priority, all.timestamp));
        let mut headers = BytesMut::new();
        all.headers.unwrap().encode(&mut headers);
        assert_eq!(read.headers, headers.get(4..));
        assert_eq!(read.cluster_id, Some(&b"cluster"[..]));
    }

    #[test]
    fn the_same_faults_are_found_where_they_lie() {
        let mut payload = BytesMut::new();
        let properties = BasicProperties { headers: None, ..all() };
        ContentHeader { body_size: 1, properties }.encode(&mut payload);
        payload.put_u8(0);
        for end in 0..=payload.len() {
            let (octets, _) = payload.split_at(end);
            let expected = ContentHeader::decode(&Bytes::copy_from_slice(octets)).map(drop);
            let read = ContentHeaderRef::decode(octets)
                .and_then(|header| PropertiesRef::decode(header.properties).map(drop));
            assert_eq!(read, expected, "{end} octets");
            if let Some(octets) = octets.get(FLAGS_AT..) {
                assert_eq!(BasicProperties::decode_copied(octets).map(drop), expected);
            }
        }
        let mut other = payload;
        other[1] = 10;
        let error = ContentHeader::decode(&other.clone().freeze()).unwrap_err();
        assert_eq!(ContentHeaderRef::decode(&other), Err(error));
    }
}

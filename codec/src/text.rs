//! Strings as AMQP counts them: [`ShortStr`], [`LongStr`] and [`Secret`].
//!
//! The wire gives a string a length of one octet or of four, and nothing else: no terminator and,
//! in practice, no character set. The limits live in these types, so whatever holds one can be
//! encoded, and only making one can fail.

use alloc::string::String;
use core::borrow::Borrow;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};

use bytes::{BufMut, Bytes, BytesMut};

use crate::DecodeError;
use crate::wire::{Reader, Wire};

/// A string was too long for the wire.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{length} octets do not fit into an AMQP {kind}, which holds {limit}")]
pub struct TooLong {
    kind: &'static str,
    length: usize,
    limit: usize,
}

/// `shortstr`: 0 to 255 octets, usually UTF-8 (AMQP 0-9-1, 4.2.5.3).
///
/// RabbitMQ checks the UTF-8 of most method fields, but not of properties: a correlation-id may be
/// any octets. So this type holds octets, and [`as_str`](Self::as_str) says whether they are text.
/// Up to [`INLINE_LEN`](Self::INLINE_LEN) octets lie in the value itself, which takes no memory
/// elsewhere and keeps no buffer alive; that is most names and ids. Longer ones are shared by their
/// clones.
///
/// ```
/// use leveret_codec::ShortStr;
///
/// let queue = ShortStr::from_static("amq.rabbitmq.reply-to");
/// assert_eq!(queue.as_str(), Ok("amq.rabbitmq.reply-to"));
/// assert!(ShortStr::new("x".repeat(256)).is_err());
/// ```
#[derive(Clone)]
pub struct ShortStr(Short);

#[derive(Clone)]
enum Short {
    /// The octets after the first `length` are 0.
    Inline {
        length: u8,
        octets: [u8; ShortStr::INLINE_LEN],
    },
    Shared(Bytes),
}

/// `longstr`: 0 to [`LongStr::MAX_LEN`] octets of any kind (AMQP 0-9-1, 4.2.5.3).
///
/// The length field could say four times as much, but the frame around the string has a length
/// field of the same size: the lower limit is what makes every method fit into a frame.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LongStr(Bytes);

/// A [`LongStr`] that is never printed: a password, a token, a SASL response.
#[derive(Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Secret(pub LongStr);

impl Short {
    /// The octets in the value itself, where they fit.
    #[inline]
    const fn inline(from: &[u8]) -> Self {
        let mut octets = [0; ShortStr::INLINE_LEN];
        let (start, _) = octets.split_at_mut(from.len());
        start.copy_from_slice(from);
        // No more than 38.
        Self::Inline { length: from.len() as u8, octets }
    }
}

impl ShortStr {
    /// The most octets a `shortstr` can hold.
    pub const MAX_LEN: usize = 0xff;

    /// The most octets that lie in the value itself: room for a UUID, and for the consumer tags
    /// that RabbitMQ makes.
    pub const INLINE_LEN: usize = 38;

    /// A string of no octets.
    pub const EMPTY: Self = Self(Short::Inline { length: 0, octets: [0; Self::INLINE_LEN] });

    /// Takes the octets as they are.
    ///
    /// # Errors
    /// [`TooLong`] for more than 255 octets.
    pub fn new(octets: impl Into<Bytes>) -> Result<Self, TooLong> {
        let octets = bounded("short string", octets.into(), Self::MAX_LEN)?;
        let is_inline = octets.len() <= Self::INLINE_LEN;
        Ok(Self(if is_inline { Short::inline(&octets) } else { Short::Shared(octets) }))
    }

    /// A copy of the octets.
    ///
    /// # Errors
    /// [`TooLong`] for more than 255 octets.
    #[inline]
    pub fn copied(octets: &[u8]) -> Result<Self, TooLong> {
        if octets.len() <= Self::INLINE_LEN {
            return Ok(Self(Short::inline(octets)));
        }
        Self::new(Bytes::copy_from_slice(octets))
    }

    /// A constant. More than 255 octets do not compile in a `const`, and panic elsewhere.
    pub const fn from_static(text: &'static str) -> Self {
        assert!(text.len() <= Self::MAX_LEN, "a short string holds 255 octets");
        if text.len() > Self::INLINE_LEN {
            return Self(Short::Shared(Bytes::from_static(text.as_bytes())));
        }
        Self(Short::inline(text.as_bytes()))
    }

    /// The octets.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Short::Inline { length, octets } => {
                octets.get(..usize::from(*length)).unwrap_or_default()
            }
            Short::Shared(octets) => octets,
        }
    }

    /// The octets, shared with whatever they were read from if they do not lie in the value itself.
    pub fn into_bytes(self) -> Bytes {
        match self.0 {
            Short::Inline { .. } => Bytes::copy_from_slice(self.as_bytes()),
            Short::Shared(octets) => octets,
        }
    }

    /// The same string in memory of its own, so that keeping it does not keep the buffer that it was
    /// read from.
    #[must_use]
    pub fn detached(&self) -> Self {
        match &self.0 {
            Short::Inline { .. } => self.clone(),
            Short::Shared(octets) => Self(Short::Shared(Bytes::copy_from_slice(octets))),
        }
    }

    /// As much of `text` as fits, cut between characters: for texts that explain, such as a
    /// reply-text, where the beginning is better than an error.
    pub fn truncated(text: &str) -> Self {
        let mut end = text.len().min(Self::MAX_LEN);
        while !text.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        let (start, _) = text.split_at_checked(end).unwrap_or_default();
        Self::copied(start.as_bytes()).unwrap_or_default()
    }
}

impl LongStr {
    /// The most octets Leveret puts into a `longstr`: 2³⁰ − 1.
    pub const MAX_LEN: usize = 0x3fff_ffff;

    /// Takes the octets as they are.
    ///
    /// # Errors
    /// [`TooLong`] for more than [`MAX_LEN`](Self::MAX_LEN) octets.
    pub fn new(octets: impl Into<Bytes>) -> Result<Self, TooLong> {
        bounded("long string", octets.into(), Self::MAX_LEN).map(Self)
    }

    /// A constant.
    pub const fn from_static(text: &'static str) -> Self {
        assert!(text.len() <= Self::MAX_LEN, "a long string holds 2^30 - 1 octets");
        Self(Bytes::from_static(text.as_bytes()))
    }

    /// A copy of the octets.
    ///
    /// # Errors
    /// [`TooLong`] for more than [`MAX_LEN`](Self::MAX_LEN) octets.
    pub fn copied(octets: &[u8]) -> Result<Self, TooLong> {
        Self::new(Bytes::copy_from_slice(octets))
    }

    /// The octets.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The octets, still shared with whatever they were read from.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// The same string in memory of its own, so that keeping it does not keep the buffer that it was
    /// read from.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self(Bytes::copy_from_slice(&self.0))
    }
}

impl Default for ShortStr {
    fn default() -> Self {
        Self::EMPTY
    }
}

fn bounded(kind: &'static str, octets: Bytes, limit: usize) -> Result<Bytes, TooLong> {
    if octets.len() > limit {
        return Err(TooLong { kind, length: octets.len(), limit });
    }
    Ok(octets)
}

impl Wire for ShortStr {
    #[inline]
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let octets = reader.short_octets()?;
        let is_inline = octets.len() <= Self::INLINE_LEN;
        Ok(Self(if is_inline {
            Short::inline(octets)
        } else {
            Short::Shared(reader.share(octets))
        }))
    }

    #[inline]
    fn encode(&self, out: &mut BytesMut) {
        let octets = self.as_bytes();
        // The type keeps the length below 256.
        out.put_u8(u8::try_from(octets.len()).unwrap_or(u8::MAX));
        out.put_slice(octets);
    }
}

impl Wire for LongStr {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.long_octets().map(Self)
    }

    fn encode(&self, out: &mut BytesMut) {
        out.put_u32(u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        out.put_slice(&self.0);
    }
}

impl Wire for Secret {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        LongStr::decode(reader).map(Self)
    }

    fn encode(&self, out: &mut BytesMut) {
        self.0.encode(out);
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

macro_rules! octet_string {
    ($type:ident) => {
        impl $type {
            /// The octets as text.
            ///
            /// # Errors
            /// The wire does not promise UTF-8.
            pub fn as_str(&self) -> Result<&str, core::str::Utf8Error> {
                core::str::from_utf8(self.as_bytes())
            }

            /// The octets as text, with U+FFFD for what is no UTF-8.
            pub fn to_string_lossy(&self) -> alloc::borrow::Cow<'_, str> {
                String::from_utf8_lossy(self.as_bytes())
            }

            /// How many octets.
            pub fn len(&self) -> usize {
                self.as_bytes().len()
            }

            /// Whether there are none.
            pub fn is_empty(&self) -> bool {
                self.as_bytes().is_empty()
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "\"{}\"", self.as_bytes().escape_ascii())
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.to_string_lossy())
            }
        }

        impl TryFrom<&str> for $type {
            type Error = TooLong;

            fn try_from(text: &str) -> Result<Self, TooLong> {
                Self::copied(text.as_bytes())
            }
        }

        impl TryFrom<String> for $type {
            type Error = TooLong;

            fn try_from(text: String) -> Result<Self, TooLong> {
                Self::new(text)
            }
        }

        impl AsRef<[u8]> for $type {
            fn as_ref(&self) -> &[u8] {
                self.as_bytes()
            }
        }

        impl Borrow<[u8]> for $type {
            fn borrow(&self) -> &[u8] {
                self.as_bytes()
            }
        }

        impl PartialEq<str> for $type {
            fn eq(&self, other: &str) -> bool {
                *self.as_bytes() == *other.as_bytes()
            }
        }

        impl PartialEq<&str> for $type {
            fn eq(&self, other: &&str) -> bool {
                *self.as_bytes() == *other.as_bytes()
            }
        }
    };
}

octet_string!(ShortStr);
octet_string!(LongStr);

/// By its octets, wherever they lie.
impl PartialEq for ShortStr {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for ShortStr {}

impl PartialOrd for ShortStr {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ShortStr {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for ShortStr {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use alloc::format;
    use std::hash::DefaultHasher;

    #[test]
    fn a_short_string_holds_255_octets_and_no_more() {
        let longest = ShortStr::new(alloc::vec![b'x'; 255]).unwrap();
        let mut out = BytesMut::new();
        longest.encode(&mut out);
        assert_eq!((out.len(), out[0]), (256, 255));

        let error = ShortStr::new(alloc::vec![b'x'; 256]).unwrap_err();
        assert_eq!(
            format!("{error}"),
            "256 octets do not fit into an AMQP short string, which holds 255"
        );
    }

    /// Where a string lies, in its value or elsewhere, is nothing that shows.
    #[test]
    fn a_short_string_is_the_same_however_it_is_made() {
        const TEXT: &str = "0123456789 0123456789 0123456789 012345";
        for length in [0, 1, 37, 38, 39] {
            let (text, _) = TEXT.split_at(length);
            let made = ShortStr::from_static(text);
            let mut octets = BytesMut::new();
            made.encode(&mut octets);
            let source = octets.freeze();
            for other in [
                ShortStr::new(text).unwrap(),
                ShortStr::copied(text.as_bytes()).unwrap(),
                ShortStr::truncated(text),
                ShortStr::decode(&mut Reader::new("text", &source)).unwrap(),
                ShortStr::decode(&mut Reader::copying("text", &source)).unwrap(),
                ShortStr::new(made.clone().into_bytes()).unwrap(),
                made.detached(),
            ] {
                assert_eq!((&other, other.as_bytes()), (&made, text.as_bytes()));
                assert_eq!(other.cmp(&made), Ordering::Equal);
                let hash = |text: &dyn Fn(&mut DefaultHasher)| {
                    let mut hasher = DefaultHasher::new();
                    text(&mut hasher);
                    hasher.finish()
                };
                let expected = hash(&|hasher| text.as_bytes().hash(hasher));
                assert_eq!(hash(&|hasher| other.hash(hasher)), expected, "as what it borrows as");
            }
        }
        let [short, long] = [&TEXT[..38], TEXT].map(ShortStr::from_static);
        assert!(short < long && short != long);
    }

    #[test]
    fn what_fits_into_a_short_string_does_not_keep_the_buffer_it_was_read_from() {
        for (length, shares) in [(0, false), (38, false), (39, true)] {
            let mut octets = BytesMut::new();
            ShortStr::new(alloc::vec![b'x'; length]).unwrap().encode(&mut octets);
            let source = octets.freeze();
            let text = ShortStr::decode(&mut Reader::new("text", &source)).unwrap();
            let copy = ShortStr::decode(&mut Reader::copying("text", &source)).unwrap();
            assert_eq!(source.is_unique(), !shares, "{length} octets");
            let detached = text.detached();
            drop(text);
            assert!(source.is_unique());
            assert_eq!(copy, detached);
        }
    }

    #[test]
    fn truncation_keeps_characters_whole() {
        let text = "é".repeat(200);
        assert_eq!(ShortStr::truncated(&text), *"é".repeat(127));
        assert_eq!(ShortStr::truncated("short"), "short");
    }

    #[test]
    fn a_secret_does_not_show() {
        let secret = Secret(LongStr::from_static("hunter2"));
        assert_eq!(format!("{secret:?}"), "Secret(***)");
    }
}

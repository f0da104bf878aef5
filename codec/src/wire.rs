//! The primitive types of the wire (AMQP 0-9-1, 4.2): integers, strings and packed bits.
//!
//! [`Reader`] walks over the payload of one whole frame, so a field that does not fit is an error
//! and never a reason to wait. What every message has is taken by hand, in a few instructions; what
//! has a length of its own, by nom's `complete` parsers. What the reader adds is the place of a
//! failure, the packing of bits, and strings that share the frame's memory or are copied out of it.

use bytes::{BufMut, Bytes, BytesMut};
use nom::Parser;
use nom::error::ErrorKind;
use nom::multi::length_data;
use nom::number::complete::be_u32;

use crate::FieldTable;
use crate::error::{DecodeError, Problem};

/// A type with a form on the wire: decoding and encoding side by side.
///
/// Encoding cannot fail, because values that the wire cannot carry cannot be made.
pub(crate) trait Wire: Sized {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;
    fn encode(&self, out: &mut BytesMut);
}

type NomError<'a> = (&'a [u8], ErrorKind);

#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    /// What is read, for its name in errors.
    subject: &'static str,
    /// Where it ends, counted from where `subject` begins.
    end: usize,
    /// What the octets are part of, where strings are to share its memory instead of being copied.
    source: Option<&'a Bytes>,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader whose strings share the memory of `source`.
    pub(crate) fn new(subject: &'static str, source: &'a Bytes) -> Self {
        Self { subject, end: source.len(), source: Some(source), rest: source }
    }

    /// A reader whose strings are copies.
    #[inline]
    pub(crate) fn copying(subject: &'static str, octets: &'a [u8]) -> Self {
        Self::behind(0, subject, octets)
    }

    /// The same, where `octets` begin so far into the subject.
    #[inline]
    pub(crate) fn behind(offset: usize, subject: &'static str, octets: &'a [u8]) -> Self {
        Self { subject, end: offset.saturating_add(octets.len()), source: None, rest: octets }
    }

    /// From here on, errors speak of `subject`.
    pub(crate) fn rename(&mut self, subject: &'static str) {
        self.subject = subject;
    }

    /// A reader for octets that this one has just taken.
    pub(crate) fn within<'b>(&self, taken: &'b Bytes) -> Reader<'b> {
        Reader { subject: self.subject, end: self.offset(), source: Some(taken), rest: taken }
    }

    /// One level of nesting down: what is left of the budget, if anything.
    pub(crate) fn descend(&self, budget: u8) -> Result<u8, DecodeError> {
        let limit = FieldTable::MAX_DEPTH;
        budget.checked_sub(1).ok_or_else(|| self.error(Problem::TooDeep { limit }))
    }

    fn offset(&self) -> usize {
        self.end.saturating_sub(self.rest.len())
    }

    /// What has not been read.
    pub(crate) fn into_rest(self) -> Bytes {
        self.share(self.rest)
    }

    /// The next octet, not taken.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Ends the reading: octets that nobody asked for are an error.
    pub(crate) fn finish(self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            surplus => Err(self.error(Problem::Surplus { surplus })),
        }
    }

    pub(crate) fn error(&self, problem: Problem) -> DecodeError {
        DecodeError::new(self.subject, self.offset(), problem)
    }

    #[inline]
    pub(crate) fn octet(&mut self) -> Result<u8, DecodeError> {
        let [octet] = self.array()?;
        Ok(octet)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let Some((octets, rest)) = self.rest.split_first_chunk() else {
            return Err(self.truncated(N));
        };
        self.rest = rest;
        Ok(*octets)
    }

    #[inline]
    pub(crate) fn octets(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let Some((octets, rest)) = self.rest.split_at_checked(length) else {
            return Err(self.truncated(length));
        };
        self.rest = rest;
        Ok(octets)
    }

    /// One octet of length, then the octets.
    #[inline]
    pub(crate) fn short_octets(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.octet()?;
        self.octets(usize::from(length))
    }

    /// Four octets of length, then the octets, to be kept. The length is checked against what is
    /// left before anything is made of it.
    pub(crate) fn long_octets(&mut self) -> Result<Bytes, DecodeError> {
        match length_data(be_u32::<_, NomError<'a>>).parse(self.rest) {
            Ok((rest, octets)) => {
                self.rest = rest;
                Ok(self.share(octets))
            }
            // A complete parser has one way to fail here: too few octets, of the length or behind it.
            Err(_) => {
                let length = u32::decode(self)?;
                Err(self.truncated(usize::try_from(length).unwrap_or(usize::MAX)))
            }
        }
    }

    /// Octets that were read, to be kept.
    pub(crate) fn share(&self, octets: &'a [u8]) -> Bytes {
        match self.source {
            Some(source) => source.slice_ref(octets),
            None => Bytes::copy_from_slice(octets),
        }
    }

    #[cold]
    fn truncated(&self, needed: usize) -> DecodeError {
        self.error(Problem::Truncated { needed, left: self.rest.len() })
    }
}

macro_rules! integers {
    ($($type:ident $put:ident;)*) => {$(
        impl Wire for $type {
            #[inline]
            fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                reader.array().map(Self::from_be_bytes)
            }

            #[inline]
            fn encode(&self, out: &mut BytesMut) {
                out.$put(*self);
            }
        }
    )*};
}

integers! {
    u8 put_u8;
    u16 put_u16;
    u32 put_u32;
    u64 put_u64;
}

/// `bit` fields in a row share an octet, the first in its lowest bit (AMQP 0-9-1, 4.2.5.2).
/// Unused bits are sent as 0 and ignored on receipt.
///
/// The packing belongs to a sequence of fields and not to a type, so a method's fields are read
/// and written through this pair instead of [`Wire`] alone.
pub(crate) struct Fields<'r, 'a> {
    pub(crate) reader: &'r mut Reader<'a>,
    octet: u8,
    /// The mask of the next bit in `octet`; 0 when the next bit starts a new octet.
    mask: u8,
}

pub(crate) struct FieldsMut<'b> {
    pub(crate) out: &'b mut BytesMut,
    mask: u8,
}

/// A method field: anything with a wire form, or a `bool` that is a packed bit.
pub(crate) trait Field: Sized {
    fn decode_field(fields: &mut Fields<'_, '_>) -> Result<Self, DecodeError>;
    fn encode_field(&self, fields: &mut FieldsMut<'_>);
}

impl<'r, 'a> Fields<'r, 'a> {
    pub(crate) fn new(reader: &'r mut Reader<'a>) -> Self {
        Self { reader, octet: 0, mask: 0 }
    }
}

impl<'b> FieldsMut<'b> {
    pub(crate) fn new(out: &'b mut BytesMut) -> Self {
        Self { out, mask: 0 }
    }
}

impl Field for bool {
    #[inline]
    fn decode_field(fields: &mut Fields<'_, '_>) -> Result<Self, DecodeError> {
        if fields.mask == 0 {
            fields.octet = fields.reader.octet()?;
            fields.mask = 1;
        }
        let bit = fields.octet & fields.mask != 0;
        fields.mask <<= 1;
        Ok(bit)
    }

    #[inline]
    fn encode_field(&self, fields: &mut FieldsMut<'_>) {
        if fields.mask == 0 {
            fields.out.put_u8(0);
            fields.mask = 1;
        }
        if *self && let Some(octet) = fields.out.last_mut() {
            *octet |= fields.mask;
        }
        fields.mask <<= 1;
    }
}

impl<T: Wire> Field for T {
    fn decode_field(fields: &mut Fields<'_, '_>) -> Result<Self, DecodeError> {
        fields.mask = 0;
        T::decode(fields.reader)
    }

    fn encode_field(&self, fields: &mut FieldsMut<'_>) {
        fields.mask = 0;
        self.encode(fields.out);
    }
}

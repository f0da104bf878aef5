//! The primitive types of the wire (AMQP 0-9-1, 4.2): integers, strings and packed bits.
//!
//! [`Reader`] walks over the payload of one whole frame, so a field that does not fit is an error
//! and never a reason to wait. The octets are taken by nom's `complete` parsers. What the reader
//! adds is the place of a failure, the packing of bits, and strings that share the frame's memory.

use bytes::{BufMut, Bytes, BytesMut};
use nom::Parser;
use nom::bytes::complete::take;
use nom::error::ErrorKind;
use nom::number::complete::{be_u8, be_u16, be_u32, be_u64};

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
    /// Where `source` begins in it.
    base: usize,
    source: &'a Bytes,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(subject: &'static str, source: &'a Bytes) -> Self {
        Self { subject, base: 0, source, rest: source }
    }

    /// From here on, errors speak of `subject`.
    pub(crate) fn rename(&mut self, subject: &'static str) {
        self.subject = subject;
    }

    /// A reader for octets that this one has just taken.
    pub(crate) fn within<'b>(&self, taken: &'b Bytes) -> Reader<'b> {
        let base = self.offset().saturating_sub(taken.len());
        Reader { subject: self.subject, base, source: taken, rest: taken }
    }

    /// One level of nesting down: what is left of the budget, if anything.
    pub(crate) fn descend(&self, budget: u8) -> Result<u8, DecodeError> {
        let limit = FieldTable::MAX_DEPTH;
        budget.checked_sub(1).ok_or_else(|| self.error(Problem::TooDeep { limit }))
    }

    fn offset(&self) -> usize {
        let read = self.source.len().saturating_sub(self.rest.len());
        self.base.saturating_add(read)
    }

    /// What has not been read, sharing the memory.
    pub(crate) fn into_rest(self) -> Bytes {
        self.source.slice_ref(self.rest)
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

    pub(crate) fn octet(&mut self) -> Result<u8, DecodeError> {
        self.parse(be_u8, 1)
    }

    pub(crate) fn octets(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        self.parse(take(length), length)
    }

    /// One octet of length, then the octets, not copied.
    pub(crate) fn short_octets(&mut self) -> Result<Bytes, DecodeError> {
        let length = self.octet()?;
        self.shared(usize::from(length))
    }

    /// Four octets of length, then the octets, not copied.
    pub(crate) fn long_octets(&mut self) -> Result<Bytes, DecodeError> {
        let length = self.parse(be_u32, 4)?;
        self.shared(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// The length is checked against what is left before anything is made of it.
    fn shared(&mut self, length: usize) -> Result<Bytes, DecodeError> {
        let octets = self.octets(length)?;
        Ok(self.source.slice_ref(octets))
    }

    fn parse<T>(
        &mut self,
        mut parser: impl Parser<&'a [u8], Output = T, Error = NomError<'a>>,
        needed: usize,
    ) -> Result<T, DecodeError> {
        // A complete parser has one way to fail here: too few octets.
        let (rest, value) = parser
            .parse(self.rest)
            .map_err(|_| self.error(Problem::Truncated { needed, left: self.rest.len() }))?;
        self.rest = rest;
        Ok(value)
    }
}

macro_rules! integers {
    ($($type:ident $parser:ident $put:ident;)*) => {$(
        impl Wire for $type {
            fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                reader.parse($parser, size_of::<$type>())
            }

            fn encode(&self, out: &mut BytesMut) {
                out.$put(*self);
            }
        }
    )*};
}

integers! {
    u8 be_u8 put_u8;
    u16 be_u16 put_u16;
    u32 be_u32 put_u32;
    u64 be_u64 put_u64;
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
    fn decode_field(fields: &mut Fields<'_, '_>) -> Result<Self, DecodeError> {
        if fields.mask == 0 {
            fields.octet = fields.reader.octet()?;
            fields.mask = 1;
        }
        let bit = fields.octet & fields.mask != 0;
        fields.mask <<= 1;
        Ok(bit)
    }

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

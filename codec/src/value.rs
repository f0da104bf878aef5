//! [`FieldValue`]: the typed values of tables and arrays, and [`FieldArray`].

use alloc::string::String;
use core::fmt;

use bytes::{BufMut, Bytes, BytesMut};

use crate::error::Problem;
use crate::wire::{Reader, Wire};
use crate::{DecodeError, FieldTable, LongStr, TableError, TooLong};

/// A value in a [`FieldTable`] or a [`FieldArray`].
///
/// The type octets are those of RabbitMQ, which differ from the specification's: `s` is a 16-bit
/// integer and not a short string, `l` is signed.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
pub enum FieldValue {
    /// `t`: one octet, 0 or not.
    Bool(bool),
    /// `b`
    I8(i8),
    /// `B`
    U8(u8),
    /// `s`; also read from `U`, the specification's octet for it, which RabbitMQ does not know.
    I16(i16),
    /// `u`
    U16(u16),
    /// `I`
    I32(i32),
    /// `i`
    U32(u32),
    /// `l`; also read from `L`.
    I64(i64),
    /// `f`
    F32(f32),
    /// `d`
    F64(f64),
    /// `D`: `unscaled` divided by 10 to the power of `scale`.
    Decimal {
        /// Digits behind the decimal point.
        scale: u8,
        /// The number without the decimal point.
        unscaled: i32,
    },
    /// `S`: text, or any octets.
    LongStr(LongStr),
    /// `x`: octets that are not text.
    ByteArray(LongStr),
    /// `A`
    Array(FieldArray),
    /// `T`: seconds since 1970.
    Timestamp(u64),
    /// `F`
    Table(FieldTable),
    /// `V`: no value.
    Void,
}

impl FieldValue {
    /// The text of a [`LongStr`](Self::LongStr) that is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::LongStr(text) => text.as_str().ok(),
            _ => None,
        }
    }

    /// Any of the integer types, as the largest.
    pub fn as_i64(&self) -> Option<i64> {
        Some(match *self {
            Self::I8(value) => value.into(),
            Self::U8(value) => value.into(),
            Self::I16(value) => value.into(),
            Self::U16(value) => value.into(),
            Self::I32(value) => value.into(),
            Self::U32(value) => value.into(),
            Self::I64(value) => value,
            _ => return None,
        })
    }

    /// How many levels of tables and arrays this value is.
    pub(crate) fn depth(&self) -> u8 {
        match self {
            Self::Array(array) => array.levels.saturating_add(1),
            Self::Table(table) => table.depth(),
            _ => 0,
        }
    }
}

/// `field-value`: the type octet, then the value.
pub(crate) fn read_value(reader: &mut Reader<'_>, budget: u8) -> Result<FieldValue, DecodeError> {
    let before = *reader;
    Ok(match reader.octet()? {
        b't' => FieldValue::Bool(reader.octet()? != 0),
        b'b' => FieldValue::I8(u8::decode(reader)?.cast_signed()),
        b'B' => FieldValue::U8(u8::decode(reader)?),
        b's' | b'U' => FieldValue::I16(u16::decode(reader)?.cast_signed()),
        b'u' => FieldValue::U16(u16::decode(reader)?),
        b'I' => FieldValue::I32(u32::decode(reader)?.cast_signed()),
        b'i' => FieldValue::U32(u32::decode(reader)?),
        b'l' | b'L' => FieldValue::I64(u64::decode(reader)?.cast_signed()),
        b'f' => FieldValue::F32(f32::from_bits(u32::decode(reader)?)),
        b'd' => FieldValue::F64(f64::from_bits(u64::decode(reader)?)),
        b'D' => FieldValue::Decimal {
            scale: u8::decode(reader)?,
            unscaled: u32::decode(reader)?.cast_signed(),
        },
        b'S' => FieldValue::LongStr(LongStr::decode(reader)?),
        b'x' => FieldValue::ByteArray(LongStr::decode(reader)?),
        b'A' => FieldValue::Array(FieldArray::read(reader, budget)?),
        b'T' => FieldValue::Timestamp(u64::decode(reader)?),
        b'F' => FieldValue::Table(FieldTable::read(reader, budget)?),
        b'V' => FieldValue::Void,
        tag => return Err(before.error(Problem::UnknownFieldType { tag })),
    })
}

pub(crate) fn write_value(value: &FieldValue, out: &mut BytesMut) {
    let type_octet = match value {
        FieldValue::Bool(_) => b't',
        FieldValue::I8(_) => b'b',
        FieldValue::U8(_) => b'B',
        FieldValue::I16(_) => b's',
        FieldValue::U16(_) => b'u',
        FieldValue::I32(_) => b'I',
        FieldValue::U32(_) => b'i',
        FieldValue::I64(_) => b'l',
        FieldValue::F32(_) => b'f',
        FieldValue::F64(_) => b'd',
        FieldValue::Decimal { .. } => b'D',
        FieldValue::LongStr(_) => b'S',
        FieldValue::ByteArray(_) => b'x',
        FieldValue::Array(_) => b'A',
        FieldValue::Timestamp(_) => b'T',
        FieldValue::Table(_) => b'F',
        FieldValue::Void => b'V',
    };
    out.put_u8(type_octet);
    match value {
        FieldValue::Bool(value) => out.put_u8((*value).into()),
        FieldValue::I8(value) => out.put_i8(*value),
        FieldValue::U8(value) => out.put_u8(*value),
        FieldValue::I16(value) => out.put_i16(*value),
        FieldValue::U16(value) => out.put_u16(*value),
        FieldValue::I32(value) => out.put_i32(*value),
        FieldValue::U32(value) => out.put_u32(*value),
        FieldValue::I64(value) => out.put_i64(*value),
        FieldValue::F32(value) => out.put_f32(*value),
        FieldValue::F64(value) => out.put_f64(*value),
        FieldValue::Decimal { scale, unscaled } => {
            out.put_u8(*scale);
            out.put_i32(*unscaled);
        }
        FieldValue::LongStr(octets) | FieldValue::ByteArray(octets) => octets.encode(out),
        FieldValue::Array(array) => array.encode(out),
        FieldValue::Timestamp(seconds) => out.put_u64(*seconds),
        FieldValue::Table(table) => table.encode(out),
        FieldValue::Void => {}
    }
}

/// Values in a row, each with its own type. Like a [`FieldTable`], an array is its octets.
///
/// ```
/// use leveret_codec::{FieldArray, FieldValue};
///
/// let mut addresses = FieldArray::new();
/// addresses.push("first")?;
/// addresses.push("second")?;
/// assert_eq!(addresses.iter().last(), FieldValue::try_from("second").ok());
/// # Ok::<(), leveret_codec::TableError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct FieldArray {
    /// The values without the length in front: valid, and shallow enough.
    values: Bytes,
    /// How many levels of tables and arrays lie within.
    levels: u8,
}

impl FieldArray {
    /// An array without values.
    pub const fn new() -> Self {
        Self { values: Bytes::new(), levels: 0 }
    }

    /// An array of these values. For many values this is faster than to [`push`](Self::push) them,
    /// each of which makes an array anew.
    ///
    /// # Errors
    /// [`TableError`] if a value is too deep, or all together too long ([`LongStr::MAX_LEN`] octets).
    pub fn try_from_iter(values: impl IntoIterator<Item = FieldValue>) -> Result<Self, TableError> {
        let mut octets = BytesMut::new();
        let mut levels = 0;
        for value in values {
            levels = value.depth().max(levels);
            write_value(&value, &mut octets);
        }
        if levels >= FieldTable::MAX_DEPTH {
            return Err(TableError::TooDeep);
        }
        Ok(Self { values: LongStr::new(octets)?.into_bytes(), levels })
    }

    /// Puts a value at the end.
    ///
    /// # Errors
    /// [`TableError`] if the value is too deep or the array full ([`LongStr::MAX_LEN`] octets).
    pub fn push(
        &mut self,
        value: impl TryInto<FieldValue, Error: Into<TableError>>,
    ) -> Result<(), TableError> {
        let value = value.try_into().map_err(Into::into)?;
        if value.depth() >= FieldTable::MAX_DEPTH {
            return Err(TableError::TooDeep);
        }
        let mut values = BytesMut::from(self.values.clone());
        write_value(&value, &mut values);
        self.values = LongStr::new(values)?.into_bytes();
        self.levels = self.levels.max(value.depth());
        Ok(())
    }

    /// The values in their order.
    pub fn iter(&self) -> impl Iterator<Item = FieldValue> {
        let mut rest = self.values.clone();
        core::iter::from_fn(move || {
            let mut reader = Reader::new("field array", &rest);
            // The octets were checked when they came in: this ends at the end.
            let value = read_value(&mut reader, FieldTable::MAX_DEPTH).ok()?;
            rest = reader.into_rest();
            Some(value)
        })
    }

    /// The type octets of the values in their order, as they came.
    pub fn types(&self) -> impl Iterator<Item = u8> {
        let mut rest = self.values.clone();
        core::iter::from_fn(move || {
            let mut reader = Reader::new("field array", &rest);
            let octet = reader.peek()?;
            read_value(&mut reader, FieldTable::MAX_DEPTH).ok()?;
            rest = reader.into_rest();
            Some(octet)
        })
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    fn read(reader: &mut Reader<'_>, budget: u8) -> Result<Self, DecodeError> {
        let budget = reader.descend(budget)?;
        let values = reader.long_octets()?;
        let mut inner = reader.within(&values);
        let mut levels = 0;
        while !inner.is_empty() {
            levels = read_value(&mut inner, budget)?.depth().max(levels);
        }
        Ok(Self { values, levels })
    }

    /// `field-array = long-uint *field-value`, the length in octets.
    fn encode(&self, out: &mut BytesMut) {
        out.put_u32(u32::try_from(self.values.len()).unwrap_or(u32::MAX));
        out.put_slice(&self.values);
    }
}

impl fmt::Debug for FieldArray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

macro_rules! conversions {
    ($($from:ty => $variant:ident;)*) => {$(
        impl From<$from> for FieldValue {
            fn from(value: $from) -> Self {
                Self::$variant(value)
            }
        }
    )*};
}

conversions! {
    bool => Bool;
    i8 => I8;
    u8 => U8;
    i16 => I16;
    u16 => U16;
    i32 => I32;
    u32 => U32;
    i64 => I64;
    f32 => F32;
    f64 => F64;
    LongStr => LongStr;
    FieldArray => Array;
    FieldTable => Table;
}

/// Text of a program's own, of which only more than a gigabyte is too long.
macro_rules! texts {
    ($($text:ty),*) => {$(
        impl TryFrom<$text> for FieldValue {
            type Error = TooLong;

            fn try_from(text: $text) -> Result<Self, TooLong> {
                LongStr::try_from(text).map(Self::LongStr)
            }
        }
    )*};
}

texts!(&str, String);

//! `Arbitrary` for what it cannot be derived for: types whose limits are those of the wire.
//!
//! Everything that these make can be encoded, so what a fuzzer does with them is about the codec.

use alloc::vec::Vec;

use arbitrary::{Arbitrary, Result, Unstructured};
use bytes::Bytes;

use crate::{
    ContentHeader, FieldArray, FieldTable, FieldValue, Frame, LongStr, Method, ShortStr, TableError,
};

impl<'a> Arbitrary<'a> for Frame {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=3)? {
            0 => Self::Method { channel: u.arbitrary()?, method: Method::arbitrary(u)? },
            1 => Self::Header { channel: u.arbitrary()?, header: ContentHeader::arbitrary(u)? },
            2 => Self::Body { channel: u.arbitrary()?, payload: octets(u)? },
            _ => Self::Heartbeat,
        })
    }
}

impl<'a> Arbitrary<'a> for ShortStr {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut octets = octets(u)?;
        octets.truncate(Self::MAX_LEN);
        Ok(Self::new(octets).unwrap_or_default())
    }
}

impl<'a> Arbitrary<'a> for LongStr {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self::new(octets(u)?).unwrap_or_default())
    }
}

fn octets(u: &mut Unstructured<'_>) -> Result<Bytes> {
    <&[u8]>::arbitrary(u).map(Bytes::copy_from_slice)
}

/// One step on the way to a table or an array. They are built from the inside out, so that a deep
/// one takes no recursion.
#[derive(Arbitrary)]
enum Step {
    Add(ShortStr, Scalar),
    /// What there is becomes a field of a new table.
    IntoTable(ShortStr),
    /// What there is becomes a value of a new array, and that a field of a new table.
    IntoArray(ShortStr),
}

/// A value without values inside.
#[derive(Arbitrary)]
enum Scalar {
    Bool(bool),
    I8(i8),
    U8(u8),
    I16(i16),
    U16(u16),
    I32(i32),
    U32(u32),
    I64(i64),
    F32(f32),
    F64(f64),
    Decimal(u8, i32),
    LongStr(LongStr),
    ByteArray(LongStr),
    Timestamp(u64),
    Void,
}

impl From<Scalar> for FieldValue {
    fn from(scalar: Scalar) -> Self {
        match scalar {
            Scalar::Bool(value) => Self::Bool(value),
            Scalar::I8(value) => Self::I8(value),
            Scalar::U8(value) => Self::U8(value),
            Scalar::I16(value) => Self::I16(value),
            Scalar::U16(value) => Self::U16(value),
            Scalar::I32(value) => Self::I32(value),
            Scalar::U32(value) => Self::U32(value),
            Scalar::I64(value) => Self::I64(value),
            Scalar::F32(value) => Self::F32(value),
            Scalar::F64(value) => Self::F64(value),
            Scalar::Decimal(scale, unscaled) => Self::Decimal { scale, unscaled },
            Scalar::LongStr(octets) => Self::LongStr(octets),
            Scalar::ByteArray(octets) => Self::ByteArray(octets),
            Scalar::Timestamp(seconds) => Self::Timestamp(seconds),
            Scalar::Void => Self::Void,
        }
    }
}

impl<'a> Arbitrary<'a> for FieldTable {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut table = Self::new();
        for step in u.arbitrary_iter::<Step>()? {
            // A step too deep is left out.
            let _ = take(step?, &mut table);
        }
        Ok(table)
    }
}

fn take(step: Step, table: &mut FieldTable) -> core::result::Result<(), TableError> {
    let mut outer = FieldTable::new();
    match step {
        Step::Add(name, scalar) => {
            return table.insert(name.into_bytes(), FieldValue::from(scalar));
        }
        Step::IntoTable(name) => outer.insert(name.into_bytes(), table.clone())?,
        Step::IntoArray(name) => {
            let mut array = FieldArray::new();
            array.push(table.clone())?;
            outer.insert(name.into_bytes(), array)?;
        }
    }
    *table = outer;
    Ok(())
}

impl<'a> Arbitrary<'a> for FieldArray {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut array = Self::new();
        for scalar in Vec::<Scalar>::arbitrary(u)? {
            // Only more than a gigabyte is too much.
            let _ = array.push(FieldValue::from(scalar));
        }
        if u.ratio(1, 4)? {
            let _ = array.push(FieldTable::arbitrary(u)?);
        }
        Ok(array)
    }
}

//! [`FieldRef`]: the fields of any method by name, for programs that print them.

use crate::{FieldTable, LongStr, ReplyCode, Secret, ShortStr};

/// The value of a method's field. One that is secret is told of and not shown.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum FieldRef<'a> {
    /// A bit.
    Bool(bool),
    /// An integer of any width.
    Number(u64),
    /// Why something was closed or returned.
    ReplyCode(ReplyCode),
    /// A short string.
    ShortStr(&'a ShortStr),
    /// A long string.
    LongStr(&'a LongStr),
    /// A table.
    Table(&'a FieldTable),
    /// A password, a token, a SASL response.
    Secret,
}

macro_rules! shown {
    ($($type:ty: $value:pat => $shown:expr;)*) => {$(
        impl<'a> From<&'a $type> for FieldRef<'a> {
            fn from($value: &'a $type) -> Self {
                $shown
            }
        }
    )*};
}

shown! {
    bool: value => Self::Bool(*value);
    u8: value => Self::Number((*value).into());
    u16: value => Self::Number((*value).into());
    u32: value => Self::Number((*value).into());
    u64: value => Self::Number(*value);
    ReplyCode: value => Self::ReplyCode(*value);
    ShortStr: value => Self::ShortStr(value);
    LongStr: value => Self::LongStr(value);
    FieldTable: value => Self::Table(value);
    Secret: _ => Self::Secret;
}

//! [`FieldTable`]: names and typed values, as in headers, arguments and peer properties
//! (AMQP 0-9-1, 4.2.5.5, with the type octets that RabbitMQ really uses).
//!
//! A table *is* its octets. Decoding checks them once, to the last nested value, and keeps them;
//! values are read when asked for. So a hostile table allocates nothing, a deep one has nothing to
//! drop, and an unread one costs a copy of its octets to send on. What is in a table can always be
//! encoded, because [`insert`](FieldTable::insert) refuses what cannot.

use core::convert::Infallible;
use core::fmt;

use bytes::{BufMut, Bytes, BytesMut};

use crate::text::TooLong;
use crate::value::{FieldValue, read_value, write_value};
use crate::wire::{Reader, Wire};
use crate::{DecodeError, LongStr, ShortStr};

/// A value could not be put into a table or an array.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The value nests tables or arrays too deeply.
    #[error("tables and arrays nest {} deep at most", FieldTable::MAX_DEPTH)]
    TooDeep,
    /// The table or array would be too long, or its name is.
    #[error(transparent)]
    TooLong(#[from] TooLong),
}

/// What is a value already cannot fail to become one.
impl From<Infallible> for TableError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// A field table. Keeps the order of its fields.
///
/// ```
/// use leveret_codec::{FieldTable, FieldValue};
///
/// let mut arguments = FieldTable::new();
/// arguments.insert("x-queue-type", "quorum")?;
/// arguments.insert("x-message-ttl", 60_000)?;
/// assert_eq!(arguments.get("x-message-ttl"), Some(FieldValue::I32(60_000)));
/// # Ok::<(), leveret_codec::TableError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct FieldTable {
    /// The fields without the length in front: valid, and shallow enough.
    fields: Bytes,
    /// How many levels of tables and arrays lie within.
    levels: u8,
}

impl FieldTable {
    /// How deep tables and arrays may nest, the outermost included. RabbitMQ has no limit of its
    /// own; nobody nests more than a few.
    pub const MAX_DEPTH: u8 = 32;

    /// A table without fields.
    pub const EMPTY: Self = Self { fields: Bytes::new(), levels: 0 };

    /// A table without fields.
    pub const fn new() -> Self {
        Self::EMPTY
    }

    /// A table of these fields in their order, all of them, even where two have one name. For many
    /// fields this is faster than to [`insert`](Self::insert) them, each of which makes a table anew.
    ///
    /// # Errors
    /// [`TableError`] if a value is too deep, or all together too long ([`LongStr::MAX_LEN`] octets).
    pub fn try_from_iter(
        fields: impl IntoIterator<Item = (ShortStr, FieldValue)>,
    ) -> Result<Self, TableError> {
        let mut octets = BytesMut::new();
        let mut levels = 0;
        for (name, value) in fields {
            levels = value.depth().max(levels);
            write_field(&name, &value, &mut octets);
        }
        if levels >= Self::MAX_DEPTH {
            return Err(TableError::TooDeep);
        }
        Ok(Self { fields: LongStr::new(octets)?.into_bytes(), levels })
    }

    /// Sets a field, replacing one of the same name.
    ///
    /// # Errors
    /// [`TableError`] if the name is longer than 255 octets, the value too deep, or the table full
    /// ([`LongStr::MAX_LEN`] octets).
    pub fn insert(
        &mut self,
        name: impl Into<Bytes>,
        value: impl TryInto<FieldValue, Error: Into<TableError>>,
    ) -> Result<(), TableError> {
        let name = ShortStr::new(name.into())?;
        let value = value.try_into().map_err(Into::into)?;
        let mut levels = value.depth();
        if levels >= Self::MAX_DEPTH {
            return Err(TableError::TooDeep);
        }
        let mut fields = BytesMut::with_capacity(self.fields.len().saturating_add(64));
        for (kept, old) in self.iter().filter(|(kept, _)| *kept != name) {
            levels = levels.max(old.depth());
            write_field(&kept, &old, &mut fields);
        }
        write_field(&name, &value, &mut fields);
        self.fields = LongStr::new(fields)?.into_bytes();
        self.levels = levels;
        Ok(())
    }

    /// Takes a field out, every one of that name.
    pub fn remove(&mut self, name: &str) {
        let mut fields = BytesMut::with_capacity(self.fields.len());
        for (kept, value) in self.iter().filter(|(kept, _)| *kept != *name) {
            write_field(&kept, &value, &mut fields);
        }
        self.fields = fields.freeze();
    }

    /// The first field of that name.
    pub fn get(&self, name: &str) -> Option<FieldValue> {
        self.iter().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// The fields in their order. A peer may send a name twice; then it comes twice.
    pub fn iter(&self) -> impl Iterator<Item = (ShortStr, FieldValue)> {
        let mut rest = self.fields.clone();
        core::iter::from_fn(move || {
            let mut reader = Reader::new("field table", &rest);
            // The octets were checked when they came in: this ends at the end.
            let field = read_field(&mut reader, Self::MAX_DEPTH).ok()?;
            rest = reader.into_rest();
            Some(field)
        })
    }

    /// The type octets of the fields in their order, as they came: `s` and `U`, `l` and `L` are one
    /// [`FieldValue`] each, and not the same to every peer.
    pub fn types(&self) -> impl Iterator<Item = u8> {
        let mut rest = self.fields.clone();
        core::iter::from_fn(move || {
            let mut reader = Reader::new("field table", &rest);
            ShortStr::decode(&mut reader).ok()?;
            let octet = reader.peek()?;
            read_value(&mut reader, Self::MAX_DEPTH).ok()?;
            rest = reader.into_rest();
            Some(octet)
        })
    }

    /// Whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The size on the wire in octets, without the length in front.
    pub fn encoded_len(&self) -> usize {
        self.fields.len()
    }

    /// A table of fields as on the wire, without the length in front.
    ///
    /// # Errors
    /// [`DecodeError`] if the octets are no fields.
    pub fn from_fields(fields: Bytes) -> Result<Self, DecodeError> {
        let levels =
            levels(Reader::new("field table", &fields), Self::MAX_DEPTH.saturating_sub(1))?;
        Ok(Self { fields, levels })
    }

    /// The same table with its octets in memory of their own, so that keeping it does not keep the
    /// buffer that it was read from.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self { fields: Bytes::copy_from_slice(&self.fields), levels: self.levels }
    }

    /// The fields as on the wire, without the length in front: what SASL's AMQPLAIN sends.
    pub fn into_fields(self) -> Bytes {
        self.fields
    }

    pub(crate) fn depth(&self) -> u8 {
        self.levels.saturating_add(1)
    }

    /// Reads a table with `budget` levels left to nest.
    pub(crate) fn read(reader: &mut Reader<'_>, budget: u8) -> Result<Self, DecodeError> {
        let budget = reader.descend(budget)?;
        let fields = reader.long_octets()?;
        let levels = levels(reader.within(&fields), budget)?;
        Ok(Self { fields, levels })
    }
}

/// Reads all fields, for how deep they nest.
fn levels(mut fields: Reader<'_>, budget: u8) -> Result<u8, DecodeError> {
    let mut levels = 0;
    while !fields.is_empty() {
        let (_, value) = read_field(&mut fields, budget)?;
        levels = value.depth().max(levels);
    }
    Ok(levels)
}

/// `field-value-pair = field-name field-value`
fn read_field(reader: &mut Reader<'_>, budget: u8) -> Result<(ShortStr, FieldValue), DecodeError> {
    Ok((ShortStr::decode(reader)?, read_value(reader, budget)?))
}

fn write_field(name: &ShortStr, value: &FieldValue, out: &mut BytesMut) {
    name.encode(out);
    write_value(value, out);
}

/// `field-table = long-uint *field-value-pair`, the length in octets.
impl Wire for FieldTable {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::read(reader, Self::MAX_DEPTH)
    }

    fn encode(&self, out: &mut BytesMut) {
        out.put_u32(u32::try_from(self.fields.len()).unwrap_or(u32::MAX));
        out.put_slice(&self.fields);
    }
}

impl fmt::Debug for FieldTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

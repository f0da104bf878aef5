//! [`Properties`]: what comes with a message, and is moved about with it.

use alloc::boxed::Box;
use core::fmt;
use core::ops::{Deref, DerefMut};

use leveret_codec::BasicProperties;

/// The properties of a message: AMQP's [`BasicProperties`], which this stands for in every place.
///
/// Most messages have few of the fourteen or none, and are moved often on their way; so what is moved
/// is a pointer, and a message without properties has nothing behind it. To move a value out, take it
/// (`properties.correlation_id.take()`), or make them [`BasicProperties`] again.
///
/// ```
/// use leveret::{Reply, ShortStr};
///
/// let mut reply = Reply::new("12");
/// assert_eq!(reply.properties.priority, None);
/// reply.properties.priority = Some(3);
/// reply.properties.app_id = Some(ShortStr::from_static("sums"));
/// assert_eq!(reply.properties.priority, Some(3));
/// ```
#[derive(Clone, Default)]
pub struct Properties(Option<Box<BasicProperties>>);

impl Properties {
    /// None of them set.
    pub const EMPTY: Self = Self(None);

    /// Whether none of them was ever set.
    pub fn is_unset(&self) -> bool {
        self.0.is_none()
    }
}

impl Deref for Properties {
    type Target = BasicProperties;

    #[inline]
    fn deref(&self) -> &BasicProperties {
        static EMPTY: BasicProperties = BasicProperties::EMPTY;
        self.0.as_deref().unwrap_or(&EMPTY)
    }
}

impl DerefMut for Properties {
    #[inline]
    fn deref_mut(&mut self) -> &mut BasicProperties {
        self.0.get_or_insert_default()
    }
}

impl From<BasicProperties> for Properties {
    fn from(properties: BasicProperties) -> Self {
        Self(Some(Box::new(properties)))
    }
}

impl From<Properties> for BasicProperties {
    fn from(properties: Properties) -> Self {
        properties.0.map(|properties| *properties).unwrap_or_default()
    }
}

/// By what is set, wherever it lies.
impl PartialEq for Properties {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Properties {}

impl PartialEq<BasicProperties> for Properties {
    fn eq(&self, other: &BasicProperties) -> bool {
        **self == *other
    }
}

impl PartialEq<Properties> for BasicProperties {
    fn eq(&self, other: &Properties) -> bool {
        *other == *self
    }
}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_and_no_values_are_the_same() {
        let mut properties = Properties::EMPTY;
        assert_eq!(properties, BasicProperties::default());
        assert_eq!(BasicProperties::default(), properties);
        properties.priority = Some(1);
        assert_ne!(properties, Properties::EMPTY);
        properties.priority = None;
        assert_eq!(properties, Properties::EMPTY);
        assert_eq!(BasicProperties::from(properties), BasicProperties::default());
    }
}

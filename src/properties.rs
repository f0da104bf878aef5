//! [`Properties`]: what comes with a message, and is moved about with it.

mod received;

use alloc::boxed::Box;
use core::fmt;
use core::ops::{Deref, DerefMut};

use leveret_codec::BasicProperties;

pub(crate) use self::received::Received;

/// The properties of a message: AMQP's [`BasicProperties`], which this stands for in every place.
///
/// Most messages have few of the fourteen or none, and are moved often on their way; so what is moved
/// is a pointer, and a message without properties has nothing behind it. Those of a message that has
/// arrived are kept as they came, and decoded when they are looked at for the first time. To move a
/// value out, take it (`properties.correlation_id.take()`), or make them [`BasicProperties`] again.
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
pub struct Properties {
    /// Made here, or changed.
    own: Option<Box<BasicProperties>>,
    /// What there is otherwise.
    received: Received,
}

impl Properties {
    /// None of them set.
    pub const fn new() -> Self {
        Self { own: None, received: Received::nothing() }
    }

    /// Whether none of them was ever set.
    pub fn is_unset(&self) -> bool {
        self.own.is_none() && self.received.is_nothing()
    }
}

impl From<Received> for Properties {
    #[inline]
    fn from(received: Received) -> Self {
        Self { own: None, received }
    }
}

impl Deref for Properties {
    type Target = BasicProperties;

    fn deref(&self) -> &BasicProperties {
        self.own.as_deref().unwrap_or_else(|| self.received.decoded())
    }
}

impl DerefMut for Properties {
    fn deref_mut(&mut self) -> &mut BasicProperties {
        self.own.get_or_insert_with(|| core::mem::take(&mut self.received).into_decoded())
    }
}

impl From<BasicProperties> for Properties {
    fn from(properties: BasicProperties) -> Self {
        Self { own: Some(Box::new(properties)), received: Received::nothing() }
    }
}

impl From<Properties> for BasicProperties {
    fn from(properties: Properties) -> Self {
        *properties.own.unwrap_or_else(|| properties.received.into_decoded())
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
    use bytes::BytesMut;
    use leveret_codec::{ContentHeader, ContentHeaderRef, ShortStr};

    #[test]
    fn none_and_no_values_are_the_same() {
        let mut properties = Properties::new();
        assert_eq!(properties, BasicProperties::default());
        assert_eq!(BasicProperties::default(), properties);
        properties.priority = Some(1);
        assert_ne!(properties, Properties::new());
        properties.priority = None;
        assert_eq!(properties, Properties::new());
        assert_eq!(BasicProperties::from(properties), BasicProperties::default());
    }

    fn received() -> (BasicProperties, Properties) {
        let properties = BasicProperties {
            correlation_id: Some(ShortStr::from_static("7")),
            priority: Some(3),
            ..BasicProperties::EMPTY
        };
        let mut payload = BytesMut::new();
        ContentHeader { body_size: 0, properties: properties.clone() }.encode(&mut payload);
        let header = ContentHeaderRef::decode(&payload).unwrap();
        (properties, Received::copied(header.properties).into())
    }

    #[test]
    fn what_was_received_is_what_was_sent() {
        let (sent, received) = received();
        assert_eq!(received, sent);
        assert_eq!(received.clone(), sent, "once they were looked at");
        assert_eq!(BasicProperties::from(received), sent);
        let (sent, received) = self::received();
        assert!(!received.is_unset());
        assert_eq!(BasicProperties::from(received), sent, "and before");
    }

    #[test]
    fn what_was_received_can_be_changed() {
        for is_looked_at in [false, true] {
            let (mut sent, mut received) = received();
            assert!(!is_looked_at || received == sent);
            assert_eq!(received.priority.take(), Some(3));
            sent.priority = None;
            assert_eq!(received, sent);
            received.correlation_id = None;
            assert_eq!(received, Properties::new());
        }
    }
}

//! [`Received`]: properties as they came.

use alloc::boxed::Box;
use alloc::sync::Arc;
#[cfg(not(feature = "tokio"))]
use core::cell::OnceCell;
#[cfg(feature = "tokio")]
use std::sync::OnceLock as OnceCell;

use leveret_codec::{BasicProperties, PropertiesRef};

/// Properties as they came, decoded when they are looked at: most never are, since the engines read
/// what concerns them from the octets.
#[derive(Clone, Default)]
pub(crate) struct Received {
    octets: Octets,
    decoded: OnceCell<Box<BasicProperties>>,
}

/// Flags and values, which [`PropertiesRef`] has read and found right. Without headers: those would
/// have to be looked at more closely.
#[derive(Clone, Default)]
enum Octets {
    #[default]
    Nothing,
    /// What a reply has, most often: a correlation-id, and a mode.
    Few {
        length: u8,
        octets: [u8; FEW],
    },
    Many(Arc<[u8]>),
}

/// Room for flags, delivery-mode, and a correlation-id of Leveret's or the likes of a UUID.
const FEW: usize = 46;

static NONE_SET: BasicProperties = BasicProperties::EMPTY;

impl Received {
    pub(crate) const fn nothing() -> Self {
        Self { octets: Octets::Nothing, decoded: OnceCell::new() }
    }

    /// A copy of the octets, which have been read and have no headers.
    #[inline]
    pub(crate) fn copied(octets: &[u8]) -> Self {
        let octets = match octets.len() {
            length @ ..=FEW => {
                let mut few = [0; FEW];
                let (start, _) = few.split_at_mut(length);
                start.copy_from_slice(octets);
                Octets::Few { length: u8::try_from(length).unwrap_or(u8::MAX), octets: few }
            }
            _ => Octets::Many(octets.into()),
        };
        Self { octets, decoded: OnceCell::new() }
    }

    /// The octets, shared with whoever has them.
    pub(crate) fn shared(octets: Arc<[u8]>) -> Self {
        Self { octets: Octets::Many(octets), decoded: OnceCell::new() }
    }

    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self.octets, Octets::Nothing)
    }

    pub(super) fn decoded(&self) -> &BasicProperties {
        match &self.octets {
            Octets::Nothing => &NONE_SET,
            octets => self.decoded.get_or_init(|| octets.decode()),
        }
    }

    pub(super) fn into_decoded(self) -> Box<BasicProperties> {
        self.decoded.into_inner().unwrap_or_else(|| self.octets.decode())
    }
}

impl Octets {
    fn decode(&self) -> Box<BasicProperties> {
        let octets = match self {
            Self::Nothing => return Box::default(),
            Self::Few { length, octets } => octets.get(..usize::from(*length)).unwrap_or_default(),
            Self::Many(octets) => octets,
        };
        debug_assert!(PropertiesRef::decode(octets).is_ok_and(|octets| octets.headers.is_none()));
        // They were found right.
        BasicProperties::decode_copied(octets).map(Box::new).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use leveret_codec::ShortStr;

    /// The flag of a correlation-id, and one of so many octets.
    fn octets(id: u8) -> Vec<u8> {
        let mut octets = Vec::from([0x04, 0, id]);
        octets.extend((0..id).map(|_| b'x'));
        octets
    }

    #[test]
    fn they_are_the_same_wherever_they_lie() {
        for length in [0, 42, 43, 44, 255] {
            let octets = octets(length);
            let id = ShortStr::copied(&octets[3..]).unwrap();
            for received in [Received::copied(&octets), Received::shared(octets.clone().into())] {
                assert!(!received.is_nothing());
                assert_eq!(received.decoded().correlation_id, Some(id.clone()), "{length} octets");
                assert_eq!(received.clone().into_decoded().correlation_id, Some(id.clone()));
            }
            let is_copied = matches!(Received::copied(&octets).octets, Octets::Few { .. });
            assert_eq!(is_copied, length <= 43, "{length} octets");
        }
    }

    #[test]
    fn nothing_is_decoded_from_nothing() {
        assert!(Received::nothing().is_nothing());
        assert_eq!(*Received::nothing().decoded(), BasicProperties::EMPTY);
        assert_eq!(*Received::nothing().into_decoded(), BasicProperties::EMPTY);
    }
}

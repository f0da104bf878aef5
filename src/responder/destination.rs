//! [`Destination`]: where a reply goes, and what its caller knows it by.

use alloc::boxed::Box;
use alloc::vec::Vec;

use leveret_codec::ShortStr;

/// Where a reply goes, and what its caller knows it by. Both are opaque: brokers differ in the form of
/// an address, and it may be the name of an ordinary queue.
///
/// They lie in one piece of memory of their own, one behind the other: the request has its own, and they
/// are moved about with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Destination {
    octets: Box<[u8]>,
    /// Where the address ends.
    address_end: u8,
    has_correlation_id: bool,
}

impl Destination {
    pub(super) fn new(address: &ShortStr, correlation_id: Option<&ShortStr>) -> Self {
        let id = correlation_id.map(ShortStr::as_bytes).unwrap_or_default();
        let address = address.as_bytes();
        let mut octets = Vec::with_capacity(address.len().saturating_add(id.len()));
        octets.extend_from_slice(address);
        octets.extend_from_slice(id);
        Self {
            octets: octets.into(),
            // A short string's length.
            address_end: u8::try_from(address.len()).unwrap_or(u8::MAX),
            has_correlation_id: correlation_id.is_some(),
        }
    }

    pub(super) fn address(&self) -> &[u8] {
        self.octets.get(..self.address_end.into()).unwrap_or_default()
    }

    pub(super) fn correlation_id(&self) -> Option<&[u8]> {
        let id = self.octets.get(self.address_end.into()..).unwrap_or_default();
        self.has_correlation_id.then_some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn it_has_what_it_was_given() {
        for length in [0, 1, 38, 39, 255] {
            let address = ShortStr::copied(&vec![b'a'; length]).unwrap();
            for id in [None, Some(ShortStr::EMPTY), Some(ShortStr::copied(&[7; 255]).unwrap())] {
                let destination = Destination::new(&address, id.as_ref());
                assert_eq!(destination.address(), address.as_bytes());
                assert_eq!(destination.correlation_id(), id.as_ref().map(ShortStr::as_bytes));
            }
        }
    }
}

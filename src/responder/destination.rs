//! [`Destination`]: where a reply goes, and what its caller knows it by.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

/// Where a reply goes, and what its caller knows it by. Both are opaque: brokers differ in the form of
/// an address, and it may be the name of an ordinary queue.
///
/// The two are places in octets that the request has as well, most often.
#[derive(Debug, Clone)]
pub(super) struct Destination {
    octets: Arc<[u8]>,
    address: Range<usize>,
    correlation_id: Option<Range<usize>>,
}

impl Destination {
    pub(super) fn new(address: &[u8], correlation_id: Option<&[u8]>) -> Self {
        let id = correlation_id.unwrap_or_default();
        let mut octets = Vec::with_capacity(address.len().saturating_add(id.len()));
        octets.extend_from_slice(address);
        octets.extend_from_slice(id);
        let correlation_id = correlation_id.map(|_| address.len()..octets.len());
        Self { octets: octets.into(), address: 0..address.len(), correlation_id }
    }

    /// The same where both lie within `octets`, of which `shared` is a copy.
    pub(super) fn within(
        octets: &[u8],
        shared: Arc<[u8]>,
        address: &[u8],
        correlation_id: Option<&[u8]>,
    ) -> Self {
        let place = |part: &[u8]| {
            let start = part.as_ptr().addr().saturating_sub(octets.as_ptr().addr());
            start..start.saturating_add(part.len())
        };
        Self { octets: shared, address: place(address), correlation_id: correlation_id.map(place) }
    }

    pub(super) fn address(&self) -> &[u8] {
        self.octets.get(self.address.clone()).unwrap_or_default()
    }

    pub(super) fn correlation_id(&self) -> Option<&[u8]> {
        self.octets.get(self.correlation_id.clone()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn it_has_what_it_was_given() {
        for length in [0, 1, 38, 39, 255] {
            let address = vec![b'a'; length];
            for id in [None, Some(&b""[..]), Some(&[7; 255])] {
                let destination = Destination::new(&address, id);
                assert_eq!(destination.address(), address);
                assert_eq!(destination.correlation_id(), id);
            }
        }
    }

    #[test]
    fn it_has_what_lies_elsewhere() {
        let octets = b"flags, an id, and an address";
        for (address, id) in [(21..28, Some(10..12)), (0..28, None), (28..28, Some(0..0))] {
            let (address, id) = (&octets[address], id.map(|id| &octets[id]));
            let destination = Destination::within(octets, Arc::from(&octets[..]), address, id);
            assert_eq!(destination.address(), address);
            assert_eq!(destination.correlation_id(), id);
        }
    }
}

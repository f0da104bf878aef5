//! [`Recycled`]: memory of large bodies, used again.
//!
//! The system gives memory out page by page as it is written to for the first time, and that takes
//! longer than to copy a body into it. An allocator that gives large pieces back at once, as glibc's
//! does, makes every body pay for it. So the last bodies are held on to until their users have dropped
//! them, and then are room for the next.

use bytes::{Bytes, BytesMut};

/// The last large bodies of a channel.
#[derive(Debug, Default)]
pub(super) struct Recycled {
    bodies: [Option<Bytes>; 2],
}

/// Smaller bodies come from memory that the allocator keeps, and larger ones are too much to hold on
/// to: it is two megabytes a channel at most.
const SIZES: core::ops::RangeInclusive<usize> = 0x2_0000..=0x10_0000;

impl Recycled {
    /// Room for a body, empty: of one that nobody else holds any more, or none at all.
    pub(super) fn take(&mut self) -> BytesMut {
        let is_free = |body: &&mut Option<Bytes>| body.as_ref().is_some_and(Bytes::is_unique);
        let free = self.bodies.iter_mut().find(is_free).and_then(Option::take);
        let mut room = free.and_then(|body| body.try_into_mut().ok()).unwrap_or_default();
        room.clear();
        room
    }

    /// The body may be room for another when its user has dropped it.
    pub(super) fn keep(&mut self, body: &Bytes) {
        if SIZES.contains(&body.len()) {
            self.bodies.rotate_right(1);
            if let Some(first) = self.bodies.first_mut() {
                *first = Some(body.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(size: usize) -> Bytes {
        Bytes::from(alloc::vec![1; size])
    }

    #[test]
    fn a_body_is_room_when_its_user_has_dropped_it() {
        let mut recycled = Recycled::default();
        let body = body(*SIZES.start());
        let place = body.as_ptr();
        recycled.keep(&body);
        assert_eq!(recycled.take().capacity(), 0, "it is in use");
        drop(body);
        let room = recycled.take();
        assert_eq!((room.as_ptr(), room.len()), (place, 0));
        assert_eq!(recycled.take().capacity(), 0, "it was given away");
    }

    #[test]
    fn no_more_than_two_of_a_bounded_size_are_kept() {
        let mut recycled = Recycled::default();
        for size in [*SIZES.start() - 1, *SIZES.end() + 1] {
            recycled.keep(&body(size));
        }
        assert_eq!(recycled.take().capacity(), 0);
        for _ in 0..3 {
            recycled.keep(&body(*SIZES.end()));
        }
        let rooms = [recycled.take(), recycled.take(), recycled.take()];
        assert_eq!(rooms.map(|room| room.capacity() > 0), [true, true, false]);
    }
}

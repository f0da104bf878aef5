//! [`Acknowledgements`]: which deliveries of a channel have ended, and how the broker is told.
//!
//! Those that end in one turn of the driver are acknowledged together behind their replies, with one
//! `multiple` for all that no delivery before them is left of:
//!
//! ```text
//!   delivery tag       1  2  3  4  5  6  7
//!   ended in this turn ■  ■  ■     ■  ■        ack 3 (multiple), ack 5, ack 6
//!   still open                  □        □
//! ```

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use leveret_codec::basic;

use crate::connection::Connection;

/// The deliveries of one channel to one consumer after the other.
#[derive(Debug, Default)]
pub(super) struct Acknowledgements {
    /// In the order of their tags, the first of them open.
    deliveries: VecDeque<Delivery>,
    /// How many of them are open.
    open: usize,
    /// The tags of those that have ended and that the broker has not been told of.
    settled: Vec<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Delivery {
    tag: u64,
    is_open: bool,
}

/// Deliveries that have ended may be kept behind one that is open: as many as are open, and these.
const FEW: usize = 64;

impl Acknowledgements {
    /// A delivery has come, which nothing may acknowledge until it has ended.
    pub(super) fn open(&mut self, tag: u64) {
        self.open = self.open.saturating_add(1);
        let delivery = Delivery { tag, is_open: true };
        if self.deliveries.back().is_none_or(|last| last.tag < tag) {
            return self.deliveries.push_back(delivery);
        }
        // No broker counts like this.
        let place = self.deliveries.partition_point(|delivery| delivery.tag < tag);
        self.deliveries.insert(place, delivery);
    }

    /// A delivery has ended, and the broker is told in another way.
    pub(super) fn end(&mut self, tag: u64) {
        let place = match self.deliveries.front() {
            Some(first) if first.tag == tag => 0,
            _ => self.deliveries.partition_point(|delivery| delivery.tag < tag),
        };
        match self.deliveries.get_mut(place) {
            Some(delivery) if delivery.tag == tag && delivery.is_open => delivery.is_open = false,
            _ => return,
        }
        self.open = self.open.saturating_sub(1);
        while self.deliveries.front().is_some_and(|first| !first.is_open) {
            self.deliveries.pop_front();
        }
        if self.deliveries.len() > self.open.saturating_mul(2).saturating_add(FEW) {
            self.deliveries.retain(|delivery| delivery.is_open);
        }
    }

    /// A delivery has ended, and is to be acknowledged.
    pub(super) fn settle(&mut self, tag: u64) {
        self.end(tag);
        self.settled.push(tag);
    }

    /// Acknowledges what has ended since the last time.
    pub(super) fn send(&mut self, channel: u16, connection: &mut Connection) {
        let first_open = self.deliveries.front().map_or(u64::MAX, |first| first.tag);
        let before = |tag: &u64| *tag < first_open;
        let together = self.settled.iter().copied().filter(before);
        let (count, last) = together
            .fold((0_u32, 0), |(count, last), tag| (count.saturating_add(1), tag.max(last)));
        let mut acknowledge = |delivery_tag, multiple| {
            // After the end of the connection there is nothing to acknowledge.
            let _ = connection.send(channel, basic::Ack { delivery_tag, multiple });
        };
        if count > 0 {
            acknowledge(last, count > 1);
        }
        for tag in self.settled.drain(..).filter(|tag| !before(tag)) {
            acknowledge(tag, false);
        }
    }

    /// The channel is gone, or what was delivered on it is void.
    pub(super) fn forget(&mut self) {
        self.deliveries.clear();
        self.open = 0;
        self.settled.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hundred deliveries, of which the first never ends.
    #[test]
    fn what_has_ended_behind_an_open_delivery_is_not_kept_for_ever() {
        let mut acknowledgements = Acknowledgements::default();
        acknowledgements.open(1);
        for tag in 2..10_000 {
            acknowledgements.open(tag);
            acknowledgements.end(tag);
            assert!(acknowledgements.deliveries.len() <= 2 + FEW + 1);
        }
        assert_eq!((acknowledgements.open, acknowledgements.deliveries[0].tag), (1, 1));
        acknowledgements.end(1);
        assert!(acknowledgements.deliveries.is_empty());
    }

    #[test]
    fn a_delivery_ends_once_and_no_other_ends_with_it() {
        let mut acknowledgements = Acknowledgements::default();
        // In an order that no broker keeps, and with gaps.
        for tag in [5, 3, 9, 4] {
            acknowledgements.open(tag);
        }
        for tag in [4, 4, 6, 10, 0] {
            acknowledgements.end(tag);
        }
        let open: Vec<u64> = acknowledgements.deliveries.iter().map(|it| it.tag).collect();
        assert_eq!((acknowledgements.open, open), (3, [3, 4, 5, 9].into()));
        acknowledgements.end(3);
        let open: Vec<u64> = acknowledgements.deliveries.iter().map(|it| it.tag).collect();
        assert_eq!((acknowledgements.open, open), (2, [5, 9].into()));
    }
}

//! [`Observers`]: the tasks that wait for a change of an engine's state.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::task::Waker;

/// Wakers, each in the place of the future that it belongs to: a future that is dropped takes its
/// waker with it.
#[derive(Debug, Default)]
pub struct Observers {
    waiting: BTreeMap<u64, Waker>,
    places: u64,
}

/// Where a future's waker is kept, once it waits.
#[derive(Debug, Default)]
pub(crate) struct Place(Option<u64>);

impl Observers {
    /// Wakes `waker` at the next change. Gives back what was in its place, which is best dropped
    /// where no lock is held: a waker may be a task's last owner, and take the task with it.
    pub(crate) fn observe(&mut self, place: &mut Place, waker: &Waker) -> Option<Waker> {
        let number = *place.0.get_or_insert_with(|| {
            self.places = self.places.wrapping_add(1);
            self.places
        });
        self.waiting.insert(number, waker.clone())
    }

    /// The future is gone.
    pub(crate) fn release(&mut self, place: &Place) -> Option<Waker> {
        self.waiting.remove(&place.0?)
    }

    /// The state has changed: all of them are to be woken.
    pub(crate) fn change(&mut self, wake: &mut Vec<Waker>) {
        wake.extend(core::mem::take(&mut self.waiting).into_values());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_future_that_goes_takes_its_waker_with_it() {
        let mut observers = Observers::default();
        let [mut stays, mut goes, mut early] =
            [Place::default(), Place::default(), Place::default()];
        assert!(observers.release(&early).is_none(), "it has never waited");
        for place in [&mut stays, &mut goes] {
            assert!(observers.observe(place, Waker::noop()).is_none());
        }
        assert!(observers.observe(&mut goes, Waker::noop()).is_some(), "what it replaces");
        assert!(observers.release(&goes).is_some());

        let mut wake = Vec::new();
        observers.change(&mut wake);
        assert_eq!(wake.len(), 1);
        assert!(observers.release(&stays).is_none(), "it has been woken");
        assert!(observers.observe(&mut early, Waker::noop()).is_none());
    }
}
